"""Training as Lightning's command line knows it: every setting in YAML, and on the command line."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger

from semimtl_geo.checkpoint import load_generator
from semimtl_geo.data.domains import DomainsDataModule
from semimtl_geo.trainer import SemiMTL
from tiles.errors import InputError


class _SaveConfig(SaveConfigCallback):
    """Saves the configuration beside the checkpoint, whatever logger there is."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save it."""
        out = Path(self.config.out)
        out.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, out / "config.yaml", skip_none=False, overwrite=True)


class TrainingCLI(LightningCLI):
    """LightningCLI with the links between model and data, and one folder for all that a run leaves.

    Args:
        callbacks: Further callbacks of the trainer.
        args: The command line, without the command.
    """

    def __init__(self, args: list[str], callbacks: Sequence[Callback] = ()) -> None:
        self.more_callbacks = list(callbacks)
        super().__init__(
            SemiMTL,
            DomainsDataModule,
            save_config_callback=_SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            auto_configure_optimizers=False,
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
            "--resume", type=str | None, default=None, help="Checkpoint to continue from."
        )
        parser.link_arguments("data.supervised", "model.domains", apply_on="instantiate")
        parser.link_arguments("data.gsd", "model.gsd")
        parser.link_arguments("data.crop", "model.crop")
        parser.link_arguments("model.mean", "data.fill")
        parser.link_arguments("model.system", "data.system")

    def before_instantiate_classes(self) -> None:
        """The bases are read: what is saved shall not ask for them again."""
        self.config.base = None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, writing everything to the run's folder."""
        out = Path(self.config.out)
        checkpoint = ModelCheckpoint(
            dirpath=out, filename=self.config.model.system, enable_version_counter=False
        )
        if self.config_init.trainer.logger in (None, True):
            kwargs["logger"] = CSVLogger(out, name="", version="")
        configured = self.config_init.trainer.callbacks or []
        callbacks = configured if isinstance(configured, list) else [configured]
        callbacks = [*callbacks, checkpoint, *self.more_callbacks]
        return super().instantiate_trainer(callbacks=callbacks, **kwargs)


def train(args: Sequence[str], callbacks: Sequence[Callback] = ()) -> Path:
    """Train one system.

    Args:
        args: As on the command line: ``["--config", "configs/cities/semimtl.yaml", ...]``.
        callbacks: Further callbacks of the trainer.

    Returns:
        The checkpoint. ``config.yaml`` (the full configuration) and ``metrics.csv`` lie beside it.

    Raises:
        InputError: If the configuration or the data cannot be used.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the rest is no word on this run
    try:
        with warnings.catch_warnings():
            # Lightning's own calls of what jsonargparse renamed, and of what it does not expect
            # (arguments that do not come from the shell): nothing that a user can mend.
            warnings.filterwarnings("ignore", module="lightning.pytorch.cli")
            cli = TrainingCLI(_with_bases(args), callbacks)
    except ArgumentError as error:
        raise InputError("semimtl-geo train", str(error), "see semimtl-geo train --help") from error
    try:
        Path(cli.config.out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            cli.config.out, f"cannot be made ({error.strerror})", "choose another --out"
        ) from error
    if cli.config.resume is not None:
        load_generator(cli.config.resume)  # says what is wrong with the file, before Lightning does
    with warnings.catch_warnings():
        # The model checks labels before they are moved, the data module augments after: meant so.
        warnings.filterwarnings("ignore", message=".*overridden `on_before_batch_transfer`.*")
        # The configuration lies there already.
        warnings.filterwarnings("ignore", message="Checkpoint directory .* is not empty")
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=cli.config.resume, weights_only=True)
    return Path(cli.config.out) / f"{cli.config.model.system}.ckpt"


def packaged_config(name: str) -> Path:
    """The path of a configuration that comes with the package, such as ``cities/semimtl.yaml``."""
    return Path(str(resources.files("semimtl_geo.configs"))) / name


def _with_bases(args: Sequence[str]) -> list[str]:
    """Put the configuration that another starts from (``base: file``) in front of it."""
    expanded: list[str] = []
    rest = iter(args)
    for arg in rest:
        flag, _, value = arg.partition("=")
        if flag in ("--config", "-c"):
            value = value or next(rest, "")
            for config in reversed(_chain(Path(value))):
                expanded += ["--config", str(config)]
        else:
            expanded.append(arg)
    return expanded


def _chain(config: Path) -> list[Path]:
    """A configuration, the one it starts from, the one that starts from, and so on."""
    chain: list[Path] = []
    following: Path | None = config
    while following is not None:
        if following.resolve() in (link.resolve() for link in chain):
            raise InputError(config, "its bases form a circle", "cut the circle")
        chain.append(following)
        base = _read_yaml(following).get("base")
        following = following.parent / str(base) if base else None
    return chain


def _read_yaml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise InputError(path, "no such configuration", "check the path")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML ({error})", "correct it") from error
    if not isinstance(content, Mapping):
        raise InputError(path, "is not a configuration", "see the ones in configs/")
    return content
