"""Semi-supervised multi-task learning for land cover and heights from orthophotos.

The root holds what all packages share (class schemes, progress bars) and the entry of the command
line. The packages, from the bottom up: ``tasks``, ``networks`` and ``learning`` do not use rasters;
``streetview`` and ``data`` feed ``training``; ``mapping`` predicts maps; ``compare``, ``report``
and ``commands`` build on these; ``prepare`` and ``synthetic`` make data sets.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semimtl_geo.data.datamodule import DomainsDataModule
    from semimtl_geo.data.domain import Domain
    from semimtl_geo.mapping.dataset import open_maps
    from semimtl_geo.mapping.mapper import Mapper
    from semimtl_geo.training.fitting import fit
    from semimtl_geo.training.module import SemiMTL

__all__ = ["Domain", "DomainsDataModule", "Mapper", "SemiMTL", "__version__", "fit", "open_maps"]

__version__ = version("semimtl-geo")

_HOMES = {
    "Domain": "semimtl_geo.data.domain",
    "DomainsDataModule": "semimtl_geo.data.datamodule",
    "fit": "semimtl_geo.training.fitting",
    "open_maps": "semimtl_geo.mapping.dataset",
    "Mapper": "semimtl_geo.mapping.mapper",
    "SemiMTL": "semimtl_geo.training.module",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing torch takes seconds."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
