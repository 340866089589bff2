"""Street views (Cityscapes, Synscapes): their files, and crops of them for training.

It may import :mod:`tiles.datasets` and the root modules of ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.streetview.dataset import Frames, RandomCrops, WholeFrames, check_size
from semimtl_geo.streetview.files import (
    frame_files,
    label_file,
    read_image,
    read_labels,
    write_png,
    write_values,
)

__all__ = [
    "Frames",
    "RandomCrops",
    "WholeFrames",
    "check_size",
    "frame_files",
    "label_file",
    "read_image",
    "read_labels",
    "write_png",
    "write_values",
]
