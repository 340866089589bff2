"""The YAML file that describes a user's own folder of scenes, as checked dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StrictInt, StrictStr
from pydantic.dataclasses import dataclass

from semimtl_geo.prepare.splits import SplitSettings
from tiles.settings import read_settings_file

MAX_CLASSES: Final = 254
EXAMPLE: Final = "see 'Prepare your own data' in docs/own_cities.md"

NO_OTHERS: Final = ConfigDict(extra="forbid")
"""Settings with other names are refused: they are misspelt."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Byte = Annotated[int, Field(strict=True, ge=0, le=255)]
ColorCode = tuple[Byte, Byte, Byte]
Band = StrictInt | StrictStr
Code = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Bands = Annotated[tuple[Band, ...], Field(min_length=1)]
Pattern = Annotated[StrictStr, Field(min_length=1)]
"""Files below the raw folder, see :mod:`semimtl_geo.prepare.own.patterns`."""


def _first_duplicate(entries: Sequence[Any]) -> Any:
    """Return the first entry that occurs a second time, or None."""
    return next((entry for i, entry in enumerate(entries) if entry in entries[:i]), None)


@dataclass(frozen=True, config=NO_OTHERS)
class StackedFiles:
    """Files whose bands are written after those of the orthophotos.

    Attributes:
        files: The files.
        bands: Numbers or names of their bands.
    """

    files: Pattern
    bands: Bands = (1,)


@dataclass(frozen=True, config=NO_OTHERS)
class ImageSettings:
    """Orthophotos.

    Attributes:
        files: The orthophotos, each of which is a scene.
        bands: Numbers or names of the bands, in the order to write them.
        stack: Further files of the same places, such as those of an infrared band.
        gsd: Ground sampling distance in metres of orthophotos without a georeference, whose scenes
            are laid side by side. None refuses such files.
        names: Names to write for all bands; those that each file has if None.
        white: Value that becomes 255 in images of bytes. If None, values are written unchanged, and
            white is the largest integer of their type, or 1.
    """

    files: Pattern = "image/*"
    bands: Bands = (1, 2, 3)
    stack: tuple[StackedFiles, ...] = ()
    gsd: Positive | None = None
    names: tuple[StrictStr, ...] | None = None
    white: Positive | None = None

    def __post_init__(self) -> None:
        """Check that there is a name per band."""
        count = len(self.bands) + sum(len(more.bands) for more in self.stack)
        if self.names is not None and len(self.names) != count:
            raise ValueError(f"names must be {count}, one per band")


@dataclass(frozen=True, config=NO_OTHERS)
class ClassEntry:
    """A class of land cover.

    Attributes:
        name: Name of the class.
        color: Colour (red, green, blue), which is its code in label images of three bands.
        values: Values in label rasters of one band, numbers or texts of polygons; the number of the
            class if None.
    """

    name: StrictStr
    color: ColorCode
    values: tuple[Code | StrictStr, ...] | None = None


@dataclass(frozen=True, config=NO_OTHERS)
class LandcoverSettings:
    """Rasters or polygons of land cover.

    Attributes:
        files: The files.
        field: Field of polygons that holds their values. If None, the value of a polygon is the
            name of its layer.
        layer: Layer to read from files of polygons that have several; all layers of polygons if
            None.
    """

    files: Pattern = "landcover/*"
    field: StrictStr | None = None
    layer: StrictStr | None = None


@dataclass(frozen=True, config=NO_OTHERS)
class ElevationFiles:
    """Files of a surface model or of a terrain model.

    Attributes:
        files: The files.
        band: Number or name of the band of heights; None takes the only one.
    """

    files: Pattern
    band: Band | None = None


@dataclass(frozen=True, config=NO_OTHERS)
class HeightSettings:
    """Rasters of heights above ground, or of the models whose difference they are.

    Attributes:
        files: Rasters of heights above ground.
        band: Number or name of their band of heights; None takes the only one.
        surface: Surface model; heights above ground are then surface minus terrain.
        terrain: Terrain model.
        holes: Width in metres of the widest holes of the terrain model that are filled; laser
            scanning leaves them under buildings.
        scale: Metres per unit; None reads it from each file.
        offset: Metres at value 0; applies to heights above ground, not to surface or terrain.
        nodata: Value that means unknown, in addition to the nodata that files declare.
    """

    files: Pattern = "height/*"
    band: Band | None = None
    surface: StrictStr | ElevationFiles | None = None
    terrain: StrictStr | ElevationFiles | None = None
    holes: Annotated[Number, Field(ge=0)] = 100.0
    scale: Positive | None = None
    offset: Number = 0.0
    nodata: Number | None = None

    def __post_init__(self) -> None:
        """Check that both models are given, or none."""
        if (self.surface is None) != (self.terrain is None):
            raise ValueError("needs both surface and terrain, or neither (see semimtl-geo ndsm)")

    @property
    def models(self) -> dict[str, ElevationFiles]:
        """Return the surface and the terrain model; empty if heights are given as such."""
        given = {"surface": self.surface, "terrain": self.terrain}
        return {
            name: ElevationFiles(model) if isinstance(model, str) else model
            for name, model in given.items()
            if model is not None
        }


@dataclass(frozen=True, config=NO_OTHERS)
class FolderSettings:
    """Content of the YAML file; :mod:`semimtl_geo.prepare.own.folder` shows an example.

    Attributes:
        name: Name of the domain; that of the raw folder if None.
        match: Whether the other files of an orthophoto are those of its name, or all that lie at
            its place.
        image: Orthophotos.
        landcover: Rasters or polygons of land cover.
        classes: The classes 0, 1, ...
        unknown: Values, texts or colours in land cover that mean unknown.
        height: Rasters of heights.
        split: Scenes of each split.
        gsd: Ground sampling distance to write, in metres; that of each orthophoto if None.
        crs: Coordinate reference system to write; that of each orthophoto if None.
    """

    name: StrictStr | None = None
    match: Literal["name", "place"] = "name"
    image: ImageSettings = ImageSettings()
    landcover: LandcoverSettings = LandcoverSettings()
    classes: Annotated[tuple[ClassEntry, ...], Field(max_length=MAX_CLASSES)] = ()
    unknown: tuple[StrictInt | StrictStr | ColorCode, ...] = ()
    height: HeightSettings = HeightSettings()
    split: SplitSettings = SplitSettings()
    gsd: Positive | None = None
    crs: StrictStr | None = None

    def __post_init__(self) -> None:
        """Check the name, and that no two classes share a value, name or colour."""
        name = self.name
        if name is not None and (not name or Path(name).name != name or name.startswith(".")):
            raise ValueError(f"name must be the name of a folder, got {name!r}")
        for kind, entries in (
            ("value", [*(value for value, _ in self.class_of_value), *self.unknown]),
            ("name", [entry.name for entry in self.classes]),
            ("color", [*(entry.color for entry in self.classes), *self.unknown]),
        ):
            if (twice := _first_duplicate(entries)) is not None:
                raise ValueError(f"has the {kind} {twice!r} for two classes")
        if self.match == "place" and self.image.gsd is not None:
            raise ValueError("match: place needs georeferences, which image: gsd stands in for")

    @property
    def class_of_value(self) -> list[tuple[int | str, int]]:
        """Return each value of land cover, and the number of its class."""
        return [
            (value, number)
            for number, entry in enumerate(self.classes)
            for value in ((number,) if entry.values is None else entry.values)
        ]


def read_settings(file: Path) -> FolderSettings:
    """Read and check the YAML file.

    Args:
        file: The file.

    Returns:
        Its settings, with defaults for those it leaves out.

    Raises:
        MissingFileError: If the file does not exist.
        InputError: If the file is not YAML, or a setting is unknown or has an impossible value.
    """
    return read_settings_file(file, FolderSettings, EXAMPLE)
