"""The configurations: all systems of all scenarios, and the paper's values in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from semimtl_geo.class_schemes import CITYSCAPES, ISPRS
from semimtl_geo.compare.comparison import select_runs
from semimtl_geo.compare.paper_tables import TABLES
from semimtl_geo.compare.scenario import find_scenario, packaged_scenarios
from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.cli import parse_settings
from tiles.errors import InputError
from tiles.settings import changed_settings

BASE = "data: {domains: {a: {}}}\nmodel: {tasks: [{class_path: semimtl_geo.tasks.Depth}]}"

OF_THE_PAPER = ("cross_city", "cross_dataset", "cross_domain")
REVERSED = [
    "--data.domains.eugene.supervised=[height]",
    "--data.domains.versailles.supervised=[landcover]",
]


def test_what_is_packaged() -> None:
    assert packaged_scenarios() == ["cities", *OF_THE_PAPER, "towns"]
    assert sorted(system_names()) == sorted(SYSTEMS)


@pytest.mark.parametrize("name", ["cities", *OF_THE_PAPER, "towns"])
def test_every_system_differs_in_its_name_alone(name: str) -> None:
    scenario = find_scenario(name)
    base = f"--config={scenario.folder / 'base.yaml'}"
    for system in SYSTEMS:
        assert scenario.arguments(system) == [base, f"--model.system={system}"]
    settings = parse_settings(scenario.arguments("semisd"))
    assert set(changed_settings(parse_settings([base]), settings)) == {"model.system"}
    assert settings["model"]["system"] == "semisd"


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_the_papers_values(name: str) -> None:
    """Sections 3.4, 4.1 and 4.2."""
    settings = parse_settings(find_scenario(name).arguments("semimtl"))
    model, data = settings["model"], settings["data"]
    expected = {
        "encoder": {"name": "resnet101", "weights": "imagenet"},
        "discriminator_width": 64,
        "adversarial": {"intra": 0.001, "inter": 0.0001},
        "optimisation": {
            "optimizer": "sgd",
            "lr": 0.01,
            "weight_decay": 0.0001,
            "power": 0.9,
            "discriminator_lr": 0.0001,
        },
    }
    for group, values in expected.items():
        given = model[group]
        assert (given | values if isinstance(values, dict) else values) == given
    assert data["crop"] == (384 if name == "cross_dataset" else 256)
    assert [task["init_args"]["weight"] for task in model["tasks"]] == [1.0, 0.01]
    assert data.get("gsd") == (0.09 if name == "cross_dataset" else None)
    augmentation = Augmentation(**data["augmentation"])
    assert augmentation.scale == [0.5, 2.0]
    assert augmentation.flip
    assert augmentation.blur > 0
    assert augmentation.from_above == (name == "cross_dataset")


@pytest.mark.parametrize(
    ("name", "more"),
    [("cities", ()), ("towns", ("model.start", "data.domains.random."))],
)
def test_what_is_recommended(name: str, more: tuple[str, ...]) -> None:
    """JTL and nothing else than the prior, whose classes exist, and the random towns."""
    scenario = find_scenario(name)
    jtl, settings = (parse_settings(scenario.arguments(name)) for name in ("jtl", "recommended"))
    changed = changed_settings(jtl, settings)
    assert changed
    allowed = ("model.consistency.", *more)
    assert all(setting.startswith(allowed) for setting in changed)
    assert all(any(setting.startswith(one) for setting in changed) for one in allowed)
    classes = settings["model"]["tasks"][0]["init_args"]["classes"]
    tasks = [Segmentation(classes=classes, colors=ISPRS.colors), Depth()]
    Consistency(settings["model"]["consistency"]["heights"]).build(tasks)


def test_both_directions_of_the_towns_and_their_bound() -> None:
    towns = find_scenario("towns")
    reverse = find_scenario("towns", REVERSED)
    assert towns.supervised == {"eugene": ["landcover"], "versailles": ["height"]}
    assert reverse.supervised == {"eugene": ["height"], "versailles": ["landcover"]}
    recommended = parse_settings([*towns.arguments("recommended"), *REVERSED])["data"]
    oracle = parse_settings(towns.arguments("oracle"))["data"]
    assert list(recommended["domains"]) == list(oracle["domains"])
    supervised = [domain["supervised"] for domain in recommended["domains"].values()]
    assert supervised == [["height"], ["landcover"], ["landcover", "height"]]
    assert all(len(domain["supervised"]) == 2 for domain in oracle["domains"].values())


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
    segmentation = settings["model"]["tasks"][0]["init_args"]
    assert tuple(segmentation["classes"]) == CITYSCAPES.names
    assert tuple(map(tuple, segmentation["colors"])) == CITYSCAPES.colors


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    """A base is enough, even without a root: the systems differ in nothing but their names."""
    base = yaml.safe_load((find_scenario("cities").folder / "base.yaml").read_text())
    base["data"] = {"domains": {"more": {"folder": "m"}}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
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
        ({"base.yaml": "model: {}"}, r"base\.yaml: .*required: model\.tasks, data\.domains"),
        ({"base.yaml": "data: {domains: {a: {}}}\nmodel: {tasks: [1]}"}, r"base\.yaml: .*tasks"),
        (
            {"base.yaml": BASE, "scenario.yaml": "evaluate: [a]"},
            r"scenario\.yaml: evaluate: must be a valid dictionary, got \['a'\]",
        ),
        (
            {"base.yaml": BASE, "scenario.yaml": "titel: x"},
            r"scenario\.yaml: titel: is not a setting",
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
