from __future__ import annotations

import pytest

from semimtl_geo.learning.systems import (
    SYSTEMS,
    System,
    find_system,
    register_system,
    system_names,
)
from tiles.errors import InvalidValueError


@pytest.mark.parametrize(
    ("name", "title", "alignment", "segmentation", "depth"),
    [
        # Tables 2 and 3, and section 4.2.
        ("stl_seg", "STL_Seg", None, True, False),
        ("stl_depth", "STL_Depth", None, False, True),
        ("da_seg", "DA_Seg", "adaptsegnet", True, False),
        ("da_depth", "DA_Depth", "adaptsegnet", False, True),
        ("jtl", "JTL", None, True, True),
        ("semisd", "SemiSD", "binary", True, True),
        ("semimtl_m1", "SemiMTL (M1)", "m1", True, True),
        ("semimtl", "SemiMTL", "m2", True, True),
        ("semimtl_m3", "SemiMTL (M3)", "m3", True, True),
    ],
)
def test_systems_of_the_paper(
    name: str, title: str, alignment: str | None, segmentation: bool, depth: bool
) -> None:
    system = SYSTEMS[name]
    assert (system.title, system.alignment) == (title, alignment)
    assert system.trains("classes") == segmentation
    assert system.trains("values") == depth
    # Without an adversary there is nothing to learn from a domain without labels.
    assert system.reads_unlabelled == (alignment is not None)


def test_systems_are_in_the_order_of_the_papers_tables() -> None:
    assert system_names() == [
        *("stl_seg", "da_seg", "stl_depth", "da_depth", "jtl", "semisd"),
        *("semimtl_m1", "semimtl_m3", "semimtl"),
    ]
    assert set(SYSTEMS) == set(system_names())
    assert len({system.title for system in SYSTEMS.values()}) == 9
    assert all(system.description for system in SYSTEMS.values())


def test_every_system_can_be_named_in_a_configuration() -> None:
    for name, system in SYSTEMS.items():
        assert find_system(name) is system
    with pytest.raises(InvalidValueError, match="no system is called mtl; use one of stl_seg, "):
        find_system("mtl")


def test_a_system_is_registered_once_and_with_a_known_alignment() -> None:
    with pytest.raises(InvalidValueError, match="jtl: is registered already"):
        register_system("jtl", SYSTEMS["jtl"])
    with pytest.raises(
        InvalidValueError, match="no alignment is called m4; use one of adaptsegnet"
    ):
        register_system("semimtl_m4", System("SemiMTL (M4)", "a fourth mode", alignment="m4"))
    assert "semimtl_m4" not in SYSTEMS
