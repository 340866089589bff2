"""Batches of several domains, each with the labels that may be used, and their augmentation.

May import :mod:`semimtl_geo.learning.systems`, :mod:`semimtl_geo.streetview` and
:mod:`tiles.datasets`.
"""

from __future__ import annotations

from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.data.datamodule import Domain, DomainsDataModule

__all__ = ["Augmentation", "Domain", "DomainsDataModule"]
