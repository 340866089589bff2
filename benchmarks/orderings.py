"""Compare scores: differences to JTL at equal time, and the orderings that the paper reports.

A difference is taken seed by seed and given with half of its 95 % interval (Student's t). Where
that contains 0 it may be chance. Nothing here is written by hand but the measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from measuring import table

from semimtl_geo.compare.scoring import REESTIMATED
from semimtl_geo.compare.significance import Difference, difference
from semimtl_geo.compare.table import Row
from semimtl_geo.learning.systems import SYSTEMS

JOINT = SYSTEMS["jtl"].title
LONGER = f"{JOINT}, time of {SYSTEMS['semimtl'].title}"
WANTED_CLASSES, WANTED_HEIGHTS = 3.0, 5.0
"""Wanted gains of a recommended configuration: mIoU points, and percent of RMSE."""

Seeds = Mapping[int, Sequence[Row]]


@dataclass(frozen=True)
class Measure:
    """One score that the paper orders the systems by.

    Attributes:
        what: In words.
        heading: Of its column.
        domain: Where it is measured.
        column: The score.
        single: The single-task system that comes first.
        sign: 1 where more is better, else -1.
        decimals: That are shown.
    """

    what: str
    heading: str
    domain: str
    column: str
    single: str
    sign: int = 1
    decimals: int = 1

    def between(self, seeds: Seeds, better: str, worse: str) -> Difference | None:
        """How much better one method is than another; above 0 if it is."""
        found = difference(seeds, self.domain, self.column, better, worse)
        if found is None:
            return None
        return Difference(self.sign * found.mean, found.error, found.seeds)

    def known(self, seeds: Seeds, method: str) -> bool:
        """Whether a method was scored."""
        return self.between(seeds, method, method) is not None

    def show(self, found: Difference) -> str:
        """Return a difference as text, with its interval."""
        return shown(found, self.decimals)


SEG, DEPTH = SYSTEMS["stl_seg"].title, SYSTEMS["stl_depth"].title
CLASSES = Measure("Unlabelled land cover (city B, mIoU)", "B mIoU", "city_b", "mIoU", SEG)
HEIGHTS = Measure(
    "Unlabelled heights (city A, m of RMSE)", "A RMSE (m)", "city_a", "RMSE", DEPTH, -1, 2
)
GAINS = (
    Measure("Multi-task gain on city A (ΔM, %)", "A ΔM", "city_a", "gain", SEG),
    Measure("Multi-task gain on city B (ΔM, %)", "B ΔM", "city_b", "gain", SEG),
)
ORDERED = (CLASSES, HEIGHTS, *GAINS)
LABELLED = (
    Measure("Labelled land cover", "A mIoU", "city_a", "mIoU", SEG),
    Measure("Labelled heights", "B RMSE (m)", "city_b", "RMSE", DEPTH, -1, 2),
)


COLUMNS = (CLASSES, HEIGHTS, *LABELLED, *GAINS)


def in_short(rows: Sequence[Row]) -> list[str]:
    """A table of the scores that are ordered, and of those where there are labels."""
    found = {(row.domain, row.method): row for row in rows}
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        there = [found.get((c.domain, method), Row(c.domain, method, {})) for c in COLUMNS]
        cells = [row.cell(c.column, c.decimals) for row, c in zip(there, COLUMNS, strict=True)]
        lines.append((method, *cells))
    return table(("method", *(column.heading for column in COLUMNS)), lines)


def differences(seeds: Seeds, methods: Sequence[str], against: str) -> list[str]:
    """A table of how much better each method is than one."""
    rows = []
    for method in methods:
        found = [column.between(seeds, method, against) for column in COLUMNS]
        if method != against and any(found):
            cells = [
                column.show(one) + ("" if one.certain else " (?)") if one else "-"
                for column, one in zip(COLUMNS, found, strict=True)
            ]
            rows.append((method, *cells))
    return table(("method", *(column.heading for column in COLUMNS)), rows)


def orderings(seeds: Seeds) -> list[str]:
    """Which of STL < JTL < SemiSD < SemiMTL hold, by each measure: a sentence for each."""
    sentences = []
    for measure in ORDERED:
        order = [measure.single, *(SYSTEMS[name].title for name in ("jtl", "semisd", "semimtl"))]
        there = [method for method in order if measure.known(seeds, method)]
        pairs = list(pairwise(there))
        if len(there) > 2:  # the method against joint training, whatever comes in between
            pairs += [pair for pair in [(JOINT, there[-1])] if pair not in pairs and JOINT in there]
        parts, steps = [], []
        for worse, better in pairs:
            found = measure.between(seeds, better, worse)
            if found is not None:
                name = "STL" if worse == measure.single else worse
                steps.append(found.certain and found.mean > 0)
                parts.append(f"{name} < {better} {verdict(found, HOLDS)} ({measure.show(found)})")
        if parts:
            count = len(there) - 1
            held = sum(steps[:count])
            whole = "the order holds" if held == count else f"{held} of {count} steps hold"
            sentences.append(f"{measure.what}, {whole}: {'; '.join(parts)}.")
    return sentences


def controls(seeds: Seeds) -> list[str]:
    """Return sentences on what remains of the paper's gains against the controls."""
    sentences = []
    for measure in (CLASSES, HEIGHTS):
        parts = []
        for better, worse in (
            (JOINT, measure.single + REESTIMATED),
            (JOINT + REESTIMATED, JOINT),
            (LONGER, JOINT),
            (SYSTEMS["semisd"].title, LONGER),
            (SYSTEMS["semimtl"].title, LONGER),
        ):
            found = measure.between(seeds, better, worse)
            if found is not None:
                parts.append(
                    f"{better} over {worse}: {measure.show(found)}, {verdict(found, BETTER)}"
                )
        if parts:
            sentences.append(f"{measure.what}: {'; '.join(parts)}.")
    return sentences


def beyond(seeds: Seeds, variants: Sequence[str]) -> list[str]:
    """Whether a variant is better than JTL at equal time by as much as is wanted."""
    sentences = []
    for name in variants:
        classes = CLASSES.between(seeds, name, LONGER)
        heights = difference(seeds, "city_a", "RMSE", name, LONGER, relative=True)
        if classes is not None and heights is not None:
            heights = Difference(-heights.mean, heights.error, heights.seeds)
            parts = [
                f"{shown(found, 1)} {unit} (wanted {wanted:g}: {reached(found, wanted)})"
                for found, unit, wanted in (
                    (classes, "mIoU on the unlabelled land cover", WANTED_CLASSES),
                    (heights, "% of RMSE on the unlabelled heights", WANTED_HEIGHTS),
                )
            ]
            sentences.append(f"{name} over {LONGER}: {', '.join(parts)}.")
    return sentences


HOLDS = ("holds", "does not hold, it is the other way round", "cannot be told from chance")
BETTER = ("better", "worse", "which may be chance")


def verdict(found: Difference, words: tuple[str, str, str]) -> str:
    """The word for a difference above 0, for one below, and for one that may be chance."""
    if not found.certain:
        return words[2]
    return words[0] if found.mean > 0 else words[1]


def reached(found: Difference, wanted: float) -> str:
    """The word for a difference above what is wanted, in the mean and with its interval."""
    if found.mean < wanted:
        return "not reached"
    certain = found.seeds > 1 and found.mean - found.margin >= wanted
    return "reached" if certain else "reached in the mean, which may be chance"


def shown(found: Difference, decimals: int) -> str:
    """A difference and half of its 95 % interval."""
    if found.seeds < 2:
        return f"{found.mean:+.{decimals}f}, one seed"
    return f"{found.mean:+.{decimals}f} ± {found.margin:.{decimals}f}"
