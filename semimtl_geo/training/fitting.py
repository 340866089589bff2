"""Training: the one way in which the Python API and the command line run Lightning's trainer."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import lightning
import torch
import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer

from semimtl_geo.data import DomainsDataModule
from semimtl_geo.training.checkpoints import Checkpoints
from semimtl_geo.training.collapse_warning import CollapseWarning
from semimtl_geo.training.data_check import check_data
from semimtl_geo.training.divergence import StopAtDivergence
from semimtl_geo.training.interrupts import stop_between_iterations
from semimtl_geo.training.logs import make_loggers
from semimtl_geo.training.module import SemiMTL
from semimtl_geo.training.run_folder import CONFIG, find_start, locked_run
from semimtl_geo.training.run_settings import check_agreement, run_settings
from tiles.errors import InputError, InvalidValueError
from tiles.files import output_path, write_errors, write_text
from tiles.settings import check_range, to_json

TRAINER_DEFAULTS: Final = {"use_distributed_sampler": False}
"""Arguments of the trainer: the data module itself distributes chips to processes."""

PRECISIONS: Final = ("32-true", "32", "bf16-mixed", "16-mixed")
"""Precisions in which Algorithm 1 is tested."""

EXPECTED_WARNINGS: Final = (
    # The model checks labels before they are moved, the data module augments after.
    ".*overridden `on_before_batch_transfer`.*",
    # The sampler continues within an epoch, not the loader: tiles.datasets.DistributedSlice.
    "You're resuming from a checkpoint that ended before the epoch ended.*",
    # Short epochs are logged at their end.
    "The number of training batches .* is smaller than the logging interval.*",
    # Every process scores all validation scenes.
    "It is recommended to use .*sync_dist=True.*",
    # Lightning calls torch in this way.
    ".*LeafSpec.* is deprecated.*",
    # The number of workers is a setting, and 0 is a deliberate value.
    "The '.*_dataloader' does not have many workers.*",
)
"""Warnings of Lightning that do not point to a fault."""


def fit(
    model: SemiMTL,
    data: DomainsDataModule,
    out: str | Path = "runs/latest",
    *,
    epochs: int,
    seed: int = 0,
    resume: str | Path | None = None,
    checkpoint_every: int = 500,
    callbacks: Sequence[Callback] = (),
    **trainer: Any,
) -> Path:
    """Train a model on its data, as ``semimtl-geo train`` does.

    A run that was interrupted in the same folder, with the same settings, continues from its last
    checkpoint; the result is that of an undisturbed run.

    Args:
        model: The model, made with :meth:`SemiMTL.for_data`.
        data: The data.
        out: Folder for checkpoints, ``config.yaml`` (the settings), ``metrics.csv`` and
            ``tensorboard/``.
        epochs: Epochs, each of ``data.iterations`` iterations.
        seed: Seed of all iterations; a run that continues keeps that of its checkpoint. The model's
            first weights are those that it was made with.
        resume: A checkpoint to continue from, with any settings.
        checkpoint_every: Iterations between two checkpoints within an epoch.
        callbacks: Further callbacks of the trainer; a :class:`CollapseWarning` among them replaces
            the default one.
        trainer: Further arguments of :class:`lightning.Trainer`, such as ``accelerator``,
            ``devices`` or ``precision``. By default, every tenth iteration is logged.

    Returns:
        The checkpoint, ``<out>/<system>.ckpt``.

    Raises:
        InputError: If the settings or the data cannot be used, or the folder holds an interrupted
            run with other settings.

    Example:
        >>> from semimtl_geo import Domain
        >>> from semimtl_geo.networks import Encoder
        >>> domains = {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])}
        >>> data = DomainsDataModule("data", domains, crop=32, batch_size=2, iterations=1)
        >>> encoder = Encoder("resnet18", weights=None)
        >>> model = SemiMTL.for_data(data, system="jtl", encoder=encoder, decoder_width=64)
        >>> quiet = {"enable_progress_bar": False, "enable_model_summary": False}
        >>> fit(model, data, "runs/mine", epochs=1, **quiet).as_posix()
        'runs/mine/jtl.ckpt'
    """
    data.restrict_to(model.system)
    check_agreement(model, data)
    if "max_epochs" in trainer:
        raise InvalidValueError("max_epochs", "is set by epochs", "give epochs alone")
    check_trainer_settings({**trainer, "max_epochs": epochs})
    check_data(model, data)
    folder = output_path(out)
    defaults = {"num_sanity_val_steps": 0, "log_every_n_steps": min(10, data.iterations)}
    arguments: dict[str, Any] = {
        **TRAINER_DEFAULTS,
        **defaults,
        **trainer,
        "max_epochs": epochs,
    }
    settings = to_json(run_settings(model, data, seed, arguments))
    start = find_start(folder, settings, None if resume is None else Path(resume))
    name = model.system
    own: list[Callback] = [
        Checkpoints(str(folder), name, checkpoint_every),
        _SaveSettings(folder, settings),
        StopAtDivergence(),
    ]
    if not any(isinstance(callback, CollapseWarning) for callback in callbacks):
        own.append(CollapseWarning())
    if arguments.get("logger") in (None, True):
        arguments["logger"] = make_loggers(folder, start)
    model.seed = seed
    with quiet_lightning():
        with trainer_errors():
            runner = lightning.Trainer(callbacks=[*own, *callbacks], **arguments)
        run_trainer(runner, model, data, folder, start)
    return folder / f"{name}.ckpt"


def check_trainer_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings of Lightning's trainer that Algorithm 1 cannot follow.

    Args:
        settings: Arguments of the trainer.

    Raises:
        InvalidValueError: If gradients are to be clipped or accumulated by the trainer, epochs or
            runs would be cut short, or a precision or a number is not supported.
    """
    if settings.get("gradient_clip_val"):
        fault = "does not apply: Algorithm 1 steps its optimisers itself"
        raise InvalidValueError("trainer.gradient_clip_val", fault, "set model.optimisation.clip")
    if settings.get("accumulate_grad_batches") not in (None, 1):
        fault = "must be 1: Algorithm 1 steps after each mini-batch"
        raise InvalidValueError("trainer.accumulate_grad_batches", fault, "set data.batch_size")
    limit = settings.get("limit_train_batches")
    # Lightning takes 1.0 for all batches, and 1 for one batch.
    if limit is not None and not (isinstance(limit, float) and limit == 1.0):
        fault = "does not apply: an epoch has data.iterations iterations"
        raise InvalidValueError("trainer.limit_train_batches", fault, "set data.iterations")
    if settings.get("overfit_batches"):
        fault = "does not apply: an epoch has data.iterations iterations"
        raise InvalidValueError("trainer.overfit_batches", fault, "leave it out")
    if str(settings.get("precision") or "32-true") not in PRECISIONS:
        fault = f"must be one of {', '.join(PRECISIONS)}, got {settings['precision']}"
        raise InvalidValueError("trainer.precision", fault, "choose one of them")
    if settings.get("fast_dev_run"):
        fault = "would train without writing a checkpoint"
        raise InvalidValueError("trainer.fast_dev_run", fault, "set data.iterations=1 instead")
    if settings.get("max_steps") == 0:
        raise InvalidValueError("trainer.max_steps", "0 trains nothing", "give more, or -1")
    by_steps = (settings.get("max_steps") or -1) > 0 and settings.get("max_epochs") == -1
    if settings.get("max_epochs") is not None and not by_steps:
        check_range("trainer.max_epochs", settings["max_epochs"], 1, 10**6)
    devices, cores = settings.get("devices"), os.cpu_count() or 1
    if isinstance(devices, int | str) and str(devices).isdigit():
        check_range("trainer.devices", int(devices), 1, max(cores, torch.cuda.device_count()))


@contextmanager
def trainer_errors() -> Iterator[None]:
    """Turn what Lightning's trainer raises when it is made into an input error.

    Raises:
        InvalidValueError: If a setting of the trainer is not valid.
    """
    try:
        yield
    except (MisconfigurationException, ImportError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        fault = f"cannot be made ({' '.join(str(error).split())[:300]})"
        raise InvalidValueError("trainer", fault, "correct its settings") from error


def run_trainer(
    trainer: Trainer, model: SemiMTL, data: DomainsDataModule, folder: Path, start: Path | None
) -> None:
    """Train in a folder, alone.

    Args:
        trainer: Lightning's trainer.
        model: The model.
        data: The data.
        folder: Folder of the run.
        start: Checkpoint to continue from.

    Raises:
        InputError: If another process trains in the folder.
        KeyboardInterrupt: After Ctrl-C.
    """
    with locked_run(folder), stop_between_iterations(trainer):
        trainer.fit(model, data, ckpt_path=start, weights_only=True)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's hints and warnings that do not point to a fault."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of NaN, the score of a class that does not occur.
    logging.getLogger("tensorboardX.x2num").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


class _SaveSettings(Callback):
    """Callback that saves the settings of a run in its folder when it starts."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.settings = settings

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save the settings."""
        if trainer.is_global_zero:
            with write_errors(self.folder / CONFIG):
                write_text(self.folder / CONFIG, yaml.safe_dump(self.settings, sort_keys=False))
