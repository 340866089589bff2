"""Hostile inputs by kind, each of which a command must survive; see ``tests/attack.py``."""
