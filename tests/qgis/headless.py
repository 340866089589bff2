"""The plugin in a real QGIS without a window: `make test-qgis`, with the Python of QGIS.

    QT_QPA_PLATFORM=offscreen python3 tests/qgis/headless.py PYTHON

PYTHON is that of an environment that has semimtl_geo.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "qgis_plugin"), "/usr/share/qgis/python/plugins"]

from osgeo import gdal
from qgis._3d import Qgs3D, QgsVectorLayer3DRendererMetadata
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsLayerDefinition,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsRenderContext,
    QgsSymbolLayer,
    QgsVectorLayer,
)

from semimtl_geo_qgis import classFactory, environment
from semimtl_geo_qgis.process import Outcome, run

# QGIS writes statistics beside rasters that it looks at, so these are copies.
SAMPLES = Path(tempfile.mkdtemp()) / "samples"
shutil.copytree(ROOT / "semimtl_geo" / "samples", SAMPLES)
ORTHO = next(SAMPLES.rglob("image/*.tif"))
PYTHON = sys.argv.pop(1)


class Words(QgsProcessingFeedback):
    """Feedback that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(False)
        self.lines: list[str] = []
        self.shares: list[float] = []
        self.progressChanged.connect(self.shares.append)

    def pushInfo(self, info: str) -> None:  # noqa: N802
        self.lines.append(info)

    pushConsoleInfo = pushInfo  # noqa: N815
    pushCommandInfo = pushInfo  # noqa: N815

    def reportError(self, error: str, fatal: bool = False) -> None:  # noqa: N802
        self.lines.append(error)


class PluginTest(unittest.TestCase):
    """The algorithms, called as a model or a script of QGIS calls them."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.plugin = classFactory(None)
        cls.plugin.initProcessing()
        outputs, _, ended = cls.call("setup", {"PYTHON": PYTHON})
        assert ended, "the environment cannot be used"
        assert outputs["VERSION"]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.plugin.unload()
        shutil.rmtree(cls.folder)
        shutil.rmtree(SAMPLES.parent)

    @classmethod
    def call(
        cls, name: str, parameters: dict[str, Any], words: Words | None = None
    ) -> tuple[dict[str, Any], Words, bool]:
        """Run an algorithm and load its layers; outputs, what was said, and whether it ended."""
        words = words or Words()
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"semimtl_geo:{name}")
        cls.context = QgsProcessingContext()
        cls.context.setProject(QgsProject.instance())
        cls.context.setFeedback(words)
        accepted, fault = algorithm.checkParameterValues(parameters, cls.context)
        assert accepted, fault
        outputs, ended = algorithm.run(parameters, cls.context, words)
        return outputs, words, ended

    def out(self, name: str) -> str:
        return str(self.folder / name)

    def test_every_algorithm_is_explained(self) -> None:
        provider = QgsApplication.processingRegistry().providerById("semimtl_geo")
        algorithms = {algorithm.name(): algorithm for algorithm in provider.algorithms()}
        assert {*algorithms} == {"map", "buildings", "heightsaboveground", "setup"}
        for algorithm in algorithms.values():
            assert algorithm.displayName()
            assert "<p>" in algorithm.shortHelpString()
            assert not algorithm.icon().isNull()
            # A parameter that cannot be serialised could not be in a model.
            assert algorithm.create() is not None

    def test_maps_come_in_styled_and_give_buildings(self) -> None:
        parameters = {"INPUT": str(ORTHO), "OUTPUT": "TEMPORARY_OUTPUT"}
        outputs, words, ended = self.call("map", parameters)
        assert ended, words.lines
        assert words.shares[-1] == 100
        out = outputs["OUTPUT"]
        details = self.context.layersToLoadOnCompletion()
        assert {Path(file).name for file in details} == {
            f"{ORTHO.stem}_landcover.tif",
            f"{ORTHO.stem}_height.tif",
        }
        for file, detail in details.items():
            layer = QgsRasterLayer(file, detail.name)
            detail.postProcessor().postProcessLayer(layer, self.context, words)
            assert layer.isValid()
            if file.endswith("landcover.tif"):
                assert isinstance(layer.renderer(), QgsPalettedRasterRenderer)
                labels = [entry.label for entry in layer.renderer().classes()]
                assert "building" in labels
            else:
                assert layer.renderer().type() == "singlebandpseudocolor"
        self.open_group(Path(out) / f"{ORTHO.stem}_maps.qlr")
        found, words, ended = self.call("buildings", {"MAPS": out, "OUTPUT": self.out("houses")})
        assert ended, words.lines
        houses = QgsVectorLayer(found["BUILDINGS"], "houses")
        assert houses.isValid()
        assert houses.featureCount() > 5
        assert Path(outputs["LANDCOVER"]).parent == Path(outputs["OUTPUT"])
        blocks = QgsVectorLayer(f"{found['BUILDINGS']}|layername=blocks", "blocks")
        assert blocks.renderer3D().type() == "vector"
        (symbol,) = houses.renderer().symbols(QgsRenderContext())
        color = symbol.symbolLayer(0).dataDefinedProperties()
        assert "height_m" in color.property(QgsSymbolLayer.PropertyFillColor).expressionString()

    def open_group(self, file: Path) -> None:
        """Open the maps of a place at once, from another folder than the one of the process."""
        project = QgsProject()
        done, message = QgsLayerDefinition.loadLayerDefinition(
            str(file), project, project.layerTreeRoot()
        )
        assert done, message
        (group,) = project.layerTreeRoot().children()
        assert group.name() == ORTHO.stem
        layers = {layer.name(): layer for layer in project.mapLayers().values()}
        assert {*layers} == {"landcover", "height"}
        for layer in layers.values():
            assert layer.isValid()
            assert layer.crs() == QgsRasterLayer(str(ORTHO)).crs()
        assert isinstance(layers["landcover"].renderer(), QgsPalettedRasterRenderer)

    def large(self) -> str:
        """Return a virtual raster of 16 samples side by side."""
        target = self.folder / "large.vrt"
        sample = gdal.Open(str(ORTHO))
        left, pixel, _, top, _, _ = sample.GetGeoTransform()
        width, height = pixel * sample.RasterXSize, pixel * sample.RasterYSize
        tiles = []
        for number in range(16):
            row, column = divmod(number, 4)
            west, north = left + column * width, top - row * height
            bounds = [west, north, west + width, north - height]
            tiles.append(str(self.folder / f"tile{number}.vrt"))
            gdal.Translate(tiles[-1], sample, format="VRT", outputBounds=bounds)
        gdal.BuildVRT(str(target), tiles).FlushCache()
        return str(target)

    def test_a_canceled_map_goes_on_with_the_same_bytes(self) -> None:
        whole, broken, large = self.out("whole"), self.out("broken"), self.large()
        self.call("map", {"INPUT": large, "OUTPUT": whole, "DOMAIN": "eugene"})
        words = Words()
        words.progressChanged.connect(lambda share: words.cancel() if share > 20 else None)
        parameters = {"INPUT": large, "OUTPUT": broken, "DOMAIN": "eugene"}
        outputs, _, _ = self.call("map", parameters, words)
        assert outputs == {}
        assert "interrupted; start again to continue" in words.lines
        assert not [*Path(broken).glob("*.tif")]
        again = Words()
        self.call("map", parameters, again)
        assert again.shares[0] > 0
        for file in Path(whole).glob("*.tif"):
            assert file.read_bytes() == (Path(broken) / file.name).read_bytes()

    def test_a_map_of_polygons(self) -> None:
        raster = QgsRasterLayer(str(ORTHO), "ortho")
        extent = raster.extent()
        half = QgsRectangle(
            extent.xMinimum(), extent.yMinimum(), extent.center().x(), extent.yMaximum()
        )
        layer = QgsVectorLayer(f"Polygon?crs={raster.crs().authid()}", "area", "memory")
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(half))
        layer.dataProvider().addFeature(feature)
        QgsProject.instance().addMapLayer(layer)
        parameters = {"INPUT": str(ORTHO), "AREA": layer.id(), "OUTPUT": self.out("part")}
        outputs, words, ended = self.call("map", parameters)
        assert ended, words.lines
        part = QgsRasterLayer(outputs["HEIGHT"], "part")
        assert abs(part.extent().width() - half.width()) < 1

    def test_faults_are_the_command_s_line(self) -> None:
        parameters = {"INPUT": str(ORTHO), "BANDS": "1,2,7", "OUTPUT": self.out("none")}
        _, words, ended = self.call("map", parameters)
        assert not ended
        assert "has 3 bands; choose --bands among them" in words.lines[-1]

    def test_heights_above_ground(self) -> None:
        target = self.out("ndsm.tif")
        surface = next(SAMPLES.rglob("height/*.tif"))
        parameters = {"DSM": str(surface), "DTM": str(surface), "OUTPUT": target}
        outputs, words, ended = self.call("heightsaboveground", parameters)
        assert ended, words.lines
        assert outputs["OUTPUT"] == target
        layer = QgsRasterLayer(target, "ndsm")
        assert layer.dataProvider().bandStatistics(1).maximumValue == 0

    def test_an_environment_without_the_package_is_refused(self) -> None:
        _, words, ended = self.call("setup", {"PYTHON": "/usr/bin/python3"})
        assert not ended
        assert "does not run semimtl_geo" in words.lines[-1]

    def test_variables_of_qgis_do_not_reach_the_command(self) -> None:
        code = "import os; print(*sorted(os.environ))"
        os.environ |= {"PROJ_LIB": "x", "GDAL_DATA": "x", "PYTHONHOME": "x", "QGIS_PREFIX": "x"}
        outcome: Outcome = run([PYTHON, "-c", code], Words())
        assert outcome.code == 0
        assert not {"PROJ_LIB", "GDAL_DATA", "PYTHONHOME"} & {*outcome.printed[0].split()}

    def test_an_environment_of_its_own_is_planned(self) -> None:
        titles = [step.title for step in environment.steps(self.folder / "env", "semimtl-geo")]
        assert titles[0] == "Make the environment"
        assert titles[-1] == "Install semimtl_geo"


if __name__ == "__main__":
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    # As QGIS does when its window opens.
    Qgs3D.initialize()
    vector_renderers = QgsVectorLayer3DRendererMetadata()
    QgsApplication.renderer3DRegistry().addRenderer(vector_renderers)
    unittest.main(verbosity=2)
