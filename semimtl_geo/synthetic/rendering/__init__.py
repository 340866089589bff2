"""Pictures of synthetic towns: materials, light and sensor."""
