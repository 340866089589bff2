from __future__ import annotations

import base64
import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin

from semimtl_geo.compare import Row
from semimtl_geo.report import (
    ExampleScene,
    method_section,
    panel_figure,
    write_report,
)
from semimtl_geo.report.curves import curves_section, read_metrics
from semimtl_geo.report.error_maps import error_map
from semimtl_geo.report.thumbnails import data_uri, image_thumbnail, map_thumbnail, ramp_maxima
from semimtl_geo.tasks import Depth, Segmentation, Task
from semimtl_geo.tasks.coloring import CORRECTNESS_COLORS, ERROR_RAMP
from tiles.maps.qgis import RAMP

COLORS = ((255, 255, 255), (0, 0, 255), (0, 255, 0))
TASKS: list[Task] = [
    Segmentation(classes=("ground", "building", "tree"), colors=COLORS),
    Depth(),
]


def write_raster(path: Path, data: NDArray[np.generic], nodata: float | None = None) -> Path:
    """Bands [C, H, W]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = data.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=data.dtype.name,
        nodata=nodata,
        crs="EPSG:32633",
        transform=from_origin(500000, 5000000, 0.15, 0.15),
    ) as target:
        target.write(data)
    return path


def make_panel(folder: Path, domain: str, hidden: Sequence[str], *names: str) -> ExampleScene:
    generator = np.random.default_rng(1)
    image = generator.integers(0, 255, (3, 50, 40)).astype(np.uint8)
    cover = generator.integers(0, 3, (1, 50, 40)).astype(np.uint8)
    height = np.full((1, 50, 40), 5, np.float32)
    files = {
        "landcover": write_raster(folder / domain / "landcover.tif", cover, 255),
        "height": write_raster(folder / domain / "height.tif", height, -9999),
    }
    photograph = write_raster(folder / domain / "image.tif", image)
    return ExampleScene(domain, photograph, files, dict.fromkeys(names, files), hidden)


def write_metrics(path: Path, columns: dict[str, Sequence[float | None]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "step", *columns])
        for step, cells in enumerate(zip(*columns.values(), strict=True)):
            writer.writerow([0, 10 * step, *("" if cell is None else cell for cell in cells)])
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two cities with names that want escaping."""
    folder = tmp_path_factory.mktemp("report")
    scenes = [
        make_panel(folder, "city_a", ["height"], "JTL", "A < B & C"),
        make_panel(folder, "city_b", ["landcover"], "JTL", "A < B & C"),
    ]
    rows = [
        Row("city_a", "STL_Seg", {"pAcc": 81.23, "mIoU": 61.3}, {"ground": 71.5}),
        Row("city_a", "JTL", {"pAcc": 80.0, "mIoU": 62.7, "AbR": 0.4, "RMSE": 4.6}),
        Row("city_a", "A < B & C", {"AbR": 0.5, "RMSE": 4.125, "gain": math.nan}),
        Row("city_b", "JTL", {"pAcc": 51.5, "mIoU": 33.25}, {"ground": 44.4, "tree": math.nan}),
    ]
    curves = {
        "JTL": write_metrics(
            folder / "jtl.csv",
            {
                "train/city_a/landcover/supervised": [1.0, None, 0.5],
                "val/city_a/landcover/mIoU": [None, 40.0, None],
            },
        ),
        "SemiMTL <M2>": write_metrics(
            folder / "semimtl.csv",
            {
                "train/city_a/landcover/supervised": [1.1, 0.8, 0.6],
                "train/city_b/landcover/inter": [1.1, 0.9, math.nan],
                "train/city_a/landcover/discriminator/truth": [1.1, 0.9, 0.7],
            },
        ),
    }
    path = folder / "out" / "index.html"
    write_report(
        path,
        title="Two < three",
        lead="<strong>Cities</strong>",
        rows=rows,
        curves=curves,
        scenes=scenes,
        tasks=TASKS,
        findings=["It is < 5 m & good."],
        facts={"Seeds": "0 & 1"},
        opening=[method_section(scenes, TASKS)],
        closing=[("The end", "", "<p>of it</p>")],
    )
    return path


def parse(page: Path) -> ET.Element:
    return ET.fromstring(page.read_text("utf-8"))  # noqa: S314 - we wrote it


def cells(page: Path, domain: int, method: str) -> list[ET.Element]:
    """The cells of one line of the table of scores."""
    for line in parse(page).findall(".//table[@class='scores']/tbody")[domain]:
        if line[0].text == method:
            return line.findall("td")
    raise AssertionError(method)


def colors_of(uri: str) -> NDArray[np.uint8]:
    """The pixels of a data URI, RGBA."""
    _, data = uri.split(",")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def test_page_loads_nothing(page: Path) -> None:
    root = parse(page)
    assert root.find(".//script") is None
    assert root.find(".//link") is None
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith(("data:", "#"))
    text = page.read_text("utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) == {"#"}


def test_nothing_unfinished_is_left(page: Path) -> None:
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html"]


def test_scores_appear_as_given(page: Path) -> None:
    shown = ["".join(cell.itertext()) for cell in cells(page, 0, "JTL")]
    assert shown == ["80.0", "62.7", "0.400", "4.600", "-", "-", "-", "-"]


def test_best_of_each_column_is_bold(page: Path) -> None:
    bold = {
        method: [cell.find("strong") is not None for cell in cells(page, 0, method)]
        for method in ("STL_Seg", "JTL", "A < B & C")
    }
    assert bold["STL_Seg"][:4] == [True, False, False, False]
    assert bold["JTL"][:4] == [False, True, True, False]
    assert bold["A < B & C"][:4] == [False, False, False, True]
    # Alone in its city: there is nothing to be better than.
    assert not any(cell.find("strong") is not None for cell in cells(page, 1, "JTL"))


def test_a_gain_is_best_among_those_that_can_gain(tmp_path: Path) -> None:
    """The single-task networks' is 0 by definition, and no merit where the others lose."""
    gains = [("STL_Seg", 0.0), ("STL_Depth", 0.0), ("JTL", -3.0), ("SemiMTL", -1.5)]
    few = [("STL_Seg", 0.0), ("STL_Depth", 0.0), ("JTL", 2.0)]
    rows = [
        Row(domain, method, {"gain": gain})
        for domain, given in (("city_a", gains), ("city_b", few))
        for method, gain in given
    ]
    page = tmp_path / "index.html"
    write_report(
        page, title="", lead="", rows=rows, curves={}, scenes=[], tasks=TASKS, findings=[], facts={}
    )
    for domain, (given, best) in enumerate([(gains, ["SemiMTL"]), (few, [])]):
        last = {method: cells(page, domain, method)[-1] for method, _ in given}
        assert [name for name, cell in last.items() if cell.find("strong") is not None] == best


def test_columns_without_training_labels_are_marked(page: Path) -> None:
    marked = [
        [cell.get("class") == "hidden" for cell in cells(page, domain, "JTL")] for domain in (0, 1)
    ]
    assert marked[0] == [False, False, True, True, True, True, True, False]
    assert marked[1] == [True, True, False, False, False, False, False, False]


def test_layers_without_training_labels_are_marked(page: Path) -> None:
    layers = parse(page).findall(".//article/div")
    hidden = ["hidden" in str(layer.get("class")) for layer in layers]
    assert hidden == [False, True, True, False]
    for layer, unseen in zip(layers, hidden, strict=True):
        assert ("scenario hides" in "".join(layer[0].itertext())) == unseen


def test_text_is_escaped(page: Path) -> None:
    text = "".join(parse(page).itertext())
    for given in ("Two < three", "It is < 5 m & good.", "A < B & C", "SemiMTL <M2>", "0 & 1"):
        assert given in text


def test_panel_picture_shows_truth_and_maps(tmp_path: Path) -> None:
    scenes = [make_panel(tmp_path, "a", ["height"], "JTL", "price in $ and $")]
    path = tmp_path / "panels.png"
    panel_figure(scenes, TASKS, path)
    with Image.open(path) as made:
        pixels = np.asarray(made.convert("RGB"))
    # Height 5 m is the top of the ramp, in the truth, in two maps and in the legend.
    assert (pixels == RAMP[-1]).all(axis=2).sum() > 3 * 150 * 180


def test_missing_columns_are_missing_lines(page: Path) -> None:
    titles = [b.text for b in parse(page).findall(".//figure/b")]
    assert titles == [
        "City A: land cover, loss",
        "Land cover: alignment, loss",
        "Land cover: discriminator, loss",
        "City A: land cover, mIoU, %",
    ]


def test_metrics_without_any_known_column(tmp_path: Path) -> None:
    path = write_metrics(tmp_path / "metrics.csv", {"lr": [0.1], "odd/name": [None]})
    assert {name: dict(values) for name, values in read_metrics(path).items()} == {"lr": {0: 0.1}}
    assert curves_section({"STL_Seg": path}, TASKS) == ""


def test_nothing_to_show_is_still_a_page(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    write_report(
        path,
        title="Nothing",
        lead="",
        rows=[],
        curves={},
        scenes=[],
        tasks=TASKS,
        findings=[],
        facts={},
        opening=[method_section([], TASKS)],
    )
    heads = [head.text for head in parse(path).findall(".//h2")]
    assert heads == ["How it works"]


def test_sections_stand_where_they_are_asked_for(page: Path) -> None:
    heads = [head.text for head in parse(page).findall(".//h2")]
    assert heads == ["How it works", "Scores", "Maps", "Training", "How it was made", "The end"]


def test_errors_of_classes(tmp_path: Path) -> None:
    """Right, wrong, unknown in the map, unknown in the truth, no class at all."""
    made = write_raster(tmp_path / "m.tif", np.array([[[0, 1, 255, 1, 1]]], np.uint8), 255)
    truth = write_raster(tmp_path / "t.tif", np.array([[[0, 2, 1, 255, 7]]], np.uint8), 255)
    shown = colors_of(data_uri(error_map(made, truth, TASKS[0], 1.0, 420)))
    assert [tuple(pixel[:3]) for pixel in shown[0, :2]] == list(CORRECTNESS_COLORS.values())
    assert shown[0, :, 3].tolist() == [255, 255, 0, 0, 0]


def test_errors_of_heights(tmp_path: Path) -> None:
    """2 m too much, 2 m too little, right, beyond the ramp's top, unknown."""
    made = write_raster(tmp_path / "m.tif", np.array([[[7, 3, 5, 99, 5]]], np.float32), -9999)
    truth = write_raster(tmp_path / "t.tif", np.array([[[5, 5, 5, 5, np.nan]]], np.float32))
    shown = colors_of(data_uri(error_map(made, truth, TASKS[1], 8.0, 420)))
    colors = [tuple(pixel[:3]) for pixel in shown[0, :4]]
    assert colors == [ERROR_RAMP[2], ERROR_RAMP[2], ERROR_RAMP[0], ERROR_RAMP[-1]]
    assert shown[0, :, 3].tolist() == [255, 255, 255, 255, 0]


def test_errors_against_a_truth_on_another_grid(tmp_path: Path) -> None:
    """The truth has pixels of half the size; where it says 0, 1, 1, 0 the map says 0, 1, 1, 1."""
    made = write_raster(tmp_path / "m.tif", np.array([[[0, 1, 1, 1]]], np.uint8), 255)
    fine = np.array([0, 1, 1, 0], np.uint8)[None, None].repeat(2, axis=1).repeat(2, axis=2)
    truth = tmp_path / "t.tif"
    with rasterio.open(
        truth,
        "w",
        driver="GTiff",
        count=1,
        height=2,
        width=8,
        dtype="uint8",
        crs="EPSG:32633",
        transform=from_origin(500000, 5000000, 0.075, 0.075),
    ) as file:
        file.write(fine)
    shown = colors_of(data_uri(error_map(made, truth, TASKS[0], 1.0, 420)))
    right, wrong = CORRECTNESS_COLORS.values()
    assert [tuple(pixel[:3]) for pixel in shown[0]] == [right, right, right, wrong]


def test_errors_of_frames_without_a_georeference(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(tmp_path / "m.png")
    Image.fromarray(np.array([[0, 0, 255]], np.uint8)).save(tmp_path / "t.png")
    made = error_map(tmp_path / "m.png", tmp_path / "t.png", TASKS[0], 1.0, 420)
    assert np.asarray(made).tolist() == [[0, 1, 255]]


def test_panels_of_errors(tmp_path: Path) -> None:
    """Where maps are the truth all is right, and the figure another than that of the maps."""
    scenes = [make_panel(tmp_path, "a", ["height"], "JTL")]
    for name, errors in (("maps", False), ("errors", True)):
        panel_figure(scenes, TASKS, tmp_path / f"{name}.png", errors=errors)
    with Image.open(tmp_path / "maps.png") as maps, Image.open(tmp_path / "errors.png") as errors:
        assert maps.size == errors.size
        assert (np.asarray(maps) != np.asarray(errors)).any()


@pytest.mark.parametrize(
    ("value", "color"), [(0.0, RAMP[0]), (5.0, RAMP[2]), (10.0, RAMP[-1]), (99.0, RAMP[-1])]
)
def test_heights_have_the_ramp_s_colours(
    tmp_path: Path, value: float, color: tuple[int, int, int]
) -> None:
    data = np.full((1, 30, 20), value, np.float32)
    path = write_raster(tmp_path / "height.tif", data, -9999)
    shown = colors_of(data_uri(map_thumbnail(path, TASKS[1], 10.0, 420)))
    assert shown.shape == (30, 20, 4)
    assert (shown == (*color, 255)).all()


def test_classes_have_their_colours_and_unknown_is_transparent(tmp_path: Path) -> None:
    data = np.array([[[0, 1, 2, 255, 7]]], np.uint8)
    path = write_raster(tmp_path / "landcover.tif", data, 255)
    shown = colors_of(data_uri(map_thumbnail(path, TASKS[0], 1.0, 420)))
    assert [tuple(pixel) for pixel in shown[0, :3]] == [(*color, 255) for color in COLORS]
    assert (shown[0, 3:, 3] == 0).all()


def test_unknown_heights_are_transparent(tmp_path: Path) -> None:
    data = np.array([[[0, -9999, np.nan]]], np.float32)
    path = write_raster(tmp_path / "height.tif", data, -9999)
    shown = colors_of(data_uri(map_thumbnail(path, TASKS[1], 10.0, 420)))
    assert shown[0, :, 3].tolist() == [255, 0, 0]


def test_large_rasters_are_made_small(tmp_path: Path) -> None:
    data = np.repeat(np.array([0, 2], np.uint8), 300)[None, None].repeat(400, axis=1)
    path = write_raster(tmp_path / "landcover.tif", data, 255)
    made = map_thumbnail(path, TASKS[0], 1.0, 60)
    assert made.size == (60, 40)
    assert set(np.unique(np.asarray(made))) == {0, 2}


def test_photo_keeps_bytes_and_hides_the_unknown(tmp_path: Path) -> None:
    data = np.full((3, 8, 8), 100, np.uint8)
    data[:, 0, 0] = 0
    whole = image_thumbnail(write_raster(tmp_path / "whole.tif", data), 420)
    holed = image_thumbnail(write_raster(tmp_path / "holed.tif", data, 0), 420)
    assert whole.mode == "RGB"
    assert whole.getpixel((3, 3)) == (100, 100, 100)
    assert colors_of(data_uri(holed))[0, 0, 3] == 0


def test_scale_is_the_same_in_all_panels(tmp_path: Path) -> None:
    scenes = [make_panel(tmp_path, "a", []), make_panel(tmp_path, "b", [])]
    write_raster(scenes[1].truth["height"], np.full((1, 9, 9), 17.3, np.float32), -9999)
    assert ramp_maxima(scenes, TASKS) == {"height": 18.0}
