"""Rasters in, rasters out: georeferenced sampling for training and mosaics of predictions."""
