"""Command line of training (LightningCLI): each setting can be given in YAML or as an option."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from semimtl_geo.data import DomainsDataModule
from semimtl_geo.learning.systems import find_system
from semimtl_geo.training.checkpoints import Checkpoints
from semimtl_geo.training.collapse_warning import CollapseWarning
from semimtl_geo.training.data_check import check_data
from semimtl_geo.training.divergence import StopAtDivergence
from semimtl_geo.training.fitting import (
    TRAINER_DEFAULTS,
    check_trainer_settings,
    quiet_lightning,
    run_trainer,
    trainer_errors,
)
from semimtl_geo.training.logs import make_loggers
from semimtl_geo.training.module import SemiMTL
from semimtl_geo.training.run_folder import CONFIG, find_start
from tiles.errors import InvalidValueError
from tiles.files import output_path
from tiles.settings import check_range, read_yaml


class _SaveConfig(SaveConfigCallback):
    """Callback that saves the configuration in the folder of the run, whatever logger there is."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save the configuration."""
        out = Path(self.config.out)
        out.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, out / CONFIG, skip_none=False, overwrite=True)


class TrainingCLI(LightningCLI):
    """LightningCLI that links the model to its data, and has one folder per run.

    Args:
        args: The command line, without the command.
        callbacks: Further callbacks of the trainer.

    Attributes:
        start: The checkpoint that the run continues from, or None.
    """

    def __init__(self, args: list[str], callbacks: Sequence[Callback] = ()) -> None:
        self.more_callbacks = list(callbacks)
        self.start: Path | None = None
        super().__init__(
            SemiMTL,
            DomainsDataModule,
            save_config_callback=_SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            auto_configure_optimizers=False,
            trainer_defaults=TRAINER_DEFAULTS,
            parser_kwargs={"exit_on_error": False, "prog": "semimtl-geo train"},
            args=args,
            run=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the arguments of the run's folder, and link those that model and data share."""
        parser.add_argument(
            "--out", type=str, default="runs/latest", help="Folder for checkpoint, config and log."
        )
        parser.add_argument(
            "--resume",
            type=str | None,
            default=None,
            help="Checkpoint to continue from. An unfinished run in --out continues by itself.",
        )
        parser.add_lightning_class_args(Checkpoints, "checkpoint")
        parser.add_lightning_class_args(CollapseWarning, "collapse")
        parser.link_arguments("out", "checkpoint.folder")
        parser.link_arguments("model.system", "checkpoint.name")
        parser.link_arguments("data.supervised", "model.domains", apply_on="instantiate")
        parser.link_arguments("data.gsd", "model.gsd")
        parser.link_arguments("data.crop", "model.crop")
        parser.link_arguments("model.mean", "data.fill")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the arguments, and check the seed, which Lightning sets next."""
        super().parse_arguments(parser, args)
        seed = self.config.get("seed_everything")
        if isinstance(seed, int):
            check_range("seed_everything", seed, 0, 2**32 - 1)

    def before_instantiate_classes(self) -> None:
        """Check the settings, and find the checkpoint that the run continues from."""
        find_system(self.config.model.system)
        out, resume = output_path(self.config.out), self.config.resume
        self.config.resume = None  # The saved configuration must not resume again.
        check_trainer_settings(self.config.trainer.as_dict())
        settings = yaml.safe_load(self.parser.dump(self.config))
        self.start = find_start(out, settings, None if resume is None else Path(resume))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return the trainer, which writes everything to the folder of the run."""
        if self.config_init.trainer.logger in (None, True):
            kwargs["logger"] = make_loggers(Path(self.config.out), self.start)
        configured = self.config_init.trainer.callbacks or []
        callbacks = configured if isinstance(configured, list) else [configured]
        callbacks = [*callbacks, StopAtDivergence(), *self.more_callbacks]
        with trainer_errors():
            return super().instantiate_trainer(callbacks=callbacks, **kwargs)


def train(args: Sequence[str], callbacks: Sequence[Callback] = ()) -> Path:
    """Train one system by arguments of the command line; see :func:`fit` for the Python API.

    Args:
        args: Arguments of ``semimtl-geo train``.
        callbacks: Further callbacks of the trainer.

    Returns:
        The checkpoint. ``config.yaml`` (the full configuration), ``metrics.csv`` and
        ``tensorboard/`` lie beside it.

    Raises:
        InputError: If the configuration or the data cannot be used.

    Example:
        >>> args = [f"--config={packaged_config('cities/base.yaml')}", "--model.system=jtl"]
        >>> args += ["--data.root=data", "--data.crop=32", "--data.iterations=1"]
        >>> args += ["--trainer.max_epochs=1", "--trainer.log_every_n_steps=1"]
        >>> args += ["--trainer.enable_progress_bar=no", "--trainer.enable_model_summary=no"]
        >>> train([*args, "--out=runs/jtl"]).as_posix()
        'runs/jtl/jtl.ckpt'
    """
    with quiet_lightning():
        with _argument_errors(args):
            cli = TrainingCLI([*args], callbacks)
        check_data(cli.model, cli.datamodule)
        run_trainer(cli.trainer, cli.model, cli.datamodule, Path(cli.config.out), cli.start)
    return Path(cli.config.out) / f"{cli.config.model.system}.ckpt"


def parse_settings(args: Sequence[str]) -> dict[str, Any]:
    """Parse arguments of the command line without training.

    Args:
        args: Arguments of ``semimtl-geo train``.

    Returns:
        All settings, defaults included, in groups as in ``config.yaml``.

    Raises:
        InputError: If a configuration cannot be read, or an argument is not valid.

    Example:
        >>> args = [f"--config={packaged_config('cities/base.yaml')}", "--data.crop=64"]
        >>> settings = parse_settings(args)
        >>> settings["data"]["crop"], settings["model"]["system"]
        (64, 'semimtl')
    """
    with _argument_errors(args):
        parser = _SettingsCLI([]).parser
        settings: dict[str, Any] = yaml.safe_load(parser.dump(parser.parse_args([*args])))
    return settings


class _SettingsCLI(TrainingCLI):
    """The parser of the training command alone: it neither sets seeds nor makes classes."""

    def parse_arguments(self, parser: LightningArgumentParser, args: object) -> None:
        """Parse nothing."""
        self.config = {"seed_everything": False}

    def before_instantiate_classes(self) -> None:
        """Check nothing."""

    def instantiate_classes(self) -> None:
        """Make nothing."""


@contextmanager
def _argument_errors(args: Sequence[str]) -> Iterator[None]:
    """Turn errors of jsonargparse into input errors that name the configurations."""
    for argument, value in zip(args, [*args, ""][1:], strict=True):
        named = re.fullmatch(r"(?:--config|-c)(?:=(.*))?", argument, re.DOTALL)
        if named and Path(file := named[1] or value).is_file():
            read_yaml(Path(file))  # raises an InputError where jsonargparse would crash
    try:
        with warnings.catch_warnings():
            # Lightning itself uses what jsonargparse has renamed, and warns of arguments that
            # do not come from the shell: users cannot change either.
            warnings.filterwarnings("ignore", module="lightning.pytorch.cli")
            yield
    except ArgumentError as error:
        files = [arg for arg in args if arg.endswith((".yaml", ".yml"))]
        subject, fault = " ".join(["semimtl-geo train", *files]), " ".join(str(error).split())
        raise InvalidValueError(subject, fault, "see semimtl-geo train --help") from error


def packaged_config(name: str) -> Path:
    """Return the path of a configuration that comes with the package.

    Args:
        name: Scenario and file, such as ``cities/recommended.yaml``.

    Example:
        >>> packaged_config("cities/base.yaml").name
        'base.yaml'
    """
    return Path(str(resources.files("semimtl_geo.configs"))) / name
