"""A trained network and a raster in, maps out: the Python API for map production."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from os import PathLike
from pathlib import Path

import numpy as np
import rasterio
import rioxarray
import torch
import xarray
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from torch import Tensor

from semimtl_geo.checkpoint import ModelCard, fingerprint, load_generator
from semimtl_geo.networks.batchnorm import reestimate
from semimtl_geo.networks.generator import Generator
from tiles.errors import InputError
from tiles.layers import ClassMap, Layer, PercentMap
from tiles.mosaic import mosaic
from tiles.survey import survey

SURVEY_TILES = 96
"""Crops from which BatchNorm statistics are re-estimated: enough that they no longer change."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Maps:
    """What mapping a raster made.

    Attributes:
        files: The GeoTIFFs, by task.
        layers: What they show, by task.
        statistics: Where the network's BatchNorm statistics came from, in words.
        bands: Numbers of the bands that were read, in the network's order.
    """

    files: dict[str, Path]
    layers: dict[str, Layer]
    statistics: str
    bands: Sequence[int]

    def open(self) -> xarray.Dataset:
        """The maps as a lazy, georeferenced data set with CF attributes; pixels stay on disk."""
        variables = {}
        for name, file in self.files.items():
            band = rioxarray.open_rasterio(file)
            if not isinstance(band, xarray.DataArray):
                raise TypeError(f"{file} has subdatasets")
            variable = band.squeeze("band", drop=True)
            layer = self.layers[name]
            if isinstance(layer, ClassMap):
                variable.attrs["flag_values"] = np.arange(len(layer.classes), dtype=np.uint8)
                variable.attrs["flag_meanings"] = " ".join(
                    label.replace(" ", "_") for label in layer.classes
                )
            else:
                variable.attrs["units"] = layer.unit
            variable.attrs["long_name"] = layer.description
            variables[name] = variable
        return xarray.Dataset(variables, attrs={"Conventions": "CF-1.11"})


class Mapper:
    """Maps rasters with a trained network.

    Args:
        card: The network's settings.
        generator: The network.
        source: Where it came from, for the tags of maps.
        device: Where it predicts; the first GPU, or the CPU, if None.

    Attributes:
        statistics: Where its BatchNorm statistics come from, in words; None: from training, and
            if it has some per domain, none of them is chosen yet.
    """

    def __init__(
        self,
        card: ModelCard,
        generator: Generator,
        source: dict[str, str] | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self.card = card
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.generator = generator.to(self.device).eval()
        self.source = source or {}
        self.statistics: str | None = None

    @classmethod
    def load(cls, checkpoint: str | PathLike[str], device: str | None = None) -> Mapper:
        """Read a checkpoint that training wrote; no code in it is run.

        Raises:
            InputError: If it is missing, unsafe or of something else.
        """
        card, generator = load_generator(Path(checkpoint))
        source = {
            "SEMIMTL_MODEL": Path(checkpoint).name,
            "SEMIMTL_MODEL_SHA256": fingerprint(checkpoint),
            "SEMIMTL_SYSTEM": card.system,
        }
        return cls(card, generator, source, device)

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
        rasters: str | PathLike[str] | Sequence[str | PathLike[str]],
        bands: Sequence[int] | None = None,
    ) -> Mapper:
        """This network with BatchNorm statistics re-estimated on orthophotos; no labels are needed.

        Args:
            rasters: One or more orthophotos of one sensor.
            bands: Numbers of the bands that the network wants, from 1, in its order.

        Returns:
            A mapper of its own; this one stays as it is.

        Raises:
            InputError: If a raster cannot be used.
        """
        paths = [rasters] if isinstance(rasters, str | PathLike) else list(rasters)
        mapper = self._copy()
        images = chain.from_iterable(mapper._survey(path, bands, len(paths)) for path in paths)
        first = next(images, None)
        if first is None:
            raise InputError(paths[0], "has no known pixel", "check its nodata value or mask")
        count = reestimate(mapper.generator, chain([first], images))
        mapper.statistics = f"re-estimated on {count} crops of the raster, without labels"
        return mapper

    def map(
        self,
        raster: str | PathLike[str],
        out: str | PathLike[str],
        *,
        domain: str | None = None,
        bands: Sequence[int] | None = None,
        confidence: bool = False,
        tile: int | None = None,
        batch_size: int = 8,
        progress: Progress | None = None,
    ) -> Maps:
        """Map a raster of any size: ``<out>/<stem>_<task>.tif``, on the raster's own grid.

        Args:
            raster: An orthophoto, anything that GDAL reads.
            out: Folder for the maps; made if need be.
            domain: Take this training domain's BatchNorm statistics. If None, and the network has
                statistics per domain, they are re-estimated on the raster.
            bands: Numbers of the bands that the network wants, from 1, in its order; may be left
                out if the raster has just as many (besides alpha).
            confidence: Also write ``<out>/<stem>_<task>_confidence.tif`` for tasks of classes: the
                highest probability in percent.
            tile: Edge of a tile in the network's pixels; by default that of its training crops,
                doubled. Tiles overlap by half.
            batch_size: Tiles predicted at once.
            progress: Called with tiles done and tiles in all.

        Returns:
            The files, and where the statistics came from.

        Raises:
            InputError: If the raster or the folder cannot be used. No file is left behind then.
        """
        numbers, scale = self._inspect(raster, bands)
        if domain is not None:
            mapper = self.for_domain(domain)
        elif self.card.batchnorm == "per_domain" and self.statistics is None:
            mapper = self.adapt(raster, numbers)
        else:
            mapper = self
        folder = Path(out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fault = f"cannot be made ({error.strerror})"
            raise InputError(folder, fault, "choose another folder") from error
        stem = Path(raster).stem
        layers = [task.layer() for task in self.card.tasks]
        if confidence:
            layers += [
                PercentMap(f"{layer.name}_confidence", f"confidence in {layer.name}", layer.name)
                for layer in layers
                if isinstance(layer, ClassMap)
            ]
        statistics = mapper.statistics or "averages over training"
        tags = {
            "SEMIMTL_VERSION": version("semimtl-geo"),
            **self.source,
            "SEMIMTL_STATISTICS": statistics,
        }
        files = mosaic(
            raster,
            lambda batch: mapper.predict(batch / scale),
            layers,
            {layer.name: folder / f"{stem}_{layer.name}.tif" for layer in layers},
            tile=2 * self.card.crop if tile is None else tile,
            batch_size=batch_size,
            gsd=self.card.gsd,
            bands=numbers,
            fill=[value * scale for value in self.card.mean],
            tags=tags,
            token=mapper.fingerprint(),
            progress=progress,
        )
        return Maps(files, {layer.name: layer for layer in layers}, statistics, numbers or ())

    @torch.inference_mode()
    def predict(self, images: Tensor) -> dict[str, Tensor]:
        """Predict a batch.

        Args:
            images: float32 ``[B, bands, H, W]`` in 0..1.

        Returns:
            Per task ``[B, channels, H, W]``: class probabilities, or values in the task's unit.
        """
        outputs = self.generator(images.to(self.device, non_blocking=True))
        return {task.name: task.estimate(outputs[task.name]) for task in self.card.tasks}

    def fingerprint(self) -> str:
        """A hash of the weights and statistics in use: what a map depends on."""
        digest = hashlib.sha256()
        for name, value in self.generator.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()

    def _copy(self) -> Mapper:
        return Mapper(self.card, copy.deepcopy(self.generator), self.source, self.device)

    def _survey(
        self, raster: str | PathLike[str], bands: Sequence[int] | None, rasters: int
    ) -> Iterator[Tensor]:
        numbers, scale = self._inspect(raster, bands)
        for batch in survey(
            raster,
            tile=self.card.crop,
            count=max(1, SURVEY_TILES // rasters),
            gsd=self.card.gsd,
            bands=numbers,
            fill=[value * scale for value in self.card.mean],
        ):
            yield (batch / scale).to(self.device)

    def _inspect(
        self, raster: str | PathLike[str], bands: Sequence[int] | None
    ) -> tuple[list[int] | None, float]:
        """The bands to read, and the value that stands for 1."""
        try:
            with rasterio.open(raster) as source:
                meanings, kinds = source.colorinterp, source.dtypes
        except RasterioError:
            return None, 1.0  # the mosaicker says what is wrong with it
        colours = [i for i, m in enumerate(meanings, start=1) if m != ColorInterp.alpha]
        wanted = self.card.bands
        numbers = list(bands) if bands is not None else colours
        if len(numbers) != len(wanted):
            raise InputError(
                raster,
                f"{len(numbers)} bands, the network wants {len(wanted)} ({', '.join(wanted)})",
                f"name the numbers of {', '.join(wanted)} with --bands",
            )
        if not set(numbers) <= set(range(1, len(kinds) + 1)):
            raise InputError(raster, f"has {len(kinds)} bands", "choose --bands among them")
        kind = np.dtype(kinds[numbers[0] - 1])
        return numbers, float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0
