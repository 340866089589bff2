"""Maps from trained networks, of orthophotos and of frames, and their scores.

May import ``tasks``, ``networks``, ``streetview`` and ``tiles``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semimtl_geo.mapping.dataset import open_maps
    from semimtl_geo.mapping.evaluation import evaluate
    from semimtl_geo.mapping.mapper import Mapper

__all__ = ["Mapper", "evaluate", "open_maps"]

_HOMES = {
    "Mapper": "semimtl_geo.mapping.mapper",
    "evaluate": "semimtl_geo.mapping.evaluation",
    "open_maps": "semimtl_geo.mapping.dataset",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: processes that predict need no data sets."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
