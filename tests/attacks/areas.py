"""Areas of interest: files of polygons, and coordinate reference systems."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from tests.attacks.attack import MAP, Attack
from tests.example_folder import GSD, NORTH, SIZE, WEST

EDGE = SIZE * GSD


def _box(left: float, bottom: float, right: float, top: float) -> BaseGeometry:
    """A box in shares of the orthophoto."""
    return shapely.box(
        WEST + left * EDGE,
        NORTH - (1 - bottom) * EDGE,
        WEST + right * EDGE,
        NORTH - (1 - top) * EDGE,
    )


def _ring(points: list[tuple[float, float]]) -> BaseGeometry:
    return shapely.Polygon([(WEST + x * EDGE, NORTH - y * EDGE) for x, y in points])


def _many(count: int) -> list[BaseGeometry]:
    """Small boxes at random places."""
    places = np.random.default_rng(0).random((count, 2)) * 0.99
    return [_box(x, y, x + 0.01, y + 0.01) for x, y in places]


def _star(points: int) -> BaseGeometry:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radii = np.where(np.arange(points) % 2, 0.4, 0.05)
    corners = zip(0.5 + radii * np.cos(angles), 0.5 + radii * np.sin(angles), strict=True)
    return _ring([(float(x), float(y)) for x, y in corners])


GEOMETRIES: dict[str, list[BaseGeometry | None]] = {
    "a bow tie": [_ring([(0, 0), (1, 1), (1, 0), (0, 1)])],
    "a hole as large as its shell": [
        shapely.Polygon(_box(0, 0, 1, 1).exterior.coords, [_box(0, 0, 1, 1).exterior.coords])
    ],
    "a hole outside": [
        shapely.Polygon(
            _box(0, 0, 0.2, 0.2).exterior.coords, [_box(0.5, 0.5, 1, 1).exterior.coords]
        )
    ],
    "smaller than a pixel": [_box(0.5, 0.5, 0.501, 0.501)],
    "a line": [shapely.LineString([(WEST, NORTH), (WEST + EDGE, NORTH)])],
    "a flat polygon": [_ring([(0, 0), (1, 1), (0, 0)])],
    "empty": [shapely.Polygon()],
    "nothing": [None],
    "no features": [],
    "NaN": [shapely.Polygon([(WEST, NORTH), (WEST + 9, np.nan), (WEST + 9, NORTH - 9)])],
    "infinite": [shapely.Polygon([(WEST, NORTH), (np.inf, NORTH), (WEST, NORTH - 9)])],
    "the whole world": [shapely.box(-1e9, -1e9, 1e9, 1e9)],
    "1e300": [shapely.box(-1e300, -1e300, 1e300, 1e300)],
    "nested collections": [
        shapely.GeometryCollection([shapely.GeometryCollection([_box(0, 0, 0.5, 0.5)])])
    ],
    "points and a polygon": [shapely.Point(WEST, NORTH), _box(0, 0, 0.5, 0.5)],
    "heights": [shapely.force_3d(_box(0, 0, 0.5, 0.5), 7)],
    "a star of 20,000 points": [_star(20_000)],
    "1000 boxes": [*_many(1000)],
    "20,000 boxes": [*_many(20_000)],
    "20,000 boxes as one": [shapely.MultiPolygon(_many(20_000))],
    "the same box 5000 times": [_box(0.1, 0.1, 0.9, 0.9)] * 5000,
    "outside": [_box(3, 3, 4, 4)],
    "an edge in common": [_box(1, 0, 2, 1)],
}
CRSS = (
    "EPSG:25832",
    "EPSG:4326",
    "EPSG:3857",
    "EPSG:4978",
    "EPSG:5773",
    "EPSG:25833",
    "EPSG:2056",
    "EPSG:32761",
    "ESRI:54009",
    "EPSG:999999",
    "EPSG:-1",
    "EPSG:25832+5773",
    "+proj=utm +zone=32",
    "+proj=utm +zone=99",
    "+proj=longlat +lon_wrap=nan",
    "+proj=tmerc +k=0",
    "+proj=pipeline +step +proj=nothing",
    "http://127.0.0.1:9/crs",
    "OGC:CRS84",
    "IGNF:LAMB93",
    "WGS 84 / UTM zone 32N",
    'LOCAL_CS["site",UNIT["metre",1]]',
    'ENGCRS["a"]',
    'PROJCS["',
    "{}",
    '{"type": "GeographicCRS"}',
    "nonsense",
    "",
    " ",
    "0",
    "25832",
    "\u0000",
    "x" * 5000,
    "../../etc/passwd",
)


def _save(folder: Path, geometries: list[BaseGeometry | None], name: str = "hostile.gpkg") -> None:
    frame = geopandas.GeoDataFrame(geometry=geometries, crs="EPSG:25832")
    frame.to_file(folder / name)


def _geojson(**members: Any) -> Callable[[Path], object]:
    text = json.dumps({"type": "FeatureCollection", "features": []} | members)
    return lambda folder: (folder / "hostile.geojson").write_text(text, encoding="utf-8")


def _text(text: str, name: str = "hostile.geojson") -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def _layers(folder: Path) -> None:
    for layer in ("one", "two"):
        frame = geopandas.GeoDataFrame(geometry=[_box(0, 0, 0.5, 0.5)], crs="EPSG:25832")
        frame.to_file(folder / "hostile.gpkg", layer=layer)


SQUARE = {
    "type": "Feature",
    "properties": {},
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
}
FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no features of GeoJSON": ("hostile.geojson", _geojson()),
    "degrees far away": ("hostile.geojson", _geojson(features=[SQUARE])),
    "a CRS of nonsense": (
        "hostile.geojson",
        _geojson(features=[SQUARE], crs={"type": "name", "properties": {"name": "nonsense"}}),
    ),
    "a linked CRS": (
        "hostile.geojson",
        _geojson(
            features=[SQUARE],
            crs={"type": "link", "properties": {"href": "http://127.0.0.1:9/", "type": "ogcwkt"}},
        ),
    ),
    "broken JSON": ("hostile.geojson", _text('{"type": "FeatureCollection", "features": [')),
    "deep JSON": ("hostile.geojson", _text("[" * 100_000)),
    "an empty file": ("hostile.geojson", _text("")),
    "not UTF-8": (
        "hostile.geojson",
        lambda folder: (folder / "hostile.geojson").write_bytes(b'{"type": "\xff\xfe"}'),
    ),
    "an empty GeoPackage": ("hostile.gpkg", _text("", "hostile.gpkg")),
    "half a GeoPackage": (
        "area.gpkg",
        lambda folder: (folder / "area.gpkg").write_bytes(
            (folder / "area.gpkg").read_bytes()[:30_000]
        ),
    ),
    "a CSV": ("hostile.csv", _text("a,b\n1,2\n", "hostile.csv")),
    "a raster": ("ortho.tif", lambda folder: None),
    "a folder": ("data", lambda folder: None),
    "several layers": ("hostile.gpkg", _layers),
    "a zip archive that is not there": ("/vsizip/none.zip/a.gpkg", lambda folder: None),
    "a URL that nobody serves": ("http://127.0.0.1:9/area.gpkg", lambda folder: None),
    "a name of 300 characters": (300 * "x" + ".gpkg", lambda folder: None),
    "a database": ("PG:dbname=none", lambda folder: None),
}


def attacks() -> Iterator[Attack]:
    """Yield areas, then CRSs of maps and of areas."""
    for name, geometries in GEOMETRIES.items():
        command = (*MAP, "ortho.tif", "--area", "hostile.gpkg")
        yield Attack(
            f"geometry: {name}",
            command,
            lambda folder, geometries=geometries: _save(folder, geometries),  # type: ignore[misc]
        )
    for name, (file, prepare) in FILES.items():
        yield Attack(f"file: {name}", (*MAP, "ortho.tif", "--area", file), prepare)
    for crs in CRSS:
        yield Attack(f"CRS of the map: {crs[:40]!r}", (*MAP, "ortho.tif", "--crs", crs))
        if crs.strip("\0 "):

            def with_crs(folder: Path, crs: str = crs) -> None:
                frame = geopandas.GeoDataFrame(geometry=[_box(0, 0, 0.5, 0.5)])
                frame.to_file(folder / "hostile.shp")
                (folder / "hostile.prj").write_text(crs, encoding="utf-8")

            command = (*MAP, "ortho.tif", "--area", "hostile.shp")
            yield Attack(f"CRS of the area: {crs[:40]!r}", command, with_crs)
