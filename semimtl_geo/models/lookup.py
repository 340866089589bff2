"""The lookup of a model by its path, or by the name of a packaged one."""

from __future__ import annotations

from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from tiles.errors import InputError, MissingFileError
from tiles.files import path_errors

SUFFIX: Final = ".safetensors"


def _folder() -> Path:
    return Path(str(resources.files("semimtl_geo.models")))


def model_names() -> list[str]:
    """Return the names of the packaged models.

    Example:
        >>> model_names()
        ['random_towns', 'towns']
    """
    return sorted(file.stem for file in _folder().glob(f"*{SUFFIX}"))


def find_model(model: str | PathLike[str]) -> Path:
    """Return the file of a model.

    Args:
        model: Path of an existing file, which takes precedence; or the name of a packaged model.

    Raises:
        MissingFileError: If it is neither.
        InputError: If it is a folder.

    Example:
        >>> find_model("semimtl.ckpt").name
        'semimtl.ckpt'
        >>> find_model("towns").name
        'towns.safetensors'
    """
    path, names = Path(model), model_names()
    with path_errors(path):
        if path.is_file():
            return path
        if fspath(model) in names:
            return _folder() / f"{fspath(model)}{SUFFIX}"
        remedy = f"give a file, or the name of a model of the package: {', '.join(names)}"
        if path.is_dir():
            raise InputError(path, "is a folder", remedy)
    raise MissingFileError(path, "no such file", remedy)
