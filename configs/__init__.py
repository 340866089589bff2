"""Configurations of the scenarios: one YAML per scenario and system."""
