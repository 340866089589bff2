"""The mosaicker: cuts a raster into overlapping tiles, predicts them and blends them into maps.

It may import the root modules of ``tiles``, :mod:`tiles.reading` and :mod:`tiles.maps`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tiles.mosaic.mosaicker import mosaic
from tiles.mosaic.tile_sample import sample_tiles

__all__ = ["mosaic", "sample_tiles"]


class _CallableModule(ModuleType):
    """Lets ``from tiles import mosaic`` give the function, though this package has its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Path]:
        """Call :func:`tiles.mosaic.mosaic`."""
        return mosaic(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
