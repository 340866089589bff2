"""A trained network and rasters in, maps out: the Python API for map production."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray
from torch import Tensor

from semimtl_geo.mapping.adaptation import SURVEY_TILES, crops_of
from semimtl_geo.mapping.dataset import open_maps
from semimtl_geo.mapping.input_bands import find_input, name_maps
from semimtl_geo.mapping.predictor import Predictor, check_device, map_layers
from semimtl_geo.mapping.provenance import make_tags
from semimtl_geo.networks.batchnorm import reestimate
from semimtl_geo.networks.checkpoint import ModelCard, fingerprint, load_networks
from semimtl_geo.networks.discriminator import SMALLEST_INPUT, Discriminator
from semimtl_geo.networks.generator import Generator
from tiles.errors import InputError
from tiles.mosaic.mosaicker import mosaic
from tiles.types import BandSelection, ProgressCallback, RasterName

if TYPE_CHECKING:
    from distributed import Client


class Mapper:
    """Maps rasters with a trained network.

    Args:
        card: The network's settings.
        generator: The network.
        discriminators: Its discriminators by task, if maps of plausibility are wanted.
        source: Where it came from, for the tags of maps (:mod:`semimtl_geo.mapping.provenance`).
        device: Where it predicts; the first GPU, or the CPU, if None.

    Attributes:
        statistics: Where its BatchNorm statistics come from, in words; None: from training, and
            if it has some per domain, none of them is chosen yet.
    """

    def __init__(
        self,
        card: ModelCard,
        generator: Generator,
        discriminators: Mapping[str, Discriminator] | None = None,
        source: Mapping[str, str] | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self.card = card
        self.device = check_device(device)
        self.generator = generator.to(self.device).eval()
        self.discriminators = {
            name: discriminator.to(self.device).eval()
            for name, discriminator in (discriminators or {}).items()
        }
        self.source = source or {}
        self.statistics: str | None = None

    @classmethod
    def load(cls, checkpoint: str | PathLike[str], device: str | None = None) -> Mapper:
        """Read a checkpoint that training wrote; no code in it is run.

        Raises:
            InputError: If it is missing, unsafe or of something else.
        """
        card, generator, discriminators = load_networks(Path(checkpoint))
        source = {
            "MODEL": Path(checkpoint).name,
            "MODEL_SHA256": fingerprint(checkpoint),
            "SYSTEM": card.system,
        }
        return cls(card, generator, discriminators, source, device)

    @property
    def chooses(self) -> bool:
        """Whether statistics must still be chosen: those of a domain, or re-estimated ones."""
        return self.card.batchnorm == "per_domain" and self.statistics is None

    def for_domain(self, domain: str) -> Mapper:
        """This network with the BatchNorm statistics of a training domain.

        Raises:
            InputError: If it was not trained on such a domain.
        """
        if domain not in self.card.domains:
            raise InputError(
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
        rasters: RasterName | Sequence[RasterName],
        bands: BandSelection | None = None,
        crs: str | None = None,
        area: RasterName | None = None,
    ) -> Mapper:
        """This network with BatchNorm statistics re-estimated on orthophotos; no labels are needed.

        Args:
            rasters: One or more orthophotos of one sensor. Of hundreds, some are taken.
            bands: As for :meth:`map`.
            crs: Read them in this coordinate reference system.
            area: A file of polygons: nothing else is looked at.

        Returns:
            A mapper of its own; this one stays as it is.

        Raises:
            InputError: If a raster cannot be used.
        """
        paths = [rasters] if isinstance(rasters, str | PathLike) else list(rasters)
        some = paths[:: -(-len(paths) // SURVEY_TILES)]
        where = "the raster" if len(some) == 1 else f"{len(some)} rasters"
        return self.reestimated(crops_of(some, self.card, bands, crs, area), where)

    def reestimated(self, batches: Iterable[Tensor], where: str) -> Mapper:
        """This network with BatchNorm statistics re-estimated on images; no labels are needed.

        Args:
            batches: Crops as in training, float32 ``[B, bands, H, W]`` in 0..1.
            where: What they are of, in words.

        Returns:
            A mapper of its own; this one stays as it is.
        """
        mapper = self._copy()
        count = reestimate(mapper.generator, (batch.to(self.device) for batch in batches))
        mapper.statistics = f"re-estimated on {count} crops of {where}, without labels"
        return mapper

    def map(
        self,
        raster: RasterName | Sequence[RasterName],
        out: str | PathLike[str],
        *,
        name: str | None = None,
        domain: str | None = None,
        bands: BandSelection | None = None,
        area: RasterName | None = None,
        crs: str | None = None,
        grid: Literal["source", "network"] = "source",
        confidence: bool = False,
        plausibility: bool = False,
        tile: int | None = None,
        batch_size: int = 8,
        devices: Sequence[str] | None = None,
        client: Client | None = None,
        progress: ProgressCallback | None = None,
    ) -> xarray.Dataset:
        """Map a raster of any size: ``<out>/<name>_<task>.tif``.

        Args:
            raster: An orthophoto, anything that GDAL reads; or the files of one place, which give
                one map.
            out: Folder for the maps; made if need be.
            name: What their names begin with; by default the raster's name. Several files need one.
            domain: Take this training domain's BatchNorm statistics. If None, and the network has
                statistics per domain, they are re-estimated on the raster.
            bands: Numbers from 1, or names, of the bands that the network wants, in its order. By
                default those that the file describes by these names, or all if there are just as
                many (besides alpha).
            area: A file of polygons; only pixels inside are mapped.
            crs: Map in this coordinate reference system; by default in the raster's.
            grid: Maps on the raster's own grid, or on the one that the network sees.
            confidence: Also write ``<name>_<task>_confidence.tif`` for tasks of classes: the
                highest probability in percent.
            plausibility: Also write ``<name>_<task>_plausibility.tif``: the probability, in
                percent, at which the task's discriminator takes its map for ground truth.
            tile: Edge of a tile in the network's pixels; by default that of its training crops,
                doubled. Tiles overlap by half.
            batch_size: Tiles predicted at once.
            devices: Predict on these, such as ``["cuda:0", "cuda:1"]``, a process on each. Scripts
                need ``if __name__ == "__main__":`` then.
            client: Predict on the workers of a dask cluster instead, each on its first GPU or CPU.
            progress: Called with pixels done and pixels in all.

        Returns:
            The maps, opened by :func:`semimtl_geo.mapping.dataset.open_maps`.

        Raises:
            InputError: If a raster or the folder cannot be used. No file is left behind then.
        """
        rasters = [raster] if isinstance(raster, str | PathLike) else list(raster)
        name = name_maps(rasters, name)
        tile = 2 * self.card.crop if tile is None else tile
        if plausibility:
            self._check_plausibility(tile)
        predict_on = [check_device(device) for device in devices or ()]
        numbers, scale = find_input(rasters, self.card, bands)
        if domain is not None:
            mapper = self.for_domain(domain)
        elif self.chooses:
            mapper = self.adapt(rasters, numbers, crs, area)
        else:
            mapper = self
        folder = Path(out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fault = f"cannot be made ({error.strerror})"
            raise InputError(folder, fault, "choose another folder") from error
        judges = self.discriminators if plausibility else None
        # On a cluster, each worker chooses a device of its own.
        own = [None] if client is not None else [self.device]
        predictors = [
            Predictor(self.card, mapper.generator, judges, device, scale)
            for device in predict_on or own
        ]
        layers = map_layers(self.card.tasks, confidence, plausibility)
        overlap = tile // 2
        tags = make_tags(
            self.source,
            rasters,
            dict(zip(self.card.bands, numbers or (), strict=False)),
            statistics=mapper.statistics or "averages over training",
            gsd="as it is" if self.card.gsd is None else self.card.gsd,
            tile=tile,
            overlap=overlap,
            batch_size=batch_size,
            grid=grid,
            crs=crs or "source",
            area=None if area is None else Path(area).name,
        )
        files = mosaic(
            rasters if len(rasters) > 1 else rasters[0],
            predictors if len(predictors) > 1 else predictors[0],
            layers,
            {layer.name: folder / f"{name}_{layer.name}.tif" for layer in layers},
            tile=tile,
            overlap=overlap,
            batch_size=batch_size,
            gsd=self.card.gsd,
            crs=crs,
            grid=grid,
            bands=numbers,
            area=area,
            fill=[value * scale for value in self.card.mean],
            tags=tags,
            token=mapper.fingerprint(),
            client=client,
            progress=progress,
        )
        return open_maps(files)

    def predict(self, images: npt.ArrayLike) -> dict[str, npt.NDArray[np.float32]]:
        """Predict images that are in memory.

        Args:
            images: Array ``[B, bands, H, W]`` in 0..1, at the network's ground sampling distance.

        Returns:
            Per task ``[B, channels, H, W]``: class probabilities, or values in the task's unit.

        Raises:
            InputError: If statistics must be chosen first.
        """
        if self.chooses:
            fault = "has BatchNorm statistics per domain"
            remedy = "choose with for_domain, or adapt to an orthophoto"
            raise InputError(self.source.get("MODEL", "network"), fault, remedy)
        batch = torch.from_numpy(np.array(images, np.float32))
        answer = Predictor(self.card, self.generator, device=self.device)(batch)
        return {name: values.float().cpu().numpy() for name, values in answer.items()}

    def fingerprint(self) -> str:
        """A hash of the weights and statistics in use: what a map depends on."""
        digest = hashlib.sha256()
        networks = {"generator": self.generator, **self.discriminators}
        for prefix, network in networks.items():
            for name, value in network.state_dict().items():
                digest.update(f"{prefix}.{name}".encode())
                digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()

    def _copy(self) -> Mapper:
        generator = copy.deepcopy(self.generator)
        return Mapper(self.card, generator, self.discriminators, self.source, self.device)

    def _check_plausibility(self, tile: int) -> None:
        if not self.discriminators:
            raise InputError(
                self.source.get("MODEL", "network"),
                f"has no discriminators to judge plausibility ({self.card.system})",
                "take one that was trained adversarially, such as semimtl, by this version",
            )
        if tile < SMALLEST_INPUT:
            fault = f"{tile} px are too few for a discriminator"
            raise InputError("tile", fault, f"give {SMALLEST_INPUT} px or more")
