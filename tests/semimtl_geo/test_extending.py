"""A toy alignment mode, a toy system and a toy task work everywhere once they are registered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from torch import Tensor

from semimtl_geo import DomainsDataModule, Mapper, SemiMTL, fit
from semimtl_geo.compare import make_row, to_markdown
from semimtl_geo.compare.comparison import select_runs
from semimtl_geo.compare.scenario import find_scenario
from semimtl_geo.learning.alignment import ALIGNMENTS, Alignment, register_alignment
from semimtl_geo.learning.systems import SYSTEMS, System, register_system
from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.report import ExampleScene, write_report
from semimtl_geo.tasks import TASKS, Depth, Segmentation, register_task
from tests.semimtl_geo.conftest import Run
from tests.semimtl_geo.training.test_api import QUIET, make_data, make_model

METRES = 3.0


@dataclass(frozen=True)
class Storeys(Depth):
    """Number of storeys of 3 m, learnt from labels of heights."""

    name: str = "storeys"
    scale: float = 6.0
    unit: str = "storeys"

    @property
    def label(self) -> str:
        return "height"

    def target(self, labels: Tensor) -> Tensor:
        return labels / METRES


@pytest.fixture
def registered() -> Iterator[None]:
    register_alignment("toy", Alignment(lambda request: [0, *request.labelled]))
    register_system("toy", System("Toy", "{classes} and {values}", order=5, alignment="toy"))
    register_task(Storeys)
    yield
    del ALIGNMENTS["toy"], SYSTEMS["toy"], TASKS["storeys"]


@pytest.mark.usefixtures("registered")
def test_a_toy_mode_and_a_toy_task(run: Run, tmp_path: Path) -> None:
    data: DomainsDataModule = make_data(run.cities)
    model: SemiMTL = make_model(
        data, "toy", tasks=[Segmentation(), Depth(weight=1.0, scale=20.0), Storeys()]
    )
    # City B, domain 1 of 2, has no land cover: its target sources are truth and city A.
    assert ALIGNMENTS["toy"].target_sources(1, 3, [0]) == [0, 1]
    checkpoint = fit(model, data, tmp_path / "run", epochs=1, **QUIET)

    mapper = Mapper.load(checkpoint)
    assert isinstance(mapper.card.tasks[2], Storeys)
    scenes = tmp_path / "city_b" / "test"
    shutil.copytree(run.cities / "city_b" / "test", scenes)
    (scenes / "storeys").mkdir()
    for file in (scenes / "height").iterdir():
        with rasterio.open(file) as heights:
            profile, values = heights.profile, heights.read()
        with rasterio.open(scenes / "storeys" / file.name, "w", **profile) as storeys:
            storeys.write(np.where(values == profile["nodata"], values, values / METRES))
    stem = file.stem
    scores = evaluate(mapper, scenes, tmp_path / "maps", "city_b")
    with rasterio.open(tmp_path / "maps" / f"{stem}_storeys.tif") as made:
        assert made.units == ("storeys",)
    squares = []
    for file in sorted((scenes / "storeys").iterdir()):
        with rasterio.open(file) as labels:
            truth = labels.read(1)
        with rasterio.open(tmp_path / "maps" / f"{file.stem}_storeys.tif") as made:
            squares.append((made.read(1).astype(np.float64) - truth) ** 2)
    assert scores["storeys"]["RMSE"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)

    # The comparison lists the system by its order, and the page shows and explains both.
    runs = select_runs(find_scenario("cities"), ["toy", "semimtl", "stl_seg"])
    assert [one.title for one in runs] == ["STL_Seg", "Toy", "SemiMTL"]
    row = make_row("city_b", "Toy", scores)
    assert "Toy" in to_markdown([row])
    page = tmp_path / "report.html"
    maps = {task.name: tmp_path / "maps" / f"{stem}_{task.name}.tif" for task in mapper.card.tasks}
    image = scenes / "image" / f"{stem}.tif"
    write_report(
        page,
        title="Toys",
        lead="",
        rows=[row],
        curves={"Toy": checkpoint.with_name("metrics.csv")},
        scenes=[ExampleScene("city_b", image, {}, {"Toy": maps}, ["landcover"])],
        tasks=mapper.card.tasks,
        findings=[],
        facts={},
    )
    text = page.read_text(encoding="utf-8")
    assert "Storeys" in text
    assert "land cover and storeys" in text  # the description of the system
