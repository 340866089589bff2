"""Images in their axes, and legends of their colours, as all figures draw them."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from semimtl_geo.tasks.coloring import Ramp
from tiles.types import Color

INK: Final = "#1b2430"
"""Colour of text."""

UNKNOWN: Final[Mapping[str, Any]] = {
    "facecolor": "#dcdfe2",
    "edgecolor": "#b4bac0",
    "hatch": "////",
    "linewidth": 0,
}
"""Style of unknown pixels, which nobody can take for a class."""


PAGE_COLORS: Final = ("soft", "line", "green", "a", "b", *(f"c{number}" for number in range(9)))
"""Colours that the style sheet of the page defines, in light and dark."""


def new_figure(width: float, height: float, dpi: float) -> Figure:
    """Return a figure of this size in inches, whose parts are laid out without overlaps."""
    figure = Figure((width, height), dpi=dpi, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def show_image(
    axes: Any, image: NDArray[np.uint8], title: str, aspect: float = 1.0, **style: Any
) -> None:
    """Show an image; what is transparent is hatched.

    Args:
        axes: Axes to draw on.
        image: Red, green, blue and alpha ``[H, W, 4]``.
        title: Heading of the image.
        aspect: Height of a pixel over its width.
        **style: Style of the heading.
    """
    height, width = image.shape[:2]
    axes.set_axis_off()
    axes.set_anchor("N")
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, zorder=0, **UNKNOWN))
    axes.imshow(image, interpolation="antialiased", zorder=1, aspect=aspect)
    # A dollar sign in a name is not mathematics.
    axes.set_title(title, color=INK, parse_math=False, **style)


def show_classes(axes: Any, colors: Mapping[str, Color], **style: Any) -> None:
    """Add the legend of classes to axes."""
    patches = [
        Patch(facecolor=(r / 255, g / 255, b / 255), edgecolor="#7a838c", label=name)
        for name, (r, g, b) in colors.items()
    ]
    axes.legend(handles=patches, frameon=False, labelcolor=INK, **style)


def show_ramp(figure: Any, ramp: Ramp, label: str, **place: Any) -> None:
    """Add the bar of a colour ramp to a figure.

    Args:
        figure: The figure.
        ramp: The ramp.
        label: Text at the bar.
        **place: Axes that it belongs to (``ax``) or fills (``cax``), as for a colour bar.
    """
    colors = LinearSegmentedColormap.from_list("ramp", np.divide(ramp.colors, 255))
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, ramp.high), colors),
        orientation="horizontal",
        ticks=[0, ramp.high / 2, ramp.high],
        format="%g",
        **place,
    )
    bar.set_label(label, fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=8)


def page_color(name: str) -> str:
    """Return what stands for a colour of the page in a figure for :func:`inline_svg`."""
    return f"#0001{PAGE_COLORS.index(name):02x}"


def inline_svg(figure: Figure, label: str) -> str:
    """Return a figure as SVG within HTML, in the fonts and colours of the page.

    Args:
        figure: The figure, in colours of :func:`page_color`.
        label: Description for those who cannot see it.
    """
    figure.patch.set_visible(False)
    buffer = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text; ids are equal in each run.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", metadata=metadata)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    # Within HTML there are no namespaces, and ids and styles are those of the whole page.
    drawing = re.sub(r' (xmlns(:xlink)?|width|height|version)="[^"]*"', "", drawing, count=5)
    drawing = re.sub(r'<style.*?</style>|(?<=<g) id="[^"]*"', "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"font-family: [^;]*;", "", drawing.replace("xlink:href", "href"))
    drawing = re.sub(
        "#0001([0-9a-f]{2})", lambda code: f"var(--{PAGE_COLORS[int(code[1], 16)]})", drawing
    )
    return drawing.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
