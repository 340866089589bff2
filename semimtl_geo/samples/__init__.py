"""Two real scenes that come with the package: orthophotos with land cover and heights.

:func:`sample_scenes` gives their files; ``ATTRIBUTION.md`` in this folder names their sources and
licences. It may import the root modules of ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.samples.scenes import SampleScene, sample_scenes

__all__ = ["SampleScene", "sample_scenes"]
