"""Precision of prediction."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch

from semimtl_geo.mapping import precision as precision_module
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.places import inspect_places
from semimtl_geo.mapping.precision import fastest_precision
from semimtl_geo.mapping.requests import make_request
from semimtl_geo.mapping.settings import MapSettings
from tests.rasters import noise, write
from tests.semimtl_geo.conftest import CROP, Run
from tiles.errors import InvalidValueError


def test_half_precision(run: Run, tmp_path: Path) -> None:
    """The maps are those of the network under torch's own autocast, and differ from float32."""
    size = 2 * CROP
    image = noise(3, size, size)
    raster = write(tmp_path / "a.tif", image, gsd=0.27)
    heights = {}
    for precision in ("float32", "bfloat16"):
        mapper = Mapper.load(run.checkpoint, "cpu", precision).for_domain("city_a")  # type: ignore[arg-type]
        mapper.generator.state_dict()["decoders.height.regression.bias"] += 0.5
        maps = mapper.map(raster, tmp_path / precision, tile=size)
        assert maps.attrs["prediction"].endswith(precision)
        heights[precision] = maps.height.to_numpy()
        with rasterio.open(tmp_path / precision / "a_height.tif") as file:
            assert file.tags()["SEMIMTL_PRECISION"] == precision
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = mapper.generator(torch.from_numpy(image)[None].float() / 255)["height"]
    want = 20 * output[0, 0].clamp(min=0).numpy()
    np.testing.assert_allclose(heights["bfloat16"], want, atol=1e-5)
    difference = np.abs(heights["bfloat16"] - heights["float32"])
    assert 0 < difference.max() < 0.5


@pytest.mark.parametrize(
    ("half", "whole", "fastest"),
    [(1.0, 2.0, "bfloat16"), (0.95, 1.0, "float32"), (2.0, 1.0, "float32")],
)
def test_half_precision_must_be_faster_to_be_chosen(
    monkeypatch: pytest.MonkeyPatch, half: float, whole: float, fastest: str
) -> None:
    """The clock says how many seconds each precision takes."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += half if torch.is_autocast_enabled("cpu") else whole
        return now

    monkeypatch.setattr(precision_module, "time", SimpleNamespace(perf_counter=clock))
    assert fastest_precision.__wrapped__("cpu") == fastest


def test_the_fastest_precision_is_that_of_the_device(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapper = Mapper.load(run.checkpoint, "cpu")
    assert mapper.precision_on() == fastest_precision("cpu")
    # What is measured for one device or machine does not hold for another.
    monkeypatch.setattr(
        "semimtl_geo.mapping.trained_network.fastest_precision", lambda device: device
    )
    assert mapper.precision_on(torch.device("cuda", 1)) == "cuda:1"
    assert Mapper.load(run.checkpoint, "cpu", "float16").precision_on() == "float16"


def test_no_other_precision(run: Run) -> None:
    with pytest.raises(InvalidValueError, match=r"must be one of auto, float32, .* got 'half'"):
        Mapper.load(run.checkpoint, "cpu", "half")  # type: ignore[arg-type]


def test_an_unfinished_map_keeps_its_precision(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so even if another one is measured fastest when it is continued."""

    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    def mapper(fastest: str) -> Mapper:
        name = "semimtl_geo.mapping.trained_network.fastest_precision"
        monkeypatch.setattr(name, lambda device: fastest)
        return Mapper.load(run.checkpoint, "cpu").for_domain("city_a")

    raster = write(tmp_path / "a.tif", noise(3, 1100, 40), gsd=0.27)
    mapper("bfloat16").map(raster, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        mapper("bfloat16").map(raster, tmp_path / "cut", progress=stop)
    mapper("float32").map(raster, tmp_path / "cut")
    whole, cut = (tmp_path / name / "a_height.tif" for name in ("whole", "cut"))
    assert cut.read_bytes() == whole.read_bytes()


def test_maps_are_not_continued_in_another_precision(run: Run, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", noise(3, 8, 8), gsd=0.27)
    mapper = Mapper.load(run.checkpoint, "cpu").for_domain("city_a")
    (place,) = inspect_places({"a": [raster]}, mapper.card)
    found = {
        make_request(mapper, place, [], {}, MapSettings(), precision).arguments["resume"]
        for precision in ("float32", "bfloat16", "float32")
    }
    assert len(found) == 2
