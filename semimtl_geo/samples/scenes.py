"""The files of the sample scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

LABELS: Final = ("landcover", "height")

ATTRIBUTIONS: Final = {
    "eugene": '"Autzen Stadium LiDAR data provided by Aaron Reyna of Watershed Sciences, Inc. in '
    '2010", and its orthophoto: PDAL/data on GitHub, CC BY 4.0',
    "versailles": 'KyFromAbove, Commonwealth of Kentucky, "Public Domain with Attribution"; '
    "colours probably NAIP (USDA, public domain; inferred)",
}
"""Sources and licences, as ``ATTRIBUTION.md`` has them."""


@dataclass(frozen=True)
class SampleScene:
    """A scene of a real town: 0.5 m per pixel, about 480 x 480 px.

    Attributes:
        town: Name of the town, which is that of a training domain of the packaged model.
        folder: Folder with ``image/``, ``landcover/`` and ``height/``, as
            :func:`semimtl_geo.mapping.evaluate` takes it.
        image: The orthophoto: red, green, blue, uint8.
        labels: Label rasters by task: ``landcover`` (uint8; 255: unknown) and ``height`` (float32,
            metres above ground; -9999: unknown).
        attribution: Source and licence, to be named wherever the scene is passed on. They are also
            the image's ``TIFFTAG_COPYRIGHT``.

    Example:
        >>> import rasterio
        >>> with rasterio.open(sample_scenes()[0].image) as ortho:
        ...     ortho.count, ortho.res, ortho.crs.to_string()
        (3, (0.5, 0.5), 'EPSG:2993')
    """

    town: str
    folder: Path
    image: Path
    labels: Mapping[str, Path]
    attribution: str


def _root() -> Path:
    return Path(str(resources.files("semimtl_geo.samples")))


def sample_scenes() -> list[SampleScene]:
    """Return the sample scenes, of which no packaged model was trained on any.

    Whoever passes them on must name their sources, :attr:`SampleScene.attribution`.

    Example:
        >>> from semimtl_geo import Mapper
        >>> mapper = Mapper.load("towns")
        >>> for scene in sample_scenes():
        ...     maps = mapper.map(scene.image, "maps")
        ...     print(scene.town, sorted(maps), sorted(scene.labels))
        eugene ['height', 'landcover'] ['height', 'landcover']
        versailles ['height', 'landcover'] ['height', 'landcover']
    """
    scenes = []
    for image in sorted(_root().glob("*/test/image/*.tif")):
        folder = image.parents[1]
        labels = {name: folder / name / image.name for name in LABELS}
        town = folder.parent.name
        scenes.append(SampleScene(town, folder, image, labels, ATTRIBUTIONS[town]))
    return scenes
