"""The examples do what they say."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from semimtl_geo.checkpoint import KEY
from semimtl_geo.cities import write_cities
from semimtl_geo.trainer import SemiMTL

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def ortho(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cities = write_cities(tmp_path_factory.mktemp("cities"), scenes=1, size=64)
    return min((cities["city_b"] / "test" / "image").glob("*.tif"))


def test_map_an_orthophoto(
    ortho: Path,
    tmp_path: Path,
    make_model: Callable[..., SemiMTL],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = make_model()
    checkpoint = tmp_path / "model.ckpt"
    torch.save({"state_dict": model.state_dict(), KEY: model.card.to_plain()}, checkpoint)
    main = runpy.run_path(str(EXAMPLES / "map_an_orthophoto.py"))["main"]
    main(str(checkpoint), str(ortho), str(tmp_path / "maps"))
    printed = capsys.readouterr().out
    assert "landcover" in printed
    assert "tallest: " in printed


def test_own_network(ortho: Path, tmp_path: Path) -> None:
    main = runpy.run_path(str(EXAMPLES / "own_network.py"))["main"]
    main(str(ortho), str(tmp_path / "ndvi.tif"))
    with rasterio.open(ortho) as image, rasterio.open(tmp_path / "ndvi.tif") as made:
        infrared, red, _ = image.read().astype(np.float32)
        expected = (infrared - red) / np.maximum(infrared + red, 1)
        assert np.allclose(made.read(1), expected, atol=1e-5)
        assert made.transform == image.transform
