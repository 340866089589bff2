"""Options of adapters on the command line, declared in the adapters' dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

_KEY: Final = "option"


@dataclass(frozen=True)
class Option:
    """Properties of a command-line option besides the field's name and default.

    Attributes:
        help: One line that says what the option sets.
        choices: The values that it accepts; empty if it accepts any.
        parse: Function from text to the value, or `bool` for a flag without a value.
        metavar: Placeholder of the value in the help.
    """

    help: str
    choices: Sequence[str]
    parse: Callable[[str], Any]
    metavar: str | None


def option(
    default: Any,
    help: str,  # noqa: A002 - argparse's name for it
    *,
    choices: Sequence[str] = (),
    parse: Callable[[str], Any] | None = None,
    metavar: str | None = None,
) -> Any:
    """Declare a field of an adapter's dataclass that is also an option on the command line.

    Args:
        default: Value of the field if the option is not given.
        help: One line that says what the option sets.
        choices: The values that it accepts; any if empty.
        parse: Function from text to the value; the type of `default` if None. A field whose
            default is a boolean becomes a flag without a value.
        metavar: Placeholder of the value in the help.

    Returns:
        A field, to be assigned in the body of a dataclass.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Archive:
        ...     gsd: float = option(0.09, "ground sampling distance in metres")
        >>> Archive().gsd
        0.09
        >>> [(name, made.help) for name, made, default in options_of(Archive)]
        [('gsd', 'ground sampling distance in metres')]
    """
    made = Option(help, choices, parse or type(default), metavar)
    return field(default=default, metadata={_KEY: made})


def options_of(adapter: type[Any]) -> Iterator[tuple[str, Option, Any]]:
    """Iterate over the options that an adapter's dataclass declares.

    Args:
        adapter: A dataclass. Fields that :func:`option` did not make are not options.

    Yields:
        Name of the field, its option, and its default.

    Example:
        >>> from semimtl_geo.prepare.isprs import Potsdam
        >>> [name for name, _, _ in options_of(Potsdam)]
        ['labels', 'heights', 'gsd', 'val']
    """
    for each in fields(adapter):
        if _KEY in each.metadata:
            yield each.name, each.metadata[_KEY], each.default


def parse_names(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of names.

    Args:
        text: The list, such as ``2_11, 4_10``.

    Returns:
        The names without surrounding blanks; empty ones are left out.

    Example:
        >>> parse_names("2_11, 4_10,")
        ('2_11', '4_10')
    """
    return tuple(name.strip() for name in text.split(",") if name.strip())
