from __future__ import annotations

import csv
import io
import math
import re
import statistics

import pytest

from semimtl_geo.commands.demonstration import findings
from semimtl_geo.compare import (
    COLUMNS,
    Row,
    average,
    make_row,
    to_csv,
    to_latex,
    to_markdown,
    with_gains,
)
from semimtl_geo.compare.paper_tables import TABLES, Quote
from semimtl_geo.compare.table import counted_classes
from semimtl_geo.tasks.scores import multi_task_gain


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


def test_mean_and_deviation_over_seeds() -> None:
    """By hand: mIoU 60 and 64 have mean 62 and deviation sqrt(8)."""
    seeds = [
        [Row("a", "JTL", {"mIoU": 60.0, "gain": 1.0}, {"car": 40.0, "tree": math.nan})],
        [Row("a", "JTL", {"mIoU": 64.0}, {"car": 60.0, "tree": math.nan})],
    ]
    (row,) = average(seeds)
    assert row.scores == {"mIoU": 62.0, "gain": 1.0}
    assert row.deviations == {"mIoU": pytest.approx(math.sqrt(8))}
    assert row.classes["car"] == 50.0
    assert math.isnan(row.classes["tree"])
    assert row.cells() == ["-", "62.0 ± 2.8", "-", "-", "-", "-", "-", "+1.0"]


def test_gain_of_each_seed_is_against_its_own_baseline() -> None:
    def seed(stl: float, jtl: float) -> list[Row]:
        rows = [
            Row("a", "STL_Seg", {"mIoU": stl}),
            Row("a", "STL_Depth", {"RMSE": 2.0}),
            Row("a", "JTL", {"mIoU": jtl, "RMSE": 2.0}),
        ]
        return with_gains(rows, ["STL_Seg", "STL_Depth"])

    rows = average([seed(50, 55), seed(40, 46)])
    gains = [100 * 0.1 / 2, 100 * 0.15 / 2]
    assert rows[2].scores["gain"] == pytest.approx(statistics.fmean(gains))
    assert rows[2].deviations["gain"] == pytest.approx(statistics.stdev(gains))
    assert rows[0].cells()[-1] == "+0.0"  # by definition, without a deviation


def test_no_gain_over_a_baseline_of_nothing() -> None:
    rows = [
        Row("a", "STL_Seg", {"mIoU": 0.0}),
        Row("a", "STL_Depth", {"RMSE": 2.0}),
        Row("a", "JTL", {"mIoU": 1.0, "RMSE": 2.0}),
    ]
    assert "gain" not in with_gains(rows, ["STL_Seg", "STL_Depth"])[2].scores


def test_words_on_counted_classes() -> None:
    nan = math.nan
    rows = [
        Row("a", "JTL", {}, {"car": 1.0, "tree": 0.0, "sky": nan}),
        Row("a", "SemiSD", {}, {"car": 1.0, "tree": 2.0, "sky": nan}),
        Row("a", "STL_Seg", {}, {"car": 1.0, "tree": 2.0, "sky": 0.0}),
        Row("b", "STL_Depth", {}),
    ]
    assert counted_classes(rows) == ["a: mIoU over 2 of 3 classes; 3 for STL_Seg."]


def test_csv_has_all_digits_and_says_whose_they_are() -> None:
    row = Row("a", "JTL", {"mIoU": 62.123}, {"car, blue": 50.0}, {"mIoU": 0.25})
    quoted = [Quote("Potsdam", "JTL", "90.0 80.7 2.517 4.430 31.2 41.7 ? +3.4")]
    ours, paper = csv.DictReader(io.StringIO(to_csv([row], quoted)))
    assert (ours["source"], ours["mIoU"], ours["mIoU_deviation"]) == ("measured", "62.123", "0.25")
    assert (ours["IoU/car, blue"], ours["RMSE"]) == ("50", "")
    assert (paper["source"], paper["RMSE"], paper["gain"]) == ("paper", "4.430", "+3.4")
    assert paper["delta3"] == paper["IoU/car, blue"] == ""


def test_latex_is_escaped_and_every_line_has_its_cells() -> None:
    rows = [
        Row("city_a", "A & B", {"mIoU": 62.0}, {}, {"mIoU": 0.5}),
        Row("city_a", "JTL", {"gain": -17.12}, {}, {"gain": 2.0}),
        Row("city_b", "JTL", {"gain": 3.0}),
    ]
    table = to_latex(rows, "100 % of {it}, ΔM < 3")
    assert r"\caption{100 \% of \{it\}, $\Delta$M \textless{} 3}" in table
    lines = [line for line in table.splitlines() if line.endswith(r"\\")][2:]
    assert [len(re.split(r"(?<!\\)&", line)) for line in lines] == [2 + len(COLUMNS)] * 3
    assert lines[0].startswith(r"city\_a & A \& B & - & 62.0 $\pm$ 0.5 & -")
    assert lines[1].startswith(" & JTL & - & - &")
    assert lines[1].endswith(r"& $-$17.1 $\pm$ 2.0 \\")  # no hyphen
    assert lines[2].endswith(r"+3.0 \\")
    assert table.count(r"\hline") == 4


@pytest.mark.parametrize("number", [1, 2, 3])
def test_quoted_rows_are_whole_and_their_gains_are_those_of_equation_10(number: int) -> None:
    rows = TABLES[number].rows
    assert all(len(row.cells()) == len(COLUMNS) for row in rows)
    for domain in {row.domain for row in rows}:
        cells = {row.method: row.cells() for row in rows if row.domain == domain}
        baseline = {
            "mIoU": float(cells["STL_Seg"][1]),
            "RMSE": float(cells["STL_Depth"][3]),
        }
        for method, row in cells.items():
            if row[1] != "-" and row[3] != "-":
                gain = multi_task_gain({"mIoU": float(row[1]), "RMSE": float(row[3])}, baseline)
                # Scores are printed with three or four digits.
                assert float(row[-1]) == pytest.approx(gain, abs=0.25), (domain, method)


def test_of_two_tasks_of_a_kind_the_first_has_the_column() -> None:
    row = make_row("a", "JTL", {"height": {"RMSE": 2.0}, "slope": {"RMSE": 9.0, "AbR": 0.5}})
    assert row.scores == {"RMSE": 2.0, "AbR": 0.5}


def rows_for_findings(miou: float, rmse: float) -> list[Row]:
    return [
        Row("city_b", "Ours", {"mIoU": miou}),
        Row("city_b", "SemiMTL", {"mIoU": 51.0}),
        Row("city_b", "JTL", {"mIoU": 50.0}),
        Row("city_b", "STL_Seg", {"mIoU": 20.0}),
        Row("city_b", "STL_Seg, statistics re-estimated", {"mIoU": 45.0}),
        Row("city_a", "Ours", {"RMSE": rmse}),
        Row("city_a", "SemiMTL", {"RMSE": 4.1}),
        Row("city_a", "JTL", {"RMSE": 4.0}),
        Row("city_a", "STL_Depth", {"RMSE": 5.0}),
        Row("city_a", "STL_Depth, statistics re-estimated", {"RMSE": 4.5}),
    ]


def test_findings_say_who_wins() -> None:
    land_cover, heights, _ = findings(rows_for_findings(52.0, 3.9), "Ours")
    assert "Ours reaches 52.00 mIoU, 32.00 better than STL_Seg (20.00)" in land_cover
    assert "7.00 better than STL_Seg, statistics re-estimated (45.00)" in land_cover
    assert "1.00 better than SemiMTL (51.00)" in land_cover
    assert "2.00 better than JTL (50.00)" in land_cover
    assert "0.10 better than JTL (4.00)" in heights
    assert "worse" not in land_cover + heights


def test_findings_say_where_the_method_loses() -> None:
    land_cover, heights, chance = findings(rows_for_findings(44.0, 5.5), "Ours")
    assert "6.00 worse than JTL (50.00)" in land_cover
    assert "1.00 worse than STL_Seg, statistics re-estimated (45.00)" in land_cover
    assert "0.50 worse than STL_Depth (5.00)" in heights
    assert "one seed" in chance
