"""Descriptions of shared models for people: data, licences, scores and limits, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, Self

from tiles.errors import InvalidValueError, input_errors


@dataclass(frozen=True)
class ModelDescription:
    """The part of a model card that is written by hand for those who consider using the model.

    Attributes:
        title: Name of the model, in one line.
        data: Data that it was trained on.
        licences: Licences of these data with the attribution they ask for, and of the model.
        scores: Scores, and what they were measured on.
        limits: Known limits, and uses that are advised against.

    Example:
        >>> description = ModelDescription(
        ...     title="Two cities",
        ...     data="Synthetic scenes.",
        ...     licences="MIT.",
        ...     scores="None were measured.",
        ...     limits="It has never seen a real city.",
        ... )
        >>> print(description.to_markdown())  # doctest: +ELLIPSIS
        # Two cities
        <BLANKLINE>
        ## Data
        <BLANKLINE>
        Synthetic scenes.
        ...
        >>> ModelDescription.from_markdown(description.to_markdown()) == description
        True
    """

    title: str
    data: str
    licences: str
    scores: str
    limits: str

    def to_markdown(self) -> str:
        """Return a Markdown text with the title as heading and a section for each other part."""
        title, *sections = asdict(self).items()
        parts = [f"# {title[1]}", *(f"## {name.capitalize()}\n\n{text}" for name, text in sections)]
        return "\n\n".join(parts) + "\n"

    def to_plain(self) -> dict[str, str]:
        """Return the parts by name."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Undo :meth:`to_plain`; other entries are ignored.

        Raises:
            ValueError: If a part is missing or empty, or is not a text that can be printed.
        """
        parts = {field.name: plain.get(field.name) for field in fields(cls)}
        for name, text in parts.items():
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"has no {name}")
            # Escape sequences could change what a terminal shows.
            if not all(character.isprintable() or character == "\n" for character in text):
                raise ValueError(f"has characters that cannot be printed in {name}")
        if "\n" in str(parts["title"]):
            raise ValueError("has a title of several lines")
        return cls(**{name: str(text).strip() for name, text in parts.items()})

    @classmethod
    def from_markdown(cls, text: str, source: str | PathLike[str] = "description") -> Self:
        """Undo :meth:`to_markdown`.

        Args:
            text: The text.
            source: Origin of the text, for error messages.

        Raises:
            InvalidValueError: If the title or a section is missing or empty, or there are others.
        """
        text = text.replace("\r\n", "\n").expandtabs(4)
        heading, *sections = re.split(r"^## +", text, flags=re.MULTILINE)
        names = [field.name for field in fields(cls)]
        parts = {"title": heading.strip().removeprefix("# ").strip()}
        remedy = "write `# TITLE` and the sections " + ", ".join(
            f"`## {name.capitalize()}`" for name in names[1:]
        )
        for section in sections:
            name, _, body = section.partition("\n")
            key = name.strip().lower()
            if key not in names or key in parts:
                fault = f"has an unknown or repeated section {name.strip()}"
                raise InvalidValueError(source, fault, remedy)
            parts[key] = body.strip()
        try:
            return cls.from_plain(parts)
        except ValueError as error:
            raise InvalidValueError(source, str(error), remedy) from error

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Self:
        """Read a Markdown file, see :meth:`from_markdown`.

        Raises:
            InputError: If the file cannot be read, or lacks a part.
        """
        remedy = "give a Markdown file in UTF-8"
        with input_errors(path, "cannot be read", remedy, UnicodeDecodeError):
            text = Path(path).read_text(encoding="utf-8")
        return cls.from_markdown(text, path)
