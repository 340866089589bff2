"""Batches of several domains, each with the labels that may be used, and their augmentation.

It may import :mod:`semimtl_geo.learning`, :mod:`semimtl_geo.networks`, :mod:`semimtl_geo.tasks`,
:mod:`semimtl_geo.streetview` and :mod:`tiles.datasets`.
"""

from __future__ import annotations

from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.data.datamodule import DomainsDataModule
from semimtl_geo.data.domain import Domain

__all__ = ["Augmentation", "Domain", "DomainsDataModule"]
