"""Data sets from official archives and from users' own folders.

An adapter knows one data set: how its files are named and what is peculiar about them. The pipeline
finds and unzips files, makes one item after the other, continues where an earlier run stopped, and
writes a summary. Its results are scenes (:mod:`tiles.datasets`) and street-view frames
(:mod:`semimtl_geo.streetview`), which carry nothing of the archive they came from.

It may import :mod:`semimtl_geo.streetview`, :mod:`semimtl_geo.class_schemes`,
:mod:`semimtl_geo.progress` and ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.prepare.adapter import Adapter, Item
from semimtl_geo.prepare.options import option
from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.registry import REGISTRY

__all__ = ["REGISTRY", "Adapter", "Item", "option", "prepare"]
