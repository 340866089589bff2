"""Heights above ground (nDSM) from surface models, with a terrain model or a ground filter.

It may import the root modules of ``tiles``, :mod:`tiles.reading` and :mod:`tiles.maps`.
"""

from __future__ import annotations

from tiles.elevation.holes import FilledElevation
from tiles.elevation.ndsm import heights_above_ground

__all__ = ["FilledElevation", "heights_above_ground"]
