"""YAML that users bring, and ranges of numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiles.errors import InputError, InvalidValueError
from tiles.settings import check_range, read_yaml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=20,
)


@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=PLAIN)
def test_plain_values_are_read_as_they_were_written(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert read_yaml(file) == content


def test_aliases_that_are_used_twice_are_read(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("a: &size [1, 2]\nb: *size\n")
    assert read_yaml(file) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '1'] * 10)}]\n" for n in range(9)
        ),
        "a: &a [*a]",
        "a: &a {b: *a}",
        "[" * 5000,
        "a: !!python/object/apply:os.system ['true']",
        "a: !unknown 3",
        "a: [1",
        "a: '\0'",
        "2001-99-99",
    ],
)
def test_what_is_no_plain_value_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(
        InputError, match=r"bad\.yaml: (cannot be read as YAML|expands to more than)"
    ):
        read_yaml(file)


@pytest.mark.parametrize(
    ("value", "low", "high", "above", "possible"),
    [
        (1, 1, 8, False, True),
        (8, 1, 8, False, True),
        (4.5, 1, 8, True, True),
        (0.999, 1, 8, False, False),
        (8.001, 1, 8, False, False),
        (1, 1, 8, True, False),
        (8, 1, 8, True, True),
        (1e300, 1, math.inf, False, True),
        (math.inf, 1, math.inf, False, False),
        (-math.inf, 1, 8, False, False),
        (math.nan, 1, 8, False, False),
        (-0.0, 0, 0, False, True),
    ],
)
def test_ranges(value: float, low: float, high: float, above: bool, possible: bool) -> None:
    if possible:
        check_range("data.crop", value, low, high, above=above)
    else:
        with pytest.raises(InvalidValueError, match=r"data\.crop: must be .*, got "):
            check_range("data.crop", value, low, high, above=above)
