"""Adapters of street-view archives: Cityscapes and Synscapes."""
