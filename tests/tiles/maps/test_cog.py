from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.maps import cog
from tiles.maps.layers import ClassMap, Layer, ProbabilityMap, ValueMap
from tiles.maps.statistics import BandStatistics
from tiles.maps.writer import MapWriter

CLASSES = ClassMap(
    "land cover",
    ("roads & paths", "building", "<low> vegetation", "tree"),
    ((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0)),
)
HEIGHT = ValueMap("height", unit="m", description="height above ground", low=0, high=30)


def parse_text(text: str) -> ET.Element:
    return ET.fromstring(text.encode())  # noqa: S314 - our own text


def parse(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - written by this test


def grid(width: int = 1300, height: int = 700) -> PixelGrid:
    transform = from_origin(389_999.95, 5_800_000.05, 0.05, 0.05)
    return PixelGrid(CRS.from_epsg(32633), transform, width, height)


def write(path: Path, layer: Layer, values: np.ndarray, **tags: str) -> Path:
    where = grid(values.shape[1], values.shape[0])
    with MapWriter(path, layer, where, tags) as writer:
        with writer.work_folder.panel_file(0) as panel:
            for top in range(0, values.shape[0], 512):
                panel.write(values[top : top + 512], top, 0)
        assert not path.exists()
        return writer.finish()


def class_values(width: int = 1300, height: int = 700) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    values = ((x // 40 + y // 30) % 4).astype(np.uint8)
    values[: height // 7, : width // 5] = 255
    return values


def test_class_map_is_read_back_whole(tmp_path: Path) -> None:
    values = class_values()
    path = write(tmp_path / "lc.tif", CLASSES, values, model="m1", software="tiles 0.1")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "lc.qml",
        "lc.sld",
        "lc.tif",
        "lc.tif.aux.xml",
    ]
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint8",)
        assert (file.crs, file.transform) == (grid().crs, grid().transform)
        assert file.nodata == 255
        assert file.descriptions == ("land cover",)
        assert file.block_shapes == [(512, 512)]
        assert file.tags()["model"] == "m1"
        assert np.array_equal(file.read(1), values)
        table = file.colormap(1)
        assert [table[i][:3] for i in range(4)] == list(CLASSES.colors)
        assert file.overviews(1) == [2, 4]
        known = values[values != 255]
        tags = file.tags(1)
        assert float(tags["STATISTICS_MEAN"]) == pytest.approx(known.mean())
        assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(known.std())
        assert float(tags["STATISTICS_MAXIMUM"]) == 3
        assert float(tags["STATISTICS_VALID_PERCENT"]) == pytest.approx(
            100 * known.size / values.size
        )


def test_gdal_reads_names_and_attributes_of_classes(tmp_path: Path) -> None:
    values = class_values(1100, 600)
    path = write(tmp_path / "lc.tif", CLASSES, values)
    rasterio.shutil.copy(path, tmp_path / "lc.vrt", driver="VRT")  # GDAL writes what it has read
    band = parse(tmp_path / "lc.vrt")
    names = band.findall(".//CategoryNames/Category")
    assert tuple(name.text for name in names) == CLASSES.classes
    fields = [
        tuple(field.findtext(tag) for tag in ("Name", "Type", "Usage"))
        for field in band.findall(".//GDALRasterAttributeTable/FieldDefn")
    ]
    assert fields[:3] == [("Value", "0", "5"), ("Count", "1", "1"), ("Class", "2", "2")]
    rows = [[cell.text for cell in row] for row in band.findall(".//GDALRasterAttributeTable/Row")]
    for number, (name, color) in enumerate(zip(CLASSES.classes, CLASSES.colors, strict=True)):
        count = np.count_nonzero(values == number)
        assert rows[number] == [str(number), str(count), name, *map(str, color)]


def test_class_overviews_keep_to_classes(tmp_path: Path) -> None:
    values = np.zeros((700, 700), np.uint8)
    values[:, 1::2] = 2  # an average would be 1
    path = write(tmp_path / "lc.tif", CLASSES, values)
    with rasterio.open(path, overview_level=0) as file:
        assert set(np.unique(file.read(1))) <= {0, 2}


def test_value_map_is_read_back_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(0).gamma(2, 3, (700, 1300)).astype(np.float32)
    values[:100, :100] = -9999
    values[300, 300] = 0
    (tmp_path / "h.tif.aux.xml").write_text("<PAMDataset/>")  # of an older map
    path = write(tmp_path / "h.tif", HEIGHT, values)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["h.qml", "h.sld", "h.tif"]
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.nodata == -9999
        assert file.units == ("m",)
        assert file.descriptions == ("height above ground",)
        assert np.array_equal(file.read(1), values)
        half = file.read(1, out_shape=(350, 650), resampling=Resampling.nearest)
        tags = file.tags(1)
    assert half[200, 300] == pytest.approx(values[400:402, 600:602].mean(), rel=1e-5)
    assert half[10, 10] == -9999
    known = values[values != -9999].astype(np.float64)
    assert float(tags["STATISTICS_MEAN"]) == pytest.approx(known.mean())
    assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(known.std())
    assert float(tags["STATISTICS_MINIMUM"]) == 0


def test_statistics_do_not_depend_on_the_order() -> None:
    blocks = [np.random.default_rng(i).normal(50, 9, 1000).astype(np.float32) for i in range(30)]
    one, other = BandStatistics(), BandStatistics()
    for block in blocks:
        one.add(block)
    for block in blocks[::-1]:
        other.add(block)
    assert one.tags(30_000) == other.tags(30_000)


def test_style_of_classes_names_and_colours_them(tmp_path: Path) -> None:
    path = write(tmp_path / "lc.tif", CLASSES, class_values(60, 40))
    root = parse(path.with_suffix(".qml"))
    assert root.tag == "qgis"
    renderer = root.find("pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.get("type") == "paletted"
    assert renderer.get("nodataColor") == ""
    entries = renderer.findall("colorPalette/paletteEntry")
    assert [entry.get("label") for entry in entries] == list(CLASSES.classes)
    assert [entry.get("value") for entry in entries] == ["0", "1", "2", "3"]
    assert entries[2].get("color") == "#00ffff"


def test_style_of_values_spans_their_range(tmp_path: Path) -> None:
    path = write(tmp_path / "h.tif", HEIGHT, np.ones((40, 60), np.float32))
    renderer = parse(path.with_suffix(".qml")).find("pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.get("type") == "singlebandpseudocolor"
    shader = renderer.find("rastershader/colorrampshader")
    assert shader is not None
    steps = [float(str(item.get("value"))) for item in shader.findall("item")]
    assert (steps[0], steps[-1]) == (0, 30)
    assert steps == sorted(steps)
    assert shader[0].get("label") == "0 m"


def test_descriptors_for_servers_have_the_same_colours(tmp_path: Path) -> None:
    sld = "{http://www.opengis.net/sld}"
    for layer, values in ((CLASSES, class_values(60, 40)), (HEIGHT, np.ones((40, 60), np.float32))):
        path = write(tmp_path / f"{type(layer).__name__}.tif", layer, values)
        shown = parse(path.with_suffix(".sld")).iter(f"{sld}ColorMapEntry")
        (name,) = {"paletteEntry", "item"} & {
            node.tag for node in parse(path.with_suffix(".qml")).iter()
        }
        styled = parse(path.with_suffix(".qml")).iter(name)
        assert [
            (entry.get("label"), entry.get("color"), entry.get("quantity")) for entry in shown
        ] == [(entry.get("label"), entry.get("color"), entry.get("value")) for entry in styled]
    several = parse_text(ProbabilityMap("p", "landcover", ["road", "tree"]).sld())
    assert [node.text for node in several.iter(f"{sld}SourceChannelName")] == ["1"]


def test_small_maps_are_valid_too(tmp_path: Path) -> None:
    path = write(tmp_path / "lc.tif", CLASSES, np.ones((1, 1), np.uint8))
    assert cog_validate(path, strict=True, quiet=True)[0]


@pytest.mark.parametrize(("width", "height"), [(1025, 600), (2051, 700), (700, 2051)])
def test_overviews_round_half_pixels_down(tmp_path: Path, width: int, height: int) -> None:
    """GDAL makes 512 of 1025 pixels, one block, where 513 would be two."""
    values = class_values(width, height)
    path = write(tmp_path / "lc.tif", CLASSES, values)
    assert cog_validate(path, strict=True, quiet=True)[0]
    with rasterio.open(path) as file:
        assert np.array_equal(file.read(1), values)
        assert file.overviews(1)


def test_a_file_that_lacks_its_end_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "lc.tif", CLASSES, class_values(1025, 600))
    cog._check_complete(path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(OSError, match="incomplete"):
        cog._check_complete(path)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def stop() -> None:
        with (
            MapWriter(tmp_path / "lc.tif", CLASSES, grid()) as writer,
            writer.work_folder.panel_file(0) as panel,
        ):
            panel.write(class_values()[:512], 0, 0)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_an_older_map_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "lc.tif", CLASSES, np.zeros((5, 5), np.uint8))
    with MapWriter(path, CLASSES, grid(5, 5)) as writer:
        with writer.work_folder.panel_file(0) as panel:
            panel.write(np.ones((5, 5), np.uint8), 0, 0)
        writer.convert()
        with rasterio.open(path) as file:
            assert file.read(1).max() == 0
        writer.publish()
    with rasterio.open(path) as file:
        assert file.read(1).min() == 1


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written") as caught:
        MapWriter(tmp_path / "missing" / "lc.tif", CLASSES, grid())
    assert "\n" not in str(caught.value)


def test_impossible_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="classes"):
        ClassMap("lc", (), ())
    with pytest.raises(ValueError, match="colour"):
        ClassMap("lc", ("a", "b"), ((0, 0, 0),))
    with pytest.raises(ValueError, match="low < high"):
        ValueMap("h", low=1, high=1)
    with pytest.raises(ValueError, match="float32"):
        ValueMap("h", nodata=-9999.1)
