"""Training as Lightning's command line knows it: every setting in YAML, and on the command line."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jsonargparse import ArgumentError
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.utilities import rank_zero_only

from semimtl_geo.data.datamodule import DomainsDataModule
from semimtl_geo.networks.checkpoint import load_generator
from semimtl_geo.training.collapse_warning import Watch
from semimtl_geo.training.configuration import with_bases
from semimtl_geo.training.module import SemiMTL
from semimtl_geo.training.run_folder import CONFIG, Checkpoints, loggers, unfinished
from tiles.errors import InputError

MEANT_SO: Final = (
    # The model checks labels before they are moved, the data module augments after.
    ".*overridden `on_before_batch_transfer`.*",
    # Where its chips go on, the sampler is told, not the loader: tiles.datasets.samplers.Turns.
    "You're resuming from a checkpoint that ended before the epoch ended.*",
    # Scores of validation are of all processes already.
    "It is recommended to use .*sync_dist=True.*",
    # How Lightning calls torch.
    ".*LeafSpec.* is deprecated.*",
    # The number of reading processes is a setting, and 0 is meant.
    "The '.*_dataloader' does not have many workers.*",
)
"""What Lightning warns of, and is no fault."""


class _SaveConfig(SaveConfigCallback):
    """Saves the configuration beside the checkpoint, whatever logger there is."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save it."""
        out = Path(self.config.out)
        out.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, out / CONFIG, skip_none=False, overwrite=True)


class TrainingCLI(LightningCLI):
    """LightningCLI with the links between model and data, and one folder for all that a run leaves.

    Args:
        callbacks: Further callbacks of the trainer.
        args: The command line, without the command.
    """

    def __init__(self, args: list[str], callbacks: Sequence[Callback] = ()) -> None:
        self.more_callbacks = list(callbacks)
        self.resumed: Path | None = None
        super().__init__(
            SemiMTL,
            DomainsDataModule,
            save_config_callback=_SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            auto_configure_optimizers=False,
            # Chips are dealt out to processes as they are drawn.
            trainer_defaults={"use_distributed_sampler": False},
            parser_kwargs={"exit_on_error": False, "prog": "semimtl-geo train"},
            args=args,
            run=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run's folder, and let model and data know of each other."""
        parser.add_argument(
            "--out", type=str, default="runs/latest", help="Folder for checkpoint, config and log."
        )
        parser.add_argument(
            "--base", type=str | None, default=None, help="In a configuration: one to start from."
        )
        parser.add_argument(
            "--resume",
            type=str | None,
            default=None,
            help="Checkpoint to go on from. An unfinished run in --out goes on by itself.",
        )
        parser.add_lightning_class_args(Checkpoints, "checkpoint")
        parser.add_lightning_class_args(Watch, "watch")
        parser.link_arguments("out", "checkpoint.folder")
        parser.link_arguments("model.system", "checkpoint.name")
        parser.link_arguments("data.supervised", "model.domains", apply_on="instantiate")
        parser.link_arguments("data.gsd", "model.gsd")
        parser.link_arguments("data.crop", "model.crop")
        parser.link_arguments("model.mean", "data.fill")
        parser.link_arguments("model.system", "data.system")

    def before_instantiate_classes(self) -> None:
        """Refuse what Algorithm 1 cannot do, and find out whether a run goes on."""
        trainer, out, resume = self.config.trainer, Path(self.config.out), self.config.resume
        # The bases are read. What is saved shall ask for neither again.
        self.config.base = self.config.resume = None
        if trainer.gradient_clip_val:
            fault = "a step of Algorithm 1 is none of the trainer's"
            raise InputError("trainer.gradient_clip_val", fault, "set model.optimisation.clip")
        if trainer.accumulate_grad_batches != 1:
            fault = "Algorithm 1 steps after each mini-batch"
            raise InputError("trainer.accumulate_grad_batches", fault, "set data.batch_size")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fault = f"cannot be made ({error.strerror})"
            raise InputError(out, fault, "choose another --out") from error
        if resume is not None:
            self.resumed = Path(resume)
        else:
            self.resumed = unfinished(out, self.parser.dump(self.config))
        if self.resumed is not None:
            load_generator(self.resumed)  # says what is wrong with it, before Lightning does
            _say(f"going on from {self.resumed}")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, writing everything to the run's folder."""
        if self.config_init.trainer.logger in (None, True):
            kwargs["logger"] = loggers(Path(self.config.out), self.resumed)
        configured = self.config_init.trainer.callbacks or []
        callbacks = configured if isinstance(configured, list) else [configured]
        return super().instantiate_trainer(callbacks=[*callbacks, *self.more_callbacks], **kwargs)


@rank_zero_only
def _say(line: str) -> None:
    print(line)


def train(args: Sequence[str], callbacks: Sequence[Callback] = ()) -> Path:
    """Train one system.

    Args:
        args: As on the command line: ``["--config", "configs/cities/semimtl.yaml", ...]``.
        callbacks: Further callbacks of the trainer.

    Returns:
        The checkpoint. ``config.yaml`` (the full configuration), ``metrics.csv`` and
        ``tensorboard/`` lie beside it.

    Raises:
        InputError: If the configuration or the data cannot be used.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the rest is no word on this run
    # It warns of NaN, the score of a class that does not occur.
    logging.getLogger("tensorboardX.x2num").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Lightning's own calls of what jsonargparse renamed, and of what it does not expect
            # (arguments that do not come from the shell): nothing that a user can mend.
            warnings.filterwarnings("ignore", module="lightning.pytorch.cli")
            cli = TrainingCLI(with_bases(args), callbacks)
    except ArgumentError as error:
        raise InputError("semimtl-geo train", str(error), "see semimtl-geo train --help") from error
    with warnings.catch_warnings():
        for message in MEANT_SO:
            warnings.filterwarnings("ignore", message=message)
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=cli.resumed, weights_only=True)
    return Path(cli.config.out) / f"{cli.config.model.system}.ckpt"


def packaged_config(name: str) -> Path:
    """The path of a configuration that comes with the package, such as ``cities/semimtl.yaml``."""
    return Path(str(resources.files("semimtl_geo.configs"))) / name
