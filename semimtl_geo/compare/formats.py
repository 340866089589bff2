"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from semimtl_geo.compare.table import ALL_COLUMNS, COLUMNS, HEADINGS, Row

TEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "Δ": r"$\Delta$",
    "δ": r"$\delta$",
    "±": r"$\pm$",
    "“": "``",
    "”": "''",
}
TEX_HEADINGS: Final = (
    "pAcc",
    "mIoU",
    "AbR",
    "RMSE",
    r"$\delta_1$",
    r"$\delta_2$",
    r"$\delta_3$",
    r"$\Delta M(\%)$",
)


class Line(Protocol):
    """Row of a table: one that was measured, or one that is quoted."""

    @property
    def domain(self) -> str:
        """Domain on which the method was evaluated."""

    @property
    def method(self) -> str:
        """The system."""

    def cells(self) -> list[str]:
        """Return the scores as text, in the order of :data:`COLUMNS`."""


def to_markdown(rows: Sequence[Line]) -> str:
    """Format the table in the paper's layout, in Markdown.

    Example:
        >>> from semimtl_geo.compare import Row
        >>> "JTL" in to_markdown([Row("city_b", "JTL", {"mIoU": 61.84})])
        True
    """
    lines = [
        "| domain | method | " + " | ".join(HEADINGS) + " |",
        "| --- | --- |" + " ---: |" * len(HEADINGS),
    ]
    lines += [f"| {row.domain} | {row.method} | " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def to_csv(rows: Sequence[Row], quoted: Sequence[Line] = ()) -> str:
    """Format all scores with all digits, mean and standard deviation, for other programs.

    Args:
        rows: Measured rows.
        quoted: Rows of the paper; the first column distinguishes the two.

    Example:
        >>> from semimtl_geo.compare import Row
        >>> "61.84" in to_csv([Row("city_b", "JTL", {"mIoU": 61.84})])
        True
    """
    names = list(dict.fromkeys(name for row in rows for name in row.classes))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    further = ALL_COLUMNS[len(COLUMNS) :]
    more = [*further, *(f"{column}_deviation" for column in ALL_COLUMNS)]
    more += [f"IoU/{name}" for name in names]
    writer.writerow(["source", "domain", "method", *COLUMNS, *more])
    for row in rows:
        values = [row.scores.get(column) for column in ALL_COLUMNS]
        values += [row.deviations.get(column) for column in ALL_COLUMNS]
        values += [row.classes.get(name) for name in names]
        cells = ["" if value is None or value != value else f"{value:.6g}" for value in values]
        writer.writerow(["measured", row.domain, row.method, *cells])
    for line in quoted:
        cells = ["" if cell in ("-", "?") else cell for cell in line.cells()]
        writer.writerow(["paper", line.domain, line.method, *cells, *[""] * len(more)])
    return buffer.getvalue()


def to_latex(rows: Sequence[Line], caption: str) -> str:
    """Format the table in the paper's layout, in LaTeX without further packages.

    Args:
        rows: Grouped by domain.
        caption: Plain text.

    Example:
        >>> from semimtl_geo.compare import Row
        >>> "tabular" in to_latex([Row("city_b", "JTL", {"mIoU": 61.84})], "Cross-city")
        True
    """
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape(caption)}}}",
        r"\begin{tabular}{ll" + "r" * len(COLUMNS) + "}",
        r"\hline",
        r" & Method & \multicolumn{2}{c}{Segmentation} & \multicolumn{5}{c}{Depth} & MTL \\",
        " & & " + " & ".join(TEX_HEADINGS) + r" \\",
    ]
    domain = None
    for row in rows:
        if row.domain != domain:
            lines.append(r"\hline")
        shown = "" if row.domain == domain else escape(row.domain)
        domain = row.domain
        cells = [escape(row.method), *(_number(cell) for cell in row.cells())]
        lines.append(f"{shown} & " + " & ".join(cells) + r" \\")
    lines += [r"\hline", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _number(cell: str) -> str:
    """Return a cell with minus signs in place of hyphens."""
    text = escape(cell)
    return f"${text[0]}${text[1:]}" if text[:1] == "-" and text[1:] else text


def escape(text: str, table: Mapping[str, str] = TEX) -> str:
    """Escape text for LaTeX."""
    return "".join(table.get(letter, letter) for letter in text)
