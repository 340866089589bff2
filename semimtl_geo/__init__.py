"""Semi-supervised multi-task learning for land cover and heights from orthophotos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semimtl_geo.mapping import Mapper
    from semimtl_geo.maps import open_maps

__all__ = ["Mapper", "open_maps"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: torch takes seconds, and the command line has none."""
    if name == "Mapper":
        from semimtl_geo.mapping import Mapper

        return Mapper
    if name == "open_maps":
        from semimtl_geo.maps import open_maps

        return open_maps
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
