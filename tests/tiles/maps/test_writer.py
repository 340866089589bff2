"""Maps in a format of the user's own, and the settings of unfinished work."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import torch

from tests.rasters import noise
from tests.rasters import write as write_raster
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.maps import Layer, MapWriter, PercentMap
from tiles.maps.panel_store import PanelProgress
from tiles.maps.work_folder import PANEL_WIDTH, WorkFolder, unfinished_panel_width
from tiles.mosaic import mosaic
from tiles.reading import Raster


class Png:
    """Pictures with a text beside them if the tags say so."""

    def sidecars(self, path: Path) -> Sequence[Path]:
        return [path.with_suffix(".txt")]

    def write(
        self, pixels: Path, target: Path, layer: Layer, grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        rasterio.shutil.copy(pixels, target, driver="PNG")
        if tags:
            target.with_suffix(".txt").write_text(f"{layer.name} {grid.width} {tags}")


def predict(images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"share": images[:, :1] / 255}


def test_a_format_of_ones_own_is_one_class(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "image.tif", noise(1, 70, 90))
    out = {"share": tmp_path / "share.png"}
    layers = [PercentMap("share")]
    mosaic(image, predict, layers, out, tile=32, map_format=Png(), tags={"a": "b"})
    with rasterio.open(image) as file, rasterio.open(out["share"]) as shown:
        assert shown.driver == "PNG"
        expected = file.read(1).astype(float) / 2.55
        assert np.abs(shown.read(1) - expected).max() <= 1
    assert (tmp_path / "share.txt").read_text() == "share 90 {'a': 'b'}"
    # A sidecar of the older map does not stay beside the new one.
    mosaic(image, predict, layers, out, tile=32, map_format=Png())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tif", "share.png"]


@pytest.mark.parametrize(
    ("change", "continued"), [({}, True), ({"tile": 64}, False), ({"crs": "EPSG:25832"}, False)]
)
def test_work_is_continued_with_the_same_settings_only(
    tmp_path: Path, change: dict[str, object], continued: bool
) -> None:
    settings = {"tile": 32, "fill": [math.nan, 1.0], "raster": tmp_path, PANEL_WIDTH: 512}
    path, progress = tmp_path / "map.tif", PanelProgress(512, (2, 0), True)
    work = WorkFolder(path, (1024, 10), "uint8", None, settings)
    with work.panel_file(0) as panel:
        panel.truncate()
        panel.record(progress)
    work.close(finished=False)
    known = {key: value for key, value in settings.items() if key != PANEL_WIDTH}
    assert unfinished_panel_width(path, known | change) == (512 if continued else None)
    work = WorkFolder(path, (1024, 10), "uint8", None, settings | change)
    with work.panel_file(0) as panel:
        assert panel.history == ([progress] if continued else [])
    work.close(finished=True)


def test_a_pipe_in_place_of_a_journal_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".map.tif.work").mkdir()
    os.mkfifo(tmp_path / ".map.tif.work" / "00000.journal")
    assert unfinished_panel_width(tmp_path / "map.tif", {}) is None
    WorkFolder(tmp_path / "map.tif", (10, 10), "uint8", None, {}).close(finished=True)
    assert not [*tmp_path.iterdir()]


def test_writers_of_one_map_exclude_each_other(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "image.tif", noise(1, 20, 30))
    with Raster(image) as raster:
        grid = raster.grid
    path, layer = tmp_path / "share.tif", PercentMap("share")
    with (
        MapWriter(path, layer, grid),
        pytest.raises(InputError, match="another run"),
        MapWriter(path, layer, grid),
    ):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["image.tif"]
