"""Configurations of the scenarios: a folder each, with base.yaml and files that change it."""
