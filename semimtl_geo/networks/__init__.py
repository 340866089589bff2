"""The generator (encoder, one decoder per task) and the discriminators."""
