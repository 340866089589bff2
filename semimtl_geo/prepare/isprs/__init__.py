"""Adapters of the ISPRS benchmark: Potsdam and Vaihingen."""
