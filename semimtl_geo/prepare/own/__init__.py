"""Adapter of users' own folders of rasters, which a YAML file describes.

It may import the modules of :mod:`semimtl_geo.prepare` and :mod:`semimtl_geo.prepare.rasters`, and
``tiles``.
"""

from __future__ import annotations

from semimtl_geo.prepare.own.folder import Folder

__all__ = ["Folder"]
