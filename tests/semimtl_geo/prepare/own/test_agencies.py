"""The recipes of docs/data.md, on miniature files with the names and quirks of each source."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin

from semimtl_geo.prepare.own.folder import Folder
from semimtl_geo.prepare.pipeline import prepare
from tests.rasters import noise, write
from tests.semimtl_geo.prepare.own.folders import box, load, write_polygons

PAGE = (Path(__file__).parents[4] / "docs" / "data.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"```yaml\n# downloads/(\w+)/scenes.yaml\n(.*?)```", PAGE, re.DOTALL))
HOUSE = np.s_[20:40, 30:50]


def prepared(raw: Path, recipe: str, **changed: Any) -> Path:
    """Make the scenes of a recipe; `changed` settings suit few scenes."""
    settings = yaml.safe_load(RECIPES[recipe]) | changed
    (raw / "scenes.yaml").write_text(yaml.safe_dump(settings))
    return prepare("folder", Folder(), raw, raw.parent / "out")[0].parent


def place(west: float, north: float, gsd: float) -> rasterio.Affine:
    return from_origin(west, north, gsd, gsd)


def classes(recipe: str) -> list[str]:
    return [entry["name"] for entry in yaml.safe_load(RECIPES[recipe])["classes"]]


def models(size: int, ground: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """A surface and a terrain model with a house, 8 m high."""
    terrain = np.full((size, size), ground, np.float32)
    surface = terrain.copy()
    surface[HOUSE] += 8
    return surface, terrain


def test_every_recipe_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert len(RECIPES) == 9
    assert [name for name in RECIPES if f'prepared(raw, "{name}"' not in source] == []
    commands = [f"semimtl-geo prepare folder --raw downloads/{name} --out data" for name in RECIPES]
    assert [command for command in commands if command not in PAGE] == []


def test_the_script_that_splits_dfc2019_by_place(tmp_path: Path) -> None:
    """Its script never puts two images of one place into both lists."""
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = [f"{city}_{place:03}_{view:03}" for city in ("JAX", "OMA") for place in (4, 8, 203)
             for view in (1, 6)]  # fmt: skip
    (tmp_path / "Track1-RGB").mkdir()
    for name in names:
        (tmp_path / "Track1-RGB" / f"{name}_RGB.tif").touch()
    run = [sys.executable, "-c", script]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    split = yaml.safe_load(printed)["split"]
    assert sorted(split["train"] + split["test"]) == sorted(names)
    assert not {name[:7] for name in split["train"]} & {name[:7] for name in split["test"]}


def test_france(tmp_path: Path) -> None:
    """RVB and IRC in JPEG 2000; grids of the models shifted by half a pixel; two GeoPackages."""
    raw, crs, west, north = tmp_path / "toulouse", "EPSG:2154", 570_000.0, 6_285_000.0
    lossless = {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES", "crs": crs}
    for folder, name, seed in (("rvb", "RVB", 0), ("irc", "IRC", 1)):
        file = raw / folder / f"31-2022-0570-6285-LA93-0M20-{name}-E080.jp2"
        write(file, noise(3, 200, 200, seed=seed), transform=place(west, north, 0.2), **lossless)
    surface, terrain = models(84)
    for folder, name, values in (("mns", "MNS", surface), ("mnt", "MNT", terrain)):
        write(raw / folder / f"LHD_FXX_0570_6285_{name}_O_0M50_LAMB93_IGN69.tif", values, crs=crs,
              transform=place(west - 0.25, north + 0.25, 0.5))  # fmt: skip
    shapes = [
        ("CS1.1.1.1", box(west, north, 15, 10, 25, 20)),
        ("CS2.2.1", box(west, north, 0, 0, 40, 30)),
    ]
    write_polygons(raw / "ocsge" / "OCCUPATION_SOL.gpkg", shapes, crs, field="code_cs")
    write_polygons(raw / "ocsge" / "ZONE_CONSTRUITE.gpkg", shapes[:1], crs, field="id")
    folder = prepared(raw, "toulouse", split={"train": 1.0})
    name = "31-2022-0570-6285-LA93-0M20-RVB-E080"
    image = load(folder, "image", name)
    np.testing.assert_array_equal(image[:3], noise(3, 200, 200))
    np.testing.assert_array_equal(image[3], noise(3, 200, 200, seed=1)[0])
    cover, names = load(folder, "landcover", name)[0], classes("toulouse")
    assert (cover[50:100, 75:125] == names.index("building")).all()
    assert (cover[:50, :150] == names.index("grass")).all()
    assert (cover[150:] == 255).all()
    height = load(folder, "height", name)[0]
    # The house begins at 30 pixels of 0.5 m, less 0.25 m: 14.75 m, which is column 73.75.
    np.testing.assert_allclose(height[60:90, 80:115], 8, atol=1e-3)
    np.testing.assert_allclose(height[:, :70], 0, atol=1e-3)


def test_netherlands(tmp_path: Path) -> None:
    """Terrain without ground under the house and the canal; sheets; layers of BGT as values."""
    raw, crs, west, north = tmp_path / "rotterdam", "EPSG:28992", 92_000.0, 437_000.0
    write(raw / "image" / "ortho.tif", noise(3, 160, 160), crs=crs,
          transform=place(west, north, 0.25))  # fmt: skip
    surface, terrain = models(80, ground=-2.0)
    nodata = np.float32(3.4028235e38)
    terrain[HOUSE] = nodata
    canal = np.s_[60:80, :]
    surface[canal] = terrain[canal] = nodata
    for kind, values in (("R", surface), ("M", terrain)):
        for half, sheet in enumerate(("37FZ1", "37FZ2")):
            write(raw / "ahn" / f"{kind}_{sheet}.tif", values[:, half * 40 : half * 40 + 40],
                  crs=crs, transform=place(west + half * 20, north, 0.5),
                  nodata=float(nodata))  # fmt: skip
    bgt = raw / "bgt" / "bgt.gpkg"
    house, yard = box(west, north, 15, 10, 25, 20), box(west, north, 0, 0, 40, 30)
    for layer, shape in (("bgt_pand", house), ("bgt_onbegroeidterreindeel", yard)):
        write_polygons(bgt, [("x", shape)], crs, layer=layer)
    folder = prepared(raw, "rotterdam", split={"train": 1.0})
    height, cover = load(folder, "height", "ortho")[0], load(folder, "landcover", "ortho")[0]
    np.testing.assert_allclose(height[41:79, 61:99], 8, atol=1e-4)
    np.testing.assert_allclose(height[:38], 0, atol=1e-4)
    assert (height[121:] == -9999).all()
    names = classes("rotterdam")
    assert (cover[40:80, 60:100] == names.index("building")).all()
    assert (cover[:40] == names.index("yard")).all()


def test_switzerland(tmp_path: Path) -> None:
    """Years differ between products, and the terrain is another tile of the kilometre."""
    raw, crs, west, north = tmp_path / "bern", "EPSG:2056", 2_600_000.0, 1_201_000.0
    write(raw / "swissimage" / "swissimage-dop10_2020_2600-1200_0.1_2056.tif", noise(3, 400, 400),
          crs=crs, transform=place(west, north, 0.1))  # fmt: skip
    surface, terrain = models(80, ground=540)
    for folder, name, values in (
        ("swisssurface3d", "swisssurface3d-raster_2018_2600-1200_0.5_2056_5728.tif", surface),
        ("swissalti3d", "swissalti3d_2019_2600-1200_0.5_2056_5728.tif", terrain),
    ):
        write(raw / folder / name, values, crs=crs, nodata=-9999, transform=place(west, north, 0.5))
    folder = prepared(raw, "bern", split={"train": 1.0})
    height = load(folder, "height", "swissimage-dop10_2020_2600-1200_0.1_2056")[0]
    assert height.shape == (200, 200)  # 0.2 m
    np.testing.assert_allclose(height[55:95, 80:120], 8, atol=1e-3)
    np.testing.assert_allclose(height[:45], 0, atol=1e-3)


def test_north_rhine_westphalia(tmp_path: Path) -> None:
    """Four bands, of which GDAL may take the last for alpha; names that differ; heights below 0."""
    raw, crs, west, north = tmp_path / "koeln", "EPSG:25832", 361_000.0, 5_689_000.0
    image = noise(4, 400, 400)
    write(raw / "dop" / "dop10rgbi_32_361_5688_1_nw_2025.jp2", image, crs=crs, driver="JP2OpenJPEG",
          QUALITY=100, REVERSIBLE="YES", transform=place(west, north, 0.1))  # fmt: skip
    heights = np.zeros((80, 80), np.float32)
    heights[HOUSE], heights[0] = 8, -0.3
    write(raw / "ndom" / "ndom50_32361_5688_1_nw_2023.tif", heights, crs=crs,
          transform=place(west, north, 0.5))  # fmt: skip
    folder = prepared(raw, "koeln", split={"train": 1.0}, gsd=None)
    name = "dop10rgbi_32_361_5688_1_nw_2025"
    np.testing.assert_array_equal(load(folder, "image", name), image)
    height = load(folder, "height", name)[0]
    np.testing.assert_allclose(height[105:195, 155:245], 8, rtol=1e-6)
    np.testing.assert_allclose(height[0], -0.3, rtol=1e-5)


def test_usa(tmp_path: Path) -> None:
    """Images in UTM; models in the state plane, with positions and heights in feet."""
    from rasterio.warp import transform_bounds

    raw = tmp_path / "kentucky"
    west, north, foot = 690_000.0, 4_200_000.0, 0.3048006096
    names = ("m_3708648_sw_16_060_20180804", "m_3708648_se_16_060_20180804")
    for number, name in enumerate(names):
        write(raw / "naip" / f"{name}.tif", noise(4, 50, 50), crs="EPSG:26916",
              transform=place(west + number * 30, north, 0.6), photometric="RGB")  # fmt: skip
    bounds = transform_bounds("EPSG:26916", "EPSG:3089", west, north - 30, west + 60, north)
    terrain = np.full((120, 160), 900, np.float32)
    corner = place(bounds[0] - 30, bounds[3] + 30, 2.0)
    for folder, values in (("dsm", terrain + 30), ("dem", terrain)):
        name = f"N095E297_2019_{folder.upper()}_Phase2_cog.tif"
        write(raw / folder / name, values, crs="EPSG:3089", transform=corner)
    folder = prepared(raw, "kentucky")
    for name in names:
        np.testing.assert_allclose(load(folder, "height", name), 30 * foot, rtol=1e-5)
        assert load(folder, "image", name).shape == (4, 50, 50)


def test_flair_hub(tmp_path: Path) -> None:
    """The names of the layers stand between those of department and patch."""
    raw, crs = tmp_path / "flair", "EPSG:2154"
    surface, terrain = models(64)
    cover = np.full((64, 64), 8, np.uint8)
    cover[HOUSE], cover[0] = 0, 18
    for layer, values in (
        ("AERIAL_RGBI", noise(4, 64, 64)),
        ("AERIAL_LABEL-COSIA", cover),
        ("DEM_ELEV", np.stack([surface, terrain])),
    ):
        for number in range(2):
            file = f"D004-2021_{layer}/AA-S1-27/D004-2021_{layer}_AA-S1-27_0-{number}.tif"
            write(raw / file, values, crs=crs,
                  transform=place(900_000 + 12.8 * number, 6_300_000, 0.2))  # fmt: skip
    folder = prepared(raw, "flair", split={"train": 1.0})
    name = "D004-2021_AA-S1-27_0-1"
    height, made = load(folder, "height", name)[0], load(folder, "landcover", name)[0]
    np.testing.assert_array_equal(height, surface - terrain)
    names = classes("flair")
    assert (made[HOUSE] == names.index("building")).all()
    assert (made[0] == 255).all()
    assert (made[1:19] == names.index("low vegetation")).all()


def test_geonrw(tmp_path: Path) -> None:
    """A folder per city; background is unknown; the heights above sea level are not read."""
    raw, crs = tmp_path / "geonrw", "EPSG:25832"
    cover = np.random.default_rng(0).integers(0, 11, (50, 50)).astype(np.uint8)
    for city, tile, west in (("aachen", "293_5630", 293_000), ("bonn", "366_5620", 366_000)):
        for layer, values in (
            ("rgb.jp2", noise(3, 50, 50)),
            ("seg.tif", cover),
            ("dem.tif", np.full((50, 50), 180, np.float32)),
        ):
            lossless = {"QUALITY": 100, "REVERSIBLE": "YES"} if "jp2" in layer else {}
            write(raw / city / f"{tile}_{layer}", values, crs=crs, **lossless,
                  transform=place(west, 5_631_000, 1.0),
                  driver="JP2OpenJPEG" if "jp2" in layer else "GTiff")  # fmt: skip
    folder = prepared(raw, "geonrw", split={"train": ["293_5630"], "test": ["366_5620"]})
    code = {0: 255}
    for number, entry in enumerate(yaml.safe_load(RECIPES["geonrw"])["classes"]):
        code |= dict.fromkeys(entry["values"], number)
    np.testing.assert_array_equal(
        load(folder, "landcover", "366_5620")[0], np.vectorize(code.__getitem__)(cover)
    )
    assert not list(folder.glob("*/height"))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_dfc2019(tmp_path: Path) -> None:
    """No georeference; NaN in heights; the codes of ASPRS."""
    raw, none = tmp_path / "dfc2019", {"crs": None, "transform": None}
    cover = np.random.default_rng(0).choice(np.array([2, 5, 6, 9, 17, 65], np.uint8), (64, 64))
    heights = np.where(cover == 6, 8, -0.1).astype(np.float32)
    heights[3, 3] = np.nan
    for name in ("JAX_004_006", "OMA_203_001"):
        write(raw / "Track1-RGB" / f"{name}_RGB.tif", noise(3, 64, 64), **none)
        write(raw / "Track1-Truth" / f"{name}_CLS.tif", cover, **none)
        write(raw / "Track1-Truth" / f"{name}_AGL.tif", heights, **none)
    folder = prepared(raw, "dfc2019")
    got = load(folder, "landcover", "OMA_203_001")[0]
    for value, number in {2: 0, 6: 1, 5: 2, 9: 3, 17: 4, 65: 255}.items():
        assert (got[cover == value] == number).all()
    height = load(folder, "height", "JAX_004_006")[0]
    np.testing.assert_array_equal(height, np.where(np.isnan(heights), -9999, heights))
    assert (folder / "test" / "image" / "OMA_203_001.tif").exists()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_openearthmap(tmp_path: Path) -> None:
    """Images and labels in folders of each region, one with a CRS and one without any."""
    raw, none = tmp_path / "tokyo", {"crs": None, "transform": None}
    cover = np.random.default_rng(0).integers(0, 9, (40, 40)).astype(np.uint8)
    for name, profile in (("tokyo_1", {"crs": "EPSG:32654"}), ("tokyo_2", none)):
        write(raw / "tokyo" / "images" / f"{name}.tif", noise(3, 40, 40), **profile)
        write(raw / "tokyo" / "labels" / f"{name}.tif", cover, **profile)
    image = {"files": "*/images/*", "gsd": 0.4}
    folder = prepared(raw, "tokyo", image=image, split={"train": ["tokyo_1"], "test": ["tokyo_2"]})
    for name in ("tokyo_1", "tokyo_2"):
        expected = np.where(cover == 0, 255, cover.astype(int) - 1)
        np.testing.assert_array_equal(load(folder, "landcover", name)[0], expected)
