"""A trained network, and the choice of its BatchNorm statistics."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from semimtl_geo.mapping.adaptation import SAMPLE_CROPS, sample_crops
from semimtl_geo.mapping.precision import (
    Precision,
    check_precision,
    fastest_precision,
    fastest_precision_here,
)
from semimtl_geo.mapping.predictor import check_device
from semimtl_geo.mapping.provenance import make_tags
from semimtl_geo.mapping.settings import MapSettings
from semimtl_geo.models import find_model
from semimtl_geo.networks.batchnorm import reestimate
from semimtl_geo.networks.checkpoint import fingerprint, load_networks
from semimtl_geo.networks.discriminator import SMALLEST_INPUT, Discriminator
from semimtl_geo.networks.generator import Generator
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError, InvalidValueError
from tiles.reading.addresses import public_name, resolve_addresses
from tiles.reading.array_raster import RasterImage, as_rasters
from tiles.types import BandSelection, RasterName


class TrainedNetwork:
    """A trained network on one device, and where its BatchNorm statistics come from.

    Args:
        card: Settings of the network.
        generator: The network.
        discriminators: Discriminators by task, if maps of plausibility are wanted.
        source: Origin of the network, for the tags of maps
            (:mod:`semimtl_geo.mapping.provenance`).
        device: Device that predicts; the first GPU, or the CPU, if None.
        precision: Precision that maps are predicted in. ``auto`` is bfloat16 (float16 on a GPU
            without it) where that is measured faster on this machine.

    Attributes:
        statistics: Origin of the BatchNorm statistics in words. None if they are those of
            training; a network that has some for each domain still needs a choice then.
        item: STAC Item of the network that lies beside its file; None if there is none.
    """

    def __init__(
        self,
        card: ModelCard,
        generator: Generator,
        discriminators: Mapping[str, Discriminator] | None = None,
        source: Mapping[str, str] | None = None,
        device: str | torch.device | None = None,
        precision: Precision = "auto",
    ) -> None:
        self.card = card
        self.device = check_device(device)
        self.generator = generator.to(self.device).eval()
        self.discriminators = {
            name: discriminator.to(self.device).eval()
            for name, discriminator in (discriminators or {}).items()
        }
        self.source = source or {}
        self.precision: Precision = check_precision(precision)
        self.statistics: str | None = None
        self.item: Path | None = None

    @classmethod
    def load(
        cls,
        model: str | PathLike[str],
        device: str | None = None,
        precision: Precision = "auto",
    ) -> Self:
        """Read a trained network; no code in the file is run.

        Args:
            model: A checkpoint that training wrote; a ``.safetensors`` file that
                :func:`semimtl_geo.networks.save_model` wrote; or the name of a model of the
                package, such as ``towns``. A file of that name in the current folder takes
                precedence.
            device: Device that predicts; the first GPU, or the CPU, if None.
            precision: Precision that maps are predicted in, as above.

        Raises:
            InputError: If the file is missing, unsafe or not a network of semimtl-geo.

        Example:
            >>> from semimtl_geo import Mapper
            >>> card = Mapper.load("towns").card
            >>> card.bands, card.gsd, card.domains
            (('red', 'green', 'blue'), 1.0, ('eugene', 'versailles', 'random'))
        """
        path = find_model(model)
        card, generator, discriminators = load_networks(path)
        source = {
            "MODEL": path.name,
            "MODEL_SHA256": fingerprint(path),
            "SYSTEM": card.system,
        }
        network = cls(card, generator, discriminators, source, device, precision)
        item = path.with_suffix(".stac.json")
        network.item = item if item.is_file() else None
        return network

    @property
    def needs_statistics(self) -> bool:
        """True if BatchNorm statistics must be chosen: those of a domain, or re-estimated ones."""
        return self.card.batchnorm == "per_domain" and self.statistics is None

    @property
    def statistics_in_words(self) -> str:
        """Whose BatchNorm statistics the network uses."""
        return self.statistics or "of all training domains together"

    def for_domain(self, domain: str) -> Self:
        """Return the network with the BatchNorm statistics of a training domain.

        Args:
            domain: Name of the domain.

        Raises:
            InvalidValueError: If the network was not trained on such a domain, or has one set of
                statistics for all domains.
        """
        if self.card.batchnorm != "per_domain":
            fault = "the network has one set of BatchNorm statistics for all domains"
            raise InvalidValueError(f"domain {domain}", fault, "leave it out")
        if domain not in self.card.domains:
            raise InvalidValueError(
                f"domain {domain}",
                "the network was not trained on it",
                f"use one of {', '.join(self.card.domains)}, or none",
            )
        mapper = self._copy()
        mapper.generator.use_domain(self.card.domains.index(domain))
        mapper.statistics = f"of the training domain {domain}"
        return mapper

    def adapt(
        self,
        rasters: RasterImage | Sequence[RasterImage],
        bands: BandSelection | None = None,
        crs: str | None = None,
        area: RasterName | None = None,
        white: float | None = None,
    ) -> Self:
        """Return the network with BatchNorm statistics re-estimated on orthophotos.

        No labels are needed. This is AdaBN (Li et al., Pattern Recognition 2018).

        Args:
            rasters: One or more orthophotos of one sensor; of more than 96, a subset is read.
            bands: Bands that the network wants, as for :meth:`semimtl_geo.mapping.Mapper.map`.
            crs: Coordinate reference system to read in; by default that of each raster.
            area: A file of polygons; only what they touch is looked at.
            white: The rasters' value that is scaled to 1, as for
                :meth:`semimtl_geo.mapping.Mapper.map`.

        Returns:
            A copy; this object stays as it is.

        Raises:
            InputError: If a raster cannot be used.
        """
        wanted = self.card.bands if bands is None else bands
        paths = resolve_addresses(as_rasters(rasters), area, self.card.gsd, wanted)
        some = paths[:: -(-len(paths) // SAMPLE_CROPS)]
        origin = "the raster" if len(some) == 1 else f"{len(some)} rasters"
        crops = sample_crops(some, self.card, bands, crs, area, white)
        return self.with_statistics_of(crops, origin)

    def with_statistics_of(self, batches: Iterable[Tensor], origin: str) -> Self:
        """Return the network with BatchNorm statistics re-estimated on images, without labels.

        Args:
            batches: Crops as in training, float32 ``[B, bands, H, W]`` in 0..1.
            origin: Origin of the crops in words.

        Returns:
            A copy; this object stays as it is.
        """
        mapper = self._copy()
        count = reestimate(mapper.generator, (batch.to(self.device) for batch in batches))
        mapper.statistics = f"re-estimated on {count} crops of {origin}, without labels"
        return mapper

    def fingerprint(self) -> str:
        """Return a hash of the weights, statistics and pooling in use: a map depends on them."""
        digest = hashlib.sha256(self.card.pooling.encode())
        networks = {"generator": self.generator, **self.discriminators}
        for prefix, network in networks.items():
            for name, value in network.state_dict().items():
                digest.update(f"{prefix}.{name}".encode())
                digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()

    def _copy(self) -> Self:
        generator = copy.deepcopy(self.generator)
        copied = type(self)(
            self.card, generator, self.discriminators, self.source, self.device, self.precision
        )
        copied.item = self.item
        return copied

    def precision_on(self, device: torch.device | None = None, client: Any = None) -> Precision:
        """Return the precision that maps are predicted in, which ``auto`` measures.

        Args:
            device: Device that predicts; by default that of the network.
            client: The ``distributed.Client`` of a cluster, one of whose workers measures.
        """
        if self.precision != "auto":
            return self.precision
        if client is not None:
            measured: Precision = client.submit(fastest_precision_here, pure=False).result()
            return measured
        return fastest_precision(str(device or self.device))

    def tags(
        self,
        rasters: Sequence[RasterName],
        bands: Sequence[int],
        settings: MapSettings,
        precision: Precision,
        white: float,
    ) -> dict[str, str]:
        """Return the tags of maps, see :mod:`semimtl_geo.mapping.provenance`.

        Args:
            rasters: The rasters to map.
            bands: Numbers of the bands that the network wants, in its order.
            settings: Settings of mapping.
            precision: Precision that maps are predicted in.
            white: Value of the rasters that is scaled to 1.
        """
        tiling = settings.tiling(self.card)
        return make_tags(
            self.source,
            rasters,
            dict(zip(self.card.bands, bands, strict=True)),
            statistics=self.statistics_in_words,
            gsd="as it is" if self.card.gsd is None else self.card.gsd,
            tile=tiling.tile,
            overlap=tiling.overlap,
            batch_size=tiling.batch_size,
            precision=precision,
            white=f"{white:g}",
            grid=settings.grid,
            crs=settings.crs or "source",
            area=None if settings.area is None else public_name(settings.area),
        )

    def check_plausibility(self, tile: int) -> None:
        """Check that the network can say how plausible maps are.

        Args:
            tile: Edge of a tile in pixels.

        Raises:
            InputError: If it has no discriminators that saw ground truth, or a tile is too small.
        """
        if not self.discriminators:
            raise InputError(
                self.source.get("MODEL", "network"),
                f"has no discriminators for plausibility ({self.card.system})",
                "take the checkpoint of a system that has some, such as semimtl",
            )
        if not self.card.sees_truth:
            raise InputError(
                self.source.get("MODEL", "network"),
                f"has discriminators that never saw ground truth ({self.card.system})",
                "take the checkpoint of another system, such as semimtl",
            )
        least = SMALLEST_INPUT * self.card.discriminator_stride
        if tile < least:
            fault = f"must be larger for a discriminator, got {tile} px"
            raise InvalidValueError("tile", fault, f"give {least} px or more")
