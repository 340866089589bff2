"""Reading and resampling of raw rasters, and writing of scenes, for all adapters."""
