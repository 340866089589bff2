"""Frames of street views (Cityscapes, Synscapes): their files, and crops of them for training.

May import ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.streetview.dataset import Frames, RandomCrops, WholeFrames
from semimtl_geo.streetview.files import frame_files

__all__ = ["Frames", "RandomCrops", "WholeFrames", "frame_files"]
