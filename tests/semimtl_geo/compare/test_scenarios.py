"""The configurations: all systems of all scenarios, and the paper's values in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from semimtl_geo.class_schemes import CITYSCAPES
from semimtl_geo.compare.comparison import select_runs
from semimtl_geo.compare.paper_tables import TABLES
from semimtl_geo.compare.scenario import find_scenario, packaged_scenarios
from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.configuration import parse_settings
from tiles.errors import InputError

OF_THE_PAPER = ("cross_city", "cross_dataset", "cross_domain")


def test_what_is_packaged() -> None:
    assert packaged_scenarios() == ["cities", *OF_THE_PAPER]
    assert sorted(system_names()) == sorted(SYSTEMS)


@pytest.mark.parametrize("name", ["cities", *OF_THE_PAPER])
def test_every_system_differs_in_its_name_alone(name: str) -> None:
    scenario = find_scenario(name)
    base = parse_settings([f"--config={scenario.folder / 'base.yaml'}"])
    for system in SYSTEMS:
        assert (scenario.folder / f"{system}.yaml").is_file()
        assert parse_settings(scenario.arguments(system)) == base | {"model.system": system}


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_the_papers_values(name: str) -> None:
    """Sections 3.4, 4.1 and 4.2."""
    settings = parse_settings(find_scenario(name).arguments("semimtl"))
    expected = {
        "model.encoder.name": "resnet101",
        "model.encoder.weights": "imagenet",
        "model.discriminator_width": 64,
        "model.adversarial.intra": 0.001,
        "model.adversarial.inter": 0.0001,
        "model.optimisation.optimizer": "sgd",
        "model.optimisation.lr": 0.01,
        "model.optimisation.weight_decay": 0.0001,
        "model.optimisation.power": 0.9,
        "model.optimisation.discriminator_lr": 0.0001,
        "data.crop": 384 if name == "cross_dataset" else 256,
        "data.augmentation.scale": [0.5, 2.0],
    }
    assert {key: settings[key] for key in expected} == expected
    weights = [task["init_args"]["weight"] for task in settings["model.tasks"]]
    assert weights == [1.0, 0.01]
    assert settings.get("data.gsd") == (0.09 if name == "cross_dataset" else None)
    augmentation = Augmentation(
        **{
            key.removeprefix("data.augmentation."): value
            for key, value in settings.items()
            if key.startswith("data.augmentation.")
        }
    )
    assert augmentation.flip
    assert augmentation.blur > 0
    assert augmentation.from_above == (name == "cross_dataset")


def test_what_is_recommended() -> None:
    """JTL and nothing else than the prior, whose classes exist."""
    folder = find_scenario("cities").folder
    settings = parse_settings([f"--config={folder / 'recommended.yaml'}"])
    jtl = parse_settings([f"--config={folder / 'jtl.yaml'}"])
    more = {key for key in settings if settings[key] != jtl.get(key)}
    assert {key.split(".")[1] for key in more} == {"consistency"}
    assert {key: value for key, value in settings.items() if key not in more} == jtl
    prior = "model.consistency.heights."
    heights = {key.removeprefix(prior): settings[key] for key in more if key.startswith(prior)}
    assert heights
    Consistency(heights).build([Segmentation(), Depth()])


def test_what_is_evaluated_on_what() -> None:
    found = {name: find_scenario(name) for name in OF_THE_PAPER}
    assert {name: scenario.evaluate for name, scenario in found.items()} == {
        "cross_city": {"cityscapes": "val"},
        "cross_dataset": {"potsdam": "test", "vaihingen": "test"},
        "cross_domain": {"cityscapes": "val", "synscapes": "test"},
    }
    assert [scenario.table for scenario in found.values()] == [1, 2, 3]
    assert set(TABLES) == {1, 2, 3}
    assert found["cross_city"].hidden("cityscapes") == ["depth"]
    assert found["cross_dataset"].hidden("vaihingen") == ["landcover"]
    where = found["cross_domain"].scenes(Path("data"), "synscapes")
    assert where == Path("data/synscapes/test")


@pytest.mark.parametrize("name", ["cross_city", "cross_domain"])
def test_street_view_classes_are_those_of_cityscapes(name: str) -> None:
    settings = parse_settings(find_scenario(name).arguments("jtl"))
    segmentation = settings["model.tasks"][0]["init_args"]
    assert tuple(segmentation["classes"]) == CITYSCAPES.names
    assert tuple(map(tuple, segmentation["colors"])) == CITYSCAPES.colors


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    """A base is enough: the systems differ in nothing but their names. Its domains alone count."""
    base = find_scenario("cities").folder / "base.yaml"
    (tmp_path / "base.yaml").write_text(f"base: {base}\ndata: {{domains: {{more: {{folder: m}}}}}}")
    scenario = find_scenario(str(tmp_path))
    assert scenario.evaluate == {"more": "test"}
    assert scenario.hidden("more") == ["landcover", "height"]
    assert scenario.scenes(Path("d"), "more") == Path("d/m/test")
    assert scenario.table is None
    args = scenario.arguments("jtl")
    assert args == [f"--config={tmp_path / 'base.yaml'}", "--model.system=jtl"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "does not exist; name a folder with base.yaml, or one of cities, cross_city"),
        ({"base.yaml": "model: {}"}, "names no domains"),
        ({"base.yaml": "data: {domains: {a: {}}}\nmodel: {tasks: [1]}"}, "tasks without names"),
        (
            {"base.yaml": "data: {domains: {a: {}}}", "scenario.yaml": "evaluate: [a]"},
            "evaluate names no splits",
        ),
    ],
)
def test_folders_that_are_no_scenario(tmp_path: Path, files: dict[str, str], says: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        find_scenario(str(tmp_path))


def test_systems_stand_in_the_papers_order_and_other_files_after_them() -> None:
    cities = find_scenario("cities")
    runs = select_runs(cities, ["recommended", "three", "semimtl", "jtl", "stl_seg"])
    assert [run.name for run in runs] == ["stl_seg", "jtl", "semimtl", "recommended", "three"]
    assert [run.title for run in runs][2:] == ["SemiMTL", "JTL, recommended", "SemiMTL, three"]
    for wrong in ("m4", "base", "scenario"):
        with pytest.raises(InputError, match=f"--systems {wrong}: is not a system"):
            select_runs(cities, ["jtl", wrong])
