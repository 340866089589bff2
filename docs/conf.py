"""Settings of Sphinx; ``docs/build.py`` puts the sources together and runs it."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version as installed_version
from urllib.request import urlopen

project = "semimtl_geo"
author = "The semimtl_geo founders"
copyright = "2026, the semimtl_geo founders"  # noqa: A001 - Sphinx's name
version = release = installed_version("semimtl-geo")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinxarg.ext",
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

nb_execution_mode = "cache"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
# Progress bars, and warnings of libraries, are for the terminal.
nb_output_stderr = "remove"

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
_inventories = {
    "python": ("https://docs.python.org/3", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
    "xarray": ("https://docs.xarray.dev/en/stable", None),
    "rasterio": ("https://rasterio.readthedocs.io/en/stable", None),
    "torchgeo": ("https://torchgeo.readthedocs.io/en/stable", None),
}


def _online() -> bool:
    """Return whether other projects' pages can be reached, which links to them need."""
    with suppress(OSError), urlopen("https://docs.python.org/3/objects.inv", timeout=5):
        return True
    return False


intersphinx_mapping = _inventories if _online() else {}

# The extension of the command line resolves links of its own only.
suppress_warnings = ["myst.domains"]

html_theme = "furo"
html_title = "semimtl_geo"
html_static_path: list[str] = []
