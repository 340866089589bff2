"""Training with Lightning: Algorithm 1 as a module, the command line, and the folder of a run.

It may import ``tasks``, ``networks``, ``learning``, ``data``, ``inspection``, ``mapping``,
``models``, ``tiles.datasets`` and the root modules of ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.training.cli import packaged_config, train
from semimtl_geo.training.collapse_warning import CollapseWarning
from semimtl_geo.training.fitting import fit
from semimtl_geo.training.module import SemiMTL

__all__ = ["CollapseWarning", "SemiMTL", "fit", "packaged_config", "train"]
