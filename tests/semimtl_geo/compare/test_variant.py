from __future__ import annotations

from pathlib import Path

from semimtl_geo.compare.comparison import Comparison, Run
from semimtl_geo.compare.scenario import Variant, find_scenario
from semimtl_geo.training.cli import parse_settings


def test_a_variant_is_a_run_beside_its_system(tmp_path: Path) -> None:
    scenario = find_scenario("cities")
    comparison = Comparison(
        scenario, tmp_path, tmp_path / "out", overrides=("--data.iterations=8",)
    )
    longer = Run("jtl", 1, Variant("longer", "JTL, longer", overrides=("--data.iterations=13",)))
    three = Run("semimtl", 1, Variant("more", "SemiMTL, three", config="three"))
    plain = Run("jtl", 1)

    assert [run.title for run in (plain, longer, three)] == ["JTL", "JTL, longer", "SemiMTL, three"]
    folders = [comparison.folder(run).relative_to(comparison.out) for run in (plain, longer, three)]
    assert folders == [Path(f"runs/{name}/seed_1") for name in ("jtl", "longer", "more")]
    settings = [parse_settings(comparison.arguments(run)) for run in (plain, longer, three)]
    assert [found["model"]["system"] for found in settings] == ["jtl", "jtl", "semimtl"]
    assert [found["data"]["iterations"] for found in settings] == [8, 13, 8]
    assert [found["seed_everything"] for found in settings] == [1, 1, 1]
    assert [("city_c" in found["data"]["domains"]) for found in settings] == [False, False, True]
