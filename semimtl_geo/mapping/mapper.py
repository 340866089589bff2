"""Maps from a trained network: of rasters, of many places, and of images in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Literal, Unpack

import xarray

from semimtl_geo.mapping.dataset import CHUNK
from semimtl_geo.mapping.images import read_image
from semimtl_geo.mapping.lazy import map_image
from semimtl_geo.mapping.many import FinishedCallback, map_places
from semimtl_geo.mapping.names import check_name, name_places
from semimtl_geo.mapping.settings import MapOptions, MapSettings
from semimtl_geo.mapping.spreading import PlaceProgress
from semimtl_geo.mapping.trained_network import TrainedNetwork
from tiles.files import output_path
from tiles.reading.array_raster import RasterImage, as_rasters
from tiles.types import BandSelection, ProgressCallback, RasterName

if TYPE_CHECKING:
    from distributed import Client


class Mapper(TrainedNetwork):
    """Maps rasters and images with a trained network.

    Usually made by :meth:`load`; the arguments of the constructor are those of
    :class:`semimtl_geo.mapping.trained_network.TrainedNetwork`.

    Example:
        >>> from semimtl_geo import Mapper
        >>> mapper = Mapper.load("semimtl.ckpt")
        >>> maps = mapper.map("ortho.tif", "maps", confidence=True)
        >>> list(maps), maps.landcover.shape
        (['landcover', 'height', 'landcover_confidence'], (96, 96))
        >>> city_b = mapper.for_domain("city_b").map("ortho.tif", "maps_of_city_b")
        >>> city_b.attrs["comment"]
        'BatchNorm statistics: of the training domain city_b'
    """

    def map(
        self,
        raster: RasterImage | Sequence[RasterImage],
        out: str | PathLike[str],
        *,
        name: str | None = None,
        domain: str | None = None,
        bands: BandSelection | None = None,
        area: RasterName | None = None,
        crs: str | None = None,
        grid: Literal["source", "network"] = "source",
        white: float | None = None,
        resolution: float | None = None,
        confidence: bool = False,
        plausibility: bool = False,
        probabilities: bool = False,
        tile: int | None = None,
        overlap: int | None = None,
        batch_size: int | None = None,
        devices: Sequence[str] | None = None,
        client: Client | None = None,
        progress: ProgressCallback | None = None,
    ) -> xarray.Dataset:
        """Map a raster of any size: ``<out>/<name>_<task>.tif``.

        Args:
            raster: An orthophoto, anything that GDAL reads, or an image that xarray holds; the path
                or URL of a STAC Item (``item.json``, ``item.json#asset``); a tile service with an
                `area`: a URL with ``{z}``, ``{x}`` and ``{y}``, or ``WMTS:URL,layer=NAME``. Or the
                files of one place, which give one map.
            out: Folder for the maps, created if it does not exist.
            name: First part of the maps' names; by default the raster's name. Several files need
                one.
            domain: Use the BatchNorm statistics of this training domain. If None, and the network
                has statistics per domain, they are re-estimated on the raster.
            bands: Numbers from 1, or names, of the bands that the network wants, in its order. By
                default those that the file describes by these names, or all bands but alpha if
                there are just as many.
            area: A file of polygons; only pixels inside them are mapped.
            crs: Map in this coordinate reference system; by default in the raster's.
            grid: Map on the raster's own grid, or on the grid that the network sees.
            white: The raster's value that is scaled to 1, such as 4095 for 12-bit data in 16-bit
                files. By default that of the model card for more than 8 bits, or the maximum of the
                data type.
            resolution: Ground sampling distance in metres at which a tile service is read, at the
                zoom level that comes nearest; by default the network's.
            confidence: Write ``<name>_<task>_confidence.tif`` for tasks of classes, too: the
                highest probability in percent.
            plausibility: Write ``<name>_<task>_plausibility.tif``, too: the probability, in
                percent, that the task's discriminator assigns to ground truth.
            probabilities: Write ``<name>_<task>_probabilities.tif`` for tasks of classes, too: the
                probability of each class in percent, a band per class.
            tile: Edge of a tile in the network's pixels; by default that of the model card, or
                that of its training crops.
            overlap: Pixels that neighbouring tiles share at least; by default those of the model
                card, or half a tile.
            batch_size: Tiles predicted at once; by default as many as have half a million pixels,
                at most 32.
            devices: Predict on these, such as ``["cuda:0", "cuda:1"]``, in one process for each.
                Scripts then need ``if __name__ == "__main__":``.
            client: Predict on the workers of a dask cluster instead, each on its first GPU or CPU.
            progress: Called with pixels done and pixels in all.

        Returns:
            The maps, opened by :func:`semimtl_geo.mapping.open_maps`;
            :func:`semimtl_geo.mapping.map_files` gives their files.

        Raises:
            InputError: If a raster or the folder cannot be used. No map is left behind then; rows
                that were finished stay in a hidden folder, from which the next call continues.

        Warns:
            CoarseRasterWarning: If the raster is too coarse for the network to map it well.
            DarkRasterWarning: If the raster seems to have fewer bits than its type.

        Example:
            >>> from semimtl_geo.mapping import Mapper, map_files
            >>> maps = Mapper.load("semimtl.ckpt").map("ortho.tif", "maps", area="area.gpkg")
            >>> map_files(maps)["height"].as_posix()
            'maps/ortho_height.tif'
        """
        files = as_rasters(raster)
        name = check_name(name, files)
        mapper = self if domain is None else self.for_domain(domain)
        maps = map_places(
            mapper,
            {name: files},
            output_path(out),
            MapSettings(
                tile=tile,
                overlap=overlap,
                bands=bands,
                area=area,
                crs=crs,
                grid=grid,
                white=white,
                resolution=resolution,
                confidence=confidence,
                plausibility=plausibility,
                probabilities=probabilities,
                batch_size=batch_size,
            ),
            devices=devices,
            client=client,
            progress=None if progress is None else lambda _, *counts: progress(*counts),
            stacklevel=3,
        )
        return maps[name]

    def map_many(
        self,
        rasters: Sequence[RasterImage] | Mapping[str, RasterImage | Sequence[RasterImage]],
        out: str | PathLike[str],
        statistics: str = "joint",
        *,
        devices: Sequence[str] | None = None,
        client: Client | None = None,
        progress: PlaceProgress | None = None,
        finished: FinishedCallback | None = None,
        **options: Unpack[MapOptions],
    ) -> dict[str, xarray.Dataset]:
        """Map several places with one set of BatchNorm statistics: ``<out>/<name>_<task>.tif``.

        All rasters are looked at before the first is mapped. In a given precision, the maps are the
        same bytes wherever they are made: here, in several processes or on a cluster. Whole places
        are spread if there are enough to keep all processes or workers busy; otherwise panels of
        one place after the other. An interrupted call is continued by the next one with the same
        arguments.

        Args:
            rasters: Rasters that are named after their files, or images that xarray holds; or those
                of each place by its name, one or more of which give one map.
            out: Folder for the maps, created if it does not exist.
            statistics: ``"joint"`` re-estimates BatchNorm statistics once on all rasters, so that
                maps of neighbours agree; ``"each"`` on each place by itself, which maps one place
                after the other; any other word is the training domain whose statistics are used.
                ``"joint"`` and ``"each"`` make no difference if the network has only one set of
                statistics, or one was chosen by :meth:`for_domain` or :meth:`adapt`.
            devices: Predict on these, in one process for each.
            client: Predict on the workers of a dask cluster.
            progress: Called with the name of a place, its pixels done and its pixels in all.
            finished: Called with the name of a place and its maps when they are written. On several
                devices or a cluster places may be finished in any order.
            **options: The arguments ``bands`` to ``batch_size`` of :meth:`map`, for all places.

        Returns:
            The maps by the name of the place, as :meth:`map` returns them, in the order of
            `rasters`.

        Raises:
            InputError: If a raster or the folder cannot be used, two rasters have the same name, or
                a map would overwrite a raster.

        Warns:
            CoarseRasterWarning: If a raster is too coarse for the network to map it well.
            DarkRasterWarning: If a raster seems to have fewer bits than its type.

        Example:
            >>> from semimtl_geo import Mapper
            >>> places = {"west": "ortho.tif", "city": ["ortho.tif"]}
            >>> maps = Mapper.load("semimtl.ckpt").map_many(places, "maps", statistics="joint")
            >>> list(maps), maps["west"].attrs["comment"] == maps["city"].attrs["comment"]
            (['west', 'city'], True)
        """
        return map_places(
            self,
            name_places(rasters),
            output_path(out),
            MapSettings(**options),
            statistics=statistics,
            devices=devices,
            client=client,
            progress=progress,
            finished=finished,
            stacklevel=3,
        )

    def predict(
        self,
        image: xarray.DataArray,
        *,
        domain: str | None = None,
        bands: BandSelection | None = None,
        white: float | None = None,
        confidence: bool = False,
        plausibility: bool = False,
        probabilities: bool = False,
        tile: int | None = None,
        overlap: int | None = None,
        batch_size: int | None = None,
        chunk: int = CHUNK,
    ) -> xarray.Dataset:
        """Map an image that xarray holds, lazily and on its own grid.

        Pixels are computed when they are asked for, chunk by chunk. Ask for all variables at once,
        as ``dataset.compute()`` does: each chunk is predicted once for all of them. Tiles are laid
        over the whole image and blended as in :meth:`map`, so that the maps are those of a raster
        with the same pixels, however the image or the maps are cut into chunks. On a GPU, which may
        round otherwise in batches of another size, heights can differ in the last digits.

        Args:
            image: Array ``[band, y, x]`` with a coordinate reference system (``.rio.crs``), of
                numpy or dask, as rioxarray and odc-stac load it. Pixels that are NaN, or nodata
                (``.rio.nodata``) as :meth:`map` takes it, are unknown.
            domain: Use the BatchNorm statistics of this training domain. If None, and the network
                has statistics per domain, they are re-estimated on the image: that alone is done
                at once, and computes the pixels of about 96 crops.
            bands: Numbers from 1, or names, of the bands that the network wants, in its order. By
                default those that the coordinate ``band`` or the attribute ``long_name`` calls by
                these names, or all bands if there are just as many.
            white: The image's value that is scaled to 1; by default that of the model card for
                integers of more than 8 bits, or the maximum of the data type, also of integers
                that rioxarray has masked, or 1 for real numbers.
            confidence: If True, also return the highest probability of classes in percent.
            plausibility: If True, also return the probability, in percent, that the
                discriminators assign to ground truth.
            probabilities: If True, also return the probability of each class in percent,
                ``[class, y, x]``.
            tile: Edge of a tile in the network's pixels; by default that of the model card, or
                that of its training crops.
            overlap: Pixels that neighbouring tiles share at least; by default those of the model
                card, or half a tile.
            batch_size: Tiles predicted at once; by default as many as have half a million pixels,
                at most 32.
            chunk: Edge of a chunk of the maps in pixels. Tiles on its border are predicted for
                each chunk that they touch.

        Returns:
            Dask-backed variables as those of :func:`semimtl_geo.mapping.open_maps`: classes are
            uint8 with ``flag_values`` and ``flag_meanings``, 255 where unknown; values are float32
            with ``units``, NaN where unknown.

        Raises:
            InputError: If the image has other dimensions or bands, or no georeference.

        Warns:
            CoarseRasterWarning: If the image is too coarse for the network to map it well.

        Example:
            >>> import rioxarray
            >>> from semimtl_geo import Mapper
            >>> image = rioxarray.open_rasterio("ortho.tif", chunks=True)
            >>> maps = Mapper.load("semimtl.ckpt").predict(image)
            >>> maps.height.isel(x=slice(0, 10)).compute().dtype
            dtype('float32')
        """
        options = MapSettings(
            confidence=confidence,
            plausibility=plausibility,
            probabilities=probabilities,
            tile=tile,
            overlap=overlap,
            batch_size=batch_size,
        )
        mapper = self if domain is None else self.for_domain(domain)
        return map_image(mapper, read_image(image, self.card, bands, white, chunk), options, chunk)
