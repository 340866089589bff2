"""The adapter of a user's own folders of rasters."""
