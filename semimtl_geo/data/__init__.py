"""Data sets: domains of scenes, official archives, augmentation."""
