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


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@given(value=st.floats(), low=st.floats(-9, 9), width=st.floats(0, 9), above=st.booleans())
def test_ranges(value: float, low: float, width: float, above: bool) -> None:
    possible = math.isfinite(value) and low <= value <= low + width and not (above and value == low)
    try:
        check_range("data.crop", value, low, low + width, above=above)
    except InvalidValueError as error:
        assert not possible, error  # noqa: PT017 - it is raised for some values only
    else:
        assert possible
