"""Semi-supervised multi-task learning for land cover and heights from orthophotos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semimtl_geo.mapping import Mapper

__all__ = ["Mapper"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: torch takes seconds, and the command line has none."""
    if name == "Mapper":
        from semimtl_geo.mapping import Mapper

        return Mapper
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
