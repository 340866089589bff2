"""Class numbers of drawn land cover: those of ISPRS, and water after them."""

from __future__ import annotations

from semimtl_geo.class_schemes import ISPRS

IMPERVIOUS, BUILDING, LOW_VEGETATION, TREE, CAR, CLUTTER = range(len(ISPRS.names))
WATER = len(ISPRS.names)
