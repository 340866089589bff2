"""Rasters in, rasters out: georeferenced chips for training, and mosaics of predictions.

Knows no network: :func:`tiles.mosaic.mosaic` takes any ``predict(batch) -> {layer: array}``.
"""
