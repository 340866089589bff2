"""Semi-supervised multi-task learning for land cover and heights from orthophotos."""
