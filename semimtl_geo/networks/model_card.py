"""Model cards: all that mapping needs to know of a network, as plain values that load safely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from semimtl_geo import tasks as task_module
from semimtl_geo.networks.batchnorm import BATCHNORM_MODES, BatchNormMode
from semimtl_geo.networks.card_check import (
    COARSEST_GSD,
    FINEST_GSD,
    MAX_COUNT,
    MAX_SIZE,
    check_choice,
    check_encoder,
    check_names,
    check_tasks,
)
from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.discriminator import Discriminator
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.generator import Generator
from semimtl_geo.networks.pyramid import POOLINGS, Pooling
from semimtl_geo.networks.weights import build_encoder
from semimtl_geo.tasks import Task
from tiles.errors import InvalidValueError
from tiles.settings import check_range

FORMAT: Final = 1


@dataclass(frozen=True)
class ModelCard:
    """The settings of a trained network.

    Attributes:
        system: The system it was trained by.
        tasks: Tasks that the network predicts (classes, scales, units).
        domains: The training domains' names, in the order that numbers them.
        batchnorm: Sharing of BatchNorm statistics between domains.
        encoder: The shared encoder.
        decoder_width: Channels inside the decoders.
        bands: Names of the bands it wants.
        mean: Mean per band, which is subtracted from images in 0..1.
        std: Standard deviation per band, by which they are then divided.
        gsd: Ground sampling distance in metres that it was trained at, if any.
        crop: Edge of its training crops in pixels.
        pooling: Context of pyramid pooling on images larger than a training crop.
        tile: Edge in pixels of the tiles that maps are predicted in; None: that of a crop.
        overlap: Pixels that neighbouring tiles share; None: half a tile.
        white: Value that is scaled to 1 in orthophotos of more than 8 bits, as in the training
            scenes; None: the maximum of their data type.
        discriminator_width: Channels of a discriminator's first layer.
        discriminator_stride: Edge in pixels of the blocks whose means discriminators see.
        sources: Classes that each discriminator tells apart; 0: there are no discriminators.
        sees_truth: Whether the discriminators saw ground truth in training.
        description: Data, licences, scores and limits of a model that was shared; else None.

    Example:
        >>> from semimtl_geo.networks import load_networks
        >>> card, generator, discriminators = load_networks("semimtl.ckpt")
        >>> card: ModelCard
        >>> card.system, card.domains, [task.name for task in card.tasks]
        ('semimtl', ('city_a', 'city_b'), ['landcover', 'height'])
    """

    system: str
    tasks: tuple[Task, ...]
    domains: tuple[str, ...]
    batchnorm: BatchNormMode
    encoder: Encoder
    decoder_width: int
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd: float | None
    crop: int
    pooling: Pooling = "image"
    tile: int | None = None
    overlap: int | None = None
    white: float | None = None
    discriminator_width: int = 0
    discriminator_stride: int = 1
    sources: int = 0
    sees_truth: bool = True
    description: ModelDescription | None = None

    def __post_init__(self) -> None:
        """Check all entries.

        Raises:
            InvalidValueError: If one is impossible.
        """
        check_tasks(self.tasks)
        check_names("model.domains", self.domains)
        check_names("model.bands", self.bands)
        if len(set(self.domains)) < len(self.domains):
            fault = f"has one twice: {self.domains}"
            raise InvalidValueError("model.domains", fault, "give each a name of its own")
        check_choice("model.batchnorm", self.batchnorm, BATCHNORM_MODES)
        check_choice("model.pooling", self.pooling, POOLINGS)
        check_encoder(self.encoder)
        count = len(self.bands)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != count:
                fault = f"must have one value per band, {count}, got {len(values)}"
                raise InvalidValueError(f"model.{name}", fault, "give bands, mean and std together")
        for mean, std in zip(self.mean, self.std, strict=True):
            check_range("model.mean", mean, -1000, 1000)
            check_range("model.std", std, 0, 1000, above=True)
        check_range("model.decoder_width", self.decoder_width, 1, MAX_SIZE)
        check_range("data.crop", self.crop, 1, MAX_SIZE)
        if self.tile is not None:
            check_range("model.tile", self.tile, 1, MAX_SIZE)
        if self.overlap is not None:
            check_range("model.overlap", self.overlap, 0, (self.tile or self.crop) - 1)
        if self.white is not None:
            check_range("model.white", self.white, 0, above=True)
        if self.gsd is not None:
            check_range("data.gsd", self.gsd, FINEST_GSD, COARSEST_GSD)
        if self.sources:
            check_range("model.sources", self.sources, 1, MAX_COUNT + 1)
            check_range("model.discriminator_width", self.discriminator_width, 1, MAX_SIZE)
            check_range("model.adversarial.stride", self.discriminator_stride, 1, MAX_SIZE)

    def build_generator(self) -> Generator:
        """Build a generator with these settings."""
        return Generator(
            self.tasks,
            domains=len(self.domains),
            batchnorm=self.batchnorm,
            encoder=build_encoder(self.encoder, len(self.bands)),
            mean=self.mean,
            std=self.std,
            width=self.decoder_width,
            context=self.crop if self.pooling == "crop" else None,
        )

    def build_discriminators(self) -> dict[str, Discriminator]:
        """Build a discriminator per task, by its name; none if the system has none."""
        if not self.sources:
            return {}
        return {
            task.name: Discriminator(task.channels, self.sources, self.discriminator_width)
            for task in self.tasks
        }

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as numbers, strings, lists and dictionaries."""
        return {
            "format": FORMAT,
            "system": self.system,
            "tasks": [task.settings() for task in self.tasks],
            "domains": list(self.domains),
            "batchnorm": self.batchnorm,
            "encoder": {
                "name": self.encoder.name,
                "output_stride": self.encoder.output_stride,
                "options": dict(self.encoder.options),
            },
            "decoder_width": self.decoder_width,
            "bands": list(self.bands),
            "mean": [float(value) for value in self.mean],
            "std": [float(value) for value in self.std],
            "gsd": self.gsd,
            "crop": self.crop,
            "pooling": self.pooling,
            "tile": self.tile,
            "overlap": self.overlap,
            "white": self.white,
            "discriminator_width": self.discriminator_width,
            "discriminator_stride": self.discriminator_stride,
            "sources": self.sources,
            "sees_truth": self.sees_truth,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ModelCard:
        """Undo :meth:`to_plain`; the encoder then starts from no weights.

        Raises:
            KeyError: If an entry is missing.
            TypeError: If one is of another kind.
            ValueError: If the format is of a later version, or a value is impossible.
        """
        if plain["format"] != FORMAT:
            raise ValueError(f"format {plain['format']}, this version reads {FORMAT}")
        return cls(
            system=str(plain["system"]),
            tasks=tuple(task_module.from_settings(task) for task in plain["tasks"]),
            domains=tuple(plain["domains"]),
            batchnorm=plain["batchnorm"],
            encoder=replace(Encoder(**plain["encoder"]), weights=None),
            decoder_width=int(plain["decoder_width"]),
            bands=tuple(plain["bands"]),
            mean=tuple(float(value) for value in plain["mean"]),
            std=tuple(float(value) for value in plain["std"]),
            gsd=None if plain["gsd"] is None else float(plain["gsd"]),
            crop=int(plain["crop"]),
            # The following are absent in early checkpoints of this format.
            pooling=plain.get("pooling", "image"),
            tile=_optional_int(plain.get("tile")),
            overlap=_optional_int(plain.get("overlap")),
            white=None if plain.get("white") is None else float(plain["white"]),
            discriminator_width=int(plain.get("discriminator_width", 0)),
            discriminator_stride=int(plain.get("discriminator_stride", 1)),
            sources=int(plain.get("sources", 0)),
            sees_truth=bool(plain.get("sees_truth", plain["system"] not in ("da_seg", "da_depth"))),
        )


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)
