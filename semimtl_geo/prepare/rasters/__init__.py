"""Reading and resampling of raw rasters, and writing of scenes, for all adapters.

It may import the modules of :mod:`semimtl_geo.prepare` and ``tiles``.
"""
