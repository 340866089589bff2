"""The paper's own figures, quoted: tables 1 to 3 of Wang et al., arXiv 2110.07197."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Quote:
    """A row as it is printed.

    Attributes:
        domain: The data set that it is evaluated on.
        method: The method.
        text: Cells as printed, digit by digit.
    """

    domain: str
    method: str
    text: str

    def cells(self) -> list[str]:
        """Return the cells, in the order of :data:`semimtl_geo.compare.COLUMNS`."""
        return self.text.split()


@dataclass(frozen=True)
class Table:
    """One table of the paper.

    Attributes:
        number: Number of the table in the paper.
        rows: Rows as printed.
        notes: Differences that matter for a comparison.
    """

    number: int
    rows: Sequence[Quote]
    notes: Sequence[str]


UNITS: Final = (
    "The paper does not say in what unit it scores street views, nor up to which distance. Our "
    "scores are of distances in metres, of points up to 80 m away; further ones are of inverse "
    "depth in 1/m and of disparity in pixels. AbR, RMSE and ΔM differ between these, so that ours "
    "can be compared with the paper's only if those are of the same kind."
)

TABLES: Final[dict[int, Table]] = {
    1: Table(
        1,
        (
            Quote("Cityscapes", "STL_Seg", "94.8 71.4 - - - - - 0.0"),
            Quote("Cityscapes", "STL_Depth", "- - 0.414 6.744 67.6 84.5 92.0 0.0"),
            Quote("Cityscapes", "JTL", "94.8 71.4 0.329 5.469 76.6 91.2 95.7 +9.4"),
            Quote("Cityscapes", "SemiMTL", "94.9 71.9 0.287 5.234 79.3 92.6 96.3 +11.5"),
        ),
        (UNITS,),
    ),
    2: Table(
        2,
        (
            Quote("Potsdam", "STL_Seg", "89.5 79.7 - - - - - 0.0"),
            Quote("Potsdam", "STL_Depth", "- - 6.926 4.686 16.1 24.8 33.7 0.0"),
            Quote("Potsdam", "DA_Depth", "- - 4.985 4.677 28.5 36.3 46.4 -"),
            Quote("Potsdam", "JTL", "90.0 80.7 2.517 4.430 31.2 41.7 52.3 +3.4"),
            Quote("Potsdam", "SemiSD", "90.2 80.8 2.695 4.322 34.1 44.7 55.3 +4.6"),
            Quote("Potsdam", "SemiMTL", "90.5 81.4 2.420 4.217 38.4 47.0 57.3 +6.1"),
            Quote("Vaihingen", "STL_Seg", "64.3 42.4 - - - - - 0.0"),
            Quote("Vaihingen", "DA_Seg", "68.8 47.5 - - - - - 0.0"),
            Quote("Vaihingen", "STL_Depth", "- - 1.324 1.899 48.7 68.9 78.5 -"),
            Quote("Vaihingen", "JTL", "79.3 62.2 1.338 1.949 48.8 68.1 78.1 +22.1"),
            Quote("Vaihingen", "SemiSD", "81.4 63.8 1.432 2.088 49.6 67.5 78.1 +20.4"),
            Quote("Vaihingen", "SemiMTL", "81.6 64.9 1.316 1.802 50.9 69.4 78.4 +29.2"),
        ),
        ("The paper does not state label version, clutter, or where AbR and deltas count.",),
    ),
    3: Table(
        3,
        (
            Quote("Cityscapes", "STL_Seg", "95.7 76.0 - - - - - 0.0"),
            Quote("Cityscapes", "STL_Depth", "- - 0.694 14.36 46.9 70.8 ? 0.0"),
            Quote("Cityscapes", "JTL", "95.6 75.5 0.372 8.646 56.4 81.1 ? +19.6"),
            Quote("Cityscapes", "SemiSD", "95.6 75.8 0.349 7.893 59.3 81.6 ? +22.3"),
            Quote("Cityscapes", "SemiMTL (M1)", "95.7 76.2 0.356 7.959 58.8 81.4 ? +22.4"),
            Quote("Cityscapes", "SemiMTL (M3)", "95.7 76.4 0.341 7.645 59.5 81.9 ? +23.7"),
            Quote("Cityscapes", "SemiMTL", "95.8 76.9 0.334 7.558 61.4 83.0 ? +24.3"),
            Quote("Synscapes", "STL_Seg", "90.9 61.9 - - - - - 0.0"),
            Quote("Synscapes", "STL_Depth", "- - 0.505 6.214 85.4 94.1 ? 0.0"),
            Quote("Synscapes", "JTL", "91.3 63.4 0.486 5.307 87.4 95.8 ? +8.5"),
            Quote("Synscapes", "SemiSD", "90.9 62.8 0.449 5.183 88.1 95.8 ? +9.0"),
            Quote("Synscapes", "SemiMTL (M1)", "91.5 65.8 0.411 5.153 86.8 94.1 ? +11.7"),
            Quote("Synscapes", "SemiMTL (M3)", "91.6 65.5 0.407 5.157 87.7 95.2 ? +11.2"),
            Quote("Synscapes", "SemiMTL", "91.4 65.4 0.380 5.056 88.5 95.9 ? +12.1"),
        ),
        (
            UNITS,
            "Our copy of table 3 has two deltas where its head names three, without saying which; "
            "they are shown as δ1 and δ2.",
        ),
    ),
}
"""Tables by number; dashes are the paper's own."""
