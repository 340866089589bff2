"""Checks of the training data before a run starts."""

from __future__ import annotations

import warnings

from semimtl_geo.data import DomainsDataModule
from semimtl_geo.inspection import check_for_training
from semimtl_geo.training.module import SemiMTL


def check_data(model: SemiMTL, data: DomainsDataModule) -> None:
    """Refuse training scenes that nothing useful can be learnt from, and warn of what is odd.

    Street views, and data sets of torchgeo, are not looked at.

    Args:
        model: The model; its system decides which domains and labels are read.
        data: The data.

    Raises:
        InputError: If a file cannot be read, or values or places cannot be right.
    """
    data.restrict_to(model.system)
    if data.holds_frames("train"):
        return
    for name, domain in data.domains.items():
        if domain.dataset is None:
            tasks = [task for task in model.tasks if task.label in data.labels[name]]
            for remark in check_for_training(data.folder(name, "train"), tasks, domain.bands):
                warnings.warn(str(remark), stacklevel=2)
