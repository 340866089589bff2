from __future__ import annotations

import pytest

from semimtl_geo.compare import Row, make_row, to_markdown, with_gains
from semimtl_geo.demo import findings


def table_2() -> list[Row]:
    """Vaihingen in table 2 of the paper."""
    return [
        Row("Vaihingen", "STL_Seg", {"pAcc": 64.3, "mIoU": 42.4}),
        Row("Vaihingen", "STL_Depth", {"AbR": 1.324, "RMSE": 1.899}),
        Row("Vaihingen", "JTL", {"mIoU": 62.2, "RMSE": 1.949}),
        Row("Vaihingen", "SemiMTL", {"mIoU": 64.9, "RMSE": 1.802}),
    ]


def test_gains_are_those_of_the_paper() -> None:
    rows = with_gains(table_2(), ["STL_Seg", "STL_Depth"])
    gains = [row.scores.get("gain") for row in rows]
    assert gains[:2] == [0.0, 0.0]
    # The paper prints +22.1 and +29.2, from figures with more digits than it prints.
    assert gains[2] == pytest.approx(22.1, abs=0.1)
    assert gains[3] == pytest.approx(29.2, abs=0.15)


def test_gain_needs_both_tasks_and_both_baselines() -> None:
    rows = with_gains(table_2()[1:], ["STL_Seg", "STL_Depth"])
    assert "gain" not in rows[-1].scores
    rows = with_gains([Row("Vaihingen", "DA_Seg", {"mIoU": 47.5}), *table_2()], ["STL_Seg"])
    assert "gain" not in rows[0].scores


def test_markdown_has_the_papers_columns() -> None:
    scores = {"landcover": {"pAcc": 81.6, "mIoU": 64.94, "IoU/car": 50.0}, "height": {"RMSE": 1.8}}
    lines = to_markdown([make_row("Vaihingen", "SemiMTL", scores)]).splitlines()
    assert lines[0] == "| domain | method | pAcc | mIoU | AbR | RMSE | δ1 | δ2 | δ3 | ΔM (%) |"
    assert lines[2] == "| Vaihingen | SemiMTL | 81.6 | 64.9 | - | 1.800 | - | - | - | - |"


def rows_for_findings(semimtl_miou: float, semimtl_rmse: float) -> list[Row]:
    return [
        Row("city_b", "SemiMTL", {"mIoU": semimtl_miou}),
        Row("city_b", "JTL", {"mIoU": 50.0}),
        Row("city_b", "STL_Seg", {"mIoU": 20.0}),
        Row("city_b", "STL_Seg, statistics re-estimated", {"mIoU": 45.0}),
        Row("city_a", "SemiMTL", {"RMSE": semimtl_rmse}),
        Row("city_a", "JTL", {"RMSE": 4.0}),
        Row("city_a", "STL_Depth", {"RMSE": 5.0}),
        Row("city_a", "STL_Depth, statistics re-estimated", {"RMSE": 4.5}),
    ]


def test_findings_say_who_wins() -> None:
    land_cover, heights, _ = findings(rows_for_findings(52.0, 3.9))
    assert "SemiMTL reaches 52.00 mIoU, 32.00 better than STL_Seg (20.00)" in land_cover
    assert "7.00 better than STL_Seg, statistics re-estimated (45.00)" in land_cover
    assert "2.00 better than JTL (50.00)" in land_cover
    assert "0.10 better than JTL (4.00)" in heights
    assert "worse" not in land_cover + heights


def test_findings_say_where_the_method_loses() -> None:
    land_cover, heights, chance = findings(rows_for_findings(44.0, 5.5))
    assert "6.00 worse than JTL (50.00)" in land_cover
    assert "1.00 worse than STL_Seg, statistics re-estimated (45.00)" in land_cover
    assert "0.50 worse than STL_Depth (5.00)" in heights
    assert "one seed" in chance
