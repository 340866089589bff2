"""The cheapest tiles that map validation scenes as well as the densest do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.windows import Window

from semimtl_geo.mapping.evaluation import on_grid, read_pixels
from semimtl_geo.mapping.input_bands import find_input
from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.mapping.settings import MapSettings, Tiling
from semimtl_geo.mapping.trained_network import TrainedNetwork
from semimtl_geo.tasks import Task
from tiles.errors import InputError
from tiles.grid import BLOCK, PixelGrid
from tiles.mosaic.arrays import map_window
from tiles.mosaic.tiling import TilingPlan
from tiles.reading.source import Source
from tiles.types import BandSelection, Span

OVERLAPS: Final = (8, 4)
"""Candidate overlaps, as divisors of the training crop, cheapest first."""

TILES: Final = (4, 3, 2)
"""Candidate edges of larger tiles, in training crops, cheapest first."""

SMALLEST_SCENE: Final = 0.75
"""Smallest edge of a scene that can tell about tiles, in edges of a tile."""

LARGEST: Final = 6
"""Edge of the part of a scene that is mapped, in training crops."""

SCENES: Final = 3
"""Number of scenes of each domain that are looked at."""

PARTS: Final = 2
"""Parts of a scene along each axis, over which scores vary."""

LEAST: Final = 0.01
"""Differences of scores below this share do not count."""


@dataclass(frozen=True)
class LabelledScene:
    """A validation scene with the labels that training may use.

    Attributes:
        image: The orthophoto.
        domain: Training domain that it belongs to.
        labels: Label raster of each task, by its name.
        bands: Bands that the network wants.
    """

    image: Path
    domain: str
    labels: Mapping[str, Path]
    bands: BandSelection | None = None


@dataclass(frozen=True)
class TileChoice:
    """The tiles that were chosen.

    Attributes:
        tiling: The tiles.
        densest: The tiles with the greatest overlap, which they were compared with.
    """

    tiling: Tiling
    densest: Tiling

    def __str__(self) -> str:
        """Describe the choice in a line."""
        chosen, densest = self.tiling, self.densest
        return (
            f"maps are predicted in tiles of up to {chosen.tile} px that overlap by "
            f"{chosen.overlap} px: on validation scenes as good as {densest.tile} px with "
            f"{densest.overlap} px, for {100 * _cost(chosen) / _cost(densest):.0f} % of the pixels"
        )


def choose_tiles(network: TrainedNetwork, scenes: Sequence[LabelledScene]) -> TileChoice | None:
    """Find the cheapest tiles whose scores are within the noise of those of the densest.

    The densest are those of training crops that overlap by half. The noise of a difference is its
    jackknife error over parts of the scenes, or a hundredth of the score if that is more.

    The overlap is chosen with tiles of a training crop, which have the most borders. Larger tiles
    are then tried with this overlap, if the scenes fill at least three quarters of their edges; the
    rest is padded by reflection, as it is in maps.

    Args:
        network: The network.
        scenes: Validation scenes; some of each domain are looked at.

    Returns:
        The tiles, or None if the scenes are too small to tell, or no label in them is known. All
        scenes that are looked at must be one and a half times as large as a crop.

    Raises:
        InputError: If a scene cannot be read, or not even the densest tiles fit into the memory.
    """
    crop = network.card.crop
    readers = [_Scene(network, scene) for scene in _some(scenes)]
    side = min((reader.side for reader in readers), default=0)
    if crop < 2 or 2 * side < 3 * crop:  # no border of tiles in a scene
        return None
    densest = _tiling(network, crop, crop // 2)
    expected = _Scores(network, readers, densest)
    if not expected.known():
        return None

    def suffices(tiling: Tiling) -> bool:
        with suppress(InputError):  # it does not fit into the memory of the device
            return _Scores(network, readers, tiling).as_good_as(expected)
        return False

    chosen = densest
    for part in OVERLAPS:
        tiling = _tiling(network, crop, max(1, crop // part))
        if suffices(tiling):
            chosen = tiling
            break
    for count in TILES:
        tiling = _tiling(network, count * crop, chosen.overlap)
        if SMALLEST_SCENE * tiling.tile <= side and suffices(tiling):
            return TileChoice(tiling, densest)
    return TileChoice(chosen, densest)


def _tiling(network: TrainedNetwork, tile: int, overlap: int) -> Tiling:
    return MapSettings(tile=tile, overlap=overlap).tiling(network.card)


def _cost(tiling: Tiling) -> float:
    """Return how often each pixel is predicted."""
    return (tiling.tile / (tiling.tile - tiling.overlap)) ** 2


def _some(scenes: Sequence[LabelledScene]) -> Iterator[LabelledScene]:
    """Yield some scenes of each domain, evenly spread."""
    for domain in dict.fromkeys(scene.domain for scene in scenes):
        every = [scene for scene in scenes if scene.domain == domain and scene.labels]
        yield from every[:: -(-len(every) // SCENES) or 1]


class _Scene:
    """The centre of a scene, which is mapped in memory."""

    def __init__(self, network: TrainedNetwork, scene: LabelledScene) -> None:
        self._image, card = scene.image, network.card
        self.tasks = [task for task in card.tasks if task.name in scene.labels]
        self._numbers, self._scale = find_input([scene.image], card, scene.bands)
        with Source([scene.image], self._numbers) as source:
            self._grid, self._work = source.grid, source.grid_at(card.gsd)
        known = network.for_domain(scene.domain) if network.needs_statistics else network
        self._predictor = Predictor(
            card, known.generator, None, network.device, self._scale, network.precision_on()
        )
        ratio = self._grid.width / self._work.width
        largest = max(1, round(LARGEST * card.crop * ratio))
        rows, columns = _centre(self._grid.height, largest), _centre(self._grid.width, largest)
        self._window = rows, columns
        self.side = min(rows[1] - rows[0], columns[1] - columns[0]) / ratio
        self.truths = {
            task.name: _labels(scene.labels[task.name], self._plan(1, 0).map_grid, task)
            for task in self.tasks
        }

    def _plan(self, tile: int, overlap: int) -> TilingPlan:
        width = self._grid.width
        return TilingPlan(
            self._grid, self._work, tile, overlap, width, BLOCK, self._grid, self._window
        )

    def maps(self, tiling: Tiling) -> dict[str, npt.NDArray[Any]]:
        """Map the scene with some tiles."""
        with Source([self._image], self._numbers) as source:
            return map_window(
                source,
                self._plan(tiling.tile, tiling.overlap),
                self._predictor,
                [task.layer() for task in self.tasks],
                [value * self._scale for value in self._predictor.card.mean],
                tiling.batch_size,
            )


def _centre(length: int, most: int) -> Span:
    """Return the middle of an axis."""
    size = min(length, most)
    start = (length - size) // 2
    return start, start + size


def _labels(file: Path, grid: PixelGrid, task: Task) -> npt.NDArray[Any]:
    """Read a label raster on the grid of a map."""
    with rasterio.open(file) as source, on_grid(source, grid) as target:
        return read_pixels(target, Window(0, 0, grid.width, grid.height), task)


class _Scores:
    """Scores of all tasks, in all scenes and without each part of them."""

    def __init__(self, network: TrainedNetwork, scenes: Sequence[_Scene], tiling: Tiling) -> None:
        parts: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for scene in scenes:
            maps = scene.maps(tiling)
            for task in scene.tasks:
                pixels = maps[task.name]
                made = torch.from_numpy(task.mask_unknown(pixels, pixels != task.layer().nodata))
                truth = torch.from_numpy(scene.truths[task.name])
                parts.setdefault(task.name, []).extend(_parts(made, truth))
        tasks = {task.name: task for task in network.card.tasks}
        self._lower = {name: tasks[name].headline.lower_is_better for name in parts}
        self._scores = {name: _jackknife(tasks[name], found) for name, found in parts.items()}

    def known(self) -> bool:
        """Return whether any task can be scored."""
        return any(math.isfinite(scores[0]) for scores in self._scores.values())

    def as_good_as(self, other: _Scores) -> bool:
        """Return whether no task has a score that is worse by more than the noise."""
        for name, scores in self._scores.items():
            expected = other._scores[name]
            if not math.isfinite(expected[0]):
                continue  # no label of the task is known
            worse = scores - expected if self._lower[name] else expected - scores
            most = max(_error(worse[1:]), LEAST * abs(float(expected[0])))
            if not worse[0] <= most:
                return False
        return True


def _error(left_out: npt.NDArray[np.float64]) -> float:
    """Return the jackknife error of a score from its values without each part.

    It is 0 if a single part decides whether there is a score.
    """
    count = len(left_out)
    squares = float(((left_out - left_out.mean()) ** 2).sum())
    error = math.sqrt((count - 1) / count * squares)
    return error if math.isfinite(error) else 0.0


def _parts(made: torch.Tensor, truth: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the parts of a map and its labels."""
    for rows in zip(made.tensor_split(PARTS), truth.tensor_split(PARTS), strict=True):
        yield from zip(*(part.tensor_split(PARTS, dim=1) for part in rows), strict=True)


def _never() -> bool:
    return False


def _jackknife(
    task: Task, parts: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> npt.NDArray[np.float64]:
    """Return the headline score of all parts, then that without each of them."""
    scores = []
    for left_out in (None, *range(len(parts))):
        metric = task.scores()
        # In distributed training one process only gets here, and must not wait for the others.
        metric.distributed_available_fn = _never
        for number, (made, truth) in enumerate(parts):
            if number != left_out:
                metric.update(made, truth)
        scores.append(float(metric.compute()[task.headline.name]))
    return np.array(scores)
