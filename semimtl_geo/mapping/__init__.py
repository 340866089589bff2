"""Maps from trained networks, of orthophotos and of frames, and their scores.

:class:`Mapper` maps rasters, many places at once, or images that xarray holds; :func:`open_maps`
opens maps that were written before; :func:`evaluate` scores maps against labels.

It may import ``tasks``, ``networks``, ``models``, ``streetview`` and ``tiles``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semimtl_geo.mapping.dataset import map_files, open_maps
    from semimtl_geo.mapping.evaluation import evaluate
    from semimtl_geo.mapping.mapper import Mapper
    from semimtl_geo.mapping.places import CoarseRasterWarning, DarkRasterWarning

__all__ = [
    "CoarseRasterWarning",
    "DarkRasterWarning",
    "Mapper",
    "evaluate",
    "map_files",
    "open_maps",
]

_MODULES = {
    "CoarseRasterWarning": "semimtl_geo.mapping.places",
    "DarkRasterWarning": "semimtl_geo.mapping.places",
    "Mapper": "semimtl_geo.mapping.mapper",
    "evaluate": "semimtl_geo.mapping.evaluation",
    "map_files": "semimtl_geo.mapping.dataset",
    "open_maps": "semimtl_geo.mapping.dataset",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing torch takes seconds."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
