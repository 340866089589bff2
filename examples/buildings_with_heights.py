"""Buildings with heights from the maps of a scene, as a GeoPackage that QGIS shows in 2D and 3D.

python examples/buildings_with_heights.py maps/ortho_landcover.tif maps/ortho_height.tif ortho.gpkg
"""

from __future__ import annotations

import sys

import geopandas

from tiles.vectors.building_polygons import buildings


def main(land_cover: str, height: str, out: str) -> None:
    footprints = geopandas.read_file(buildings(land_cover, height, out), layer="footprints")
    print(f"{out}: {len(footprints)} buildings")
    print("    id  area m2  height m  volume m3")
    for building in footprints.nlargest(10, "height_m").itertuples():
        print(
            f"{building.id:6d} {building.area_m2:8.0f} {building.height_m:9.1f} "
            f"{building.volume_m3:10.0f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
