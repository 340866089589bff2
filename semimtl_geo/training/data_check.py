"""Checks of the training data before a run starts."""

from __future__ import annotations

import warnings

from semimtl_geo.data import DomainsDataModule
from semimtl_geo.inspection import check_for_training
from semimtl_geo.training.module import SemiMTL
from tiles.errors import InvalidValueError


def check_data(model: SemiMTL, data: DomainsDataModule) -> None:
    """Refuse training scenes that nothing useful can be learnt from, and warn of what is odd.

    Street views, and data sets of torchgeo, are not looked at.

    Args:
        model: The model; its system decides which domains and labels are read.
        data: The data.

    Raises:
        InputError: If a file cannot be read, or values or places cannot be right.
        InvalidValueError: If a task is for another resolution.
    """
    data.restrict_to(model.system)
    for name in data.unread():
        reason = f"is not read: {model.system} learns nothing from domains without labels"
        warnings.warn(f"domain {name}: {reason}", stacklevel=2)
    for task in model.tasks:
        if (fault := task.resolution_fault(data.gsd)) is not None:
            raise InvalidValueError(f"task {task.name}", fault, "set both alike")
    if data.holds_frames("train"):
        return
    for name, domain in data.domains.items():
        if domain.dataset is None:
            tasks = [task for task in model.tasks if task.label in data.labels[name]]
            for remark in check_for_training(data.folder(name, "train"), tasks, domain.bands):
                warnings.warn(str(remark), stacklevel=2)
