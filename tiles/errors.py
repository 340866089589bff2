"""The one error that a user can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike


class InputError(Exception):
    """Something the user gave cannot be used; one line says what to do.

    The command line prints the line and exits with code 2. Anything else that is raised is a
    defect of the program and keeps its traceback.

    Args:
        source: The file, setting or argument that is at fault.
        fault: What is wrong with it.
        remedy: What the user can do.
    """

    def __init__(self, source: str | PathLike[str], fault: str = "", remedy: str = "") -> None:
        self.source = str(source)
        self.fault = fault
        self.remedy = remedy
        # All three, so that the error can cross from one process to another.
        super().__init__(self.source, fault, remedy)

    def __str__(self) -> str:
        if not self.fault:
            # A reading process of torch's hands on a traceback, from which torch makes the error
            # anew; the line stands at its end.
            return self.source.strip().splitlines()[-1].partition("InputError: ")[2]
        return " ".join(f"{self.source}: {self.fault}; {self.remedy}".split())


@contextmanager
def path_faults(path: str | PathLike[str]) -> Iterator[None]:
    """Say in one line why a path cannot be looked at: too long, or in a folder that is closed."""
    try:
        yield
    except OSError as error:
        fault = f"cannot be looked at ({error.strerror or error})"
        raise InputError(path, fault, "check the path and the rights of its folders") from error
