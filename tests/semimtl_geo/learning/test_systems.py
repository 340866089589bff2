from __future__ import annotations

import pytest

from semimtl_geo.learning.alignment import ALIGNMENTS, register_alignment
from semimtl_geo.learning.systems import (
    SYSTEMS,
    Supervision,
    System,
    find_system,
    register_system,
    supervise,
    system_names,
)
from semimtl_geo.tasks import Depth, Segmentation
from tiles.errors import InputError, InvalidValueError


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
    with pytest.raises(
        InvalidValueError, match=r"^model\.system: no system is called mtl; use one of stl_seg, "
    ):
        find_system("mtl")


def test_what_a_system_is_supervised_by() -> None:
    """Single tasks read the domains with their labels, adversarial systems all of them."""
    land, height = Segmentation(), Depth()
    domains = {"a": ["landcover"], "b": ["height"], "c": ["landcover", "height"], "d": []}
    for system, tasks, read, labelled in (
        ("stl_seg", (land,), ("a", "c"), {"landcover": [0, 1]}),
        ("stl_depth", (height,), ("b", "c"), {"height": [0, 1]}),
        ("jtl", (land, height), ("a", "b", "c"), {"landcover": [0, 2], "height": [1, 2]}),
        ("da_depth", (height,), ("a", "b", "c", "d"), {"height": [1, 2]}),
    ):
        assert supervise(system, [land, height], domains) == Supervision(tasks, read, labelled)


@pytest.mark.parametrize(
    ("system", "domains", "message"),
    [
        (
            "jtl",
            {"a": ["landcover"], "b": ["trees"]},
            "domain b: no task has labels called trees; use ['landcover']",
        ),
        (
            "stl_depth",
            {"a": ["landcover"]},
            "system stl_depth: no task has labels of values; choose another system",
        ),
        (
            "jtl",
            {"a": []},
            "task landcover: no domain has labels for it; supervise it in some domain, or remove "
            "it",
        ),
    ],
)
def test_what_does_not_fit_together(
    system: str, domains: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        supervise(system, [Segmentation()], domains)
    assert str(caught.value) == message


def test_a_system_is_registered_once_and_with_a_known_alignment() -> None:
    known = dict(SYSTEMS)
    m4 = System("SemiMTL (M4)", "a fourth mode", alignment="m4")
    plain = System("JTL (roofs)", "JTL on labels of roofs")
    try:
        with pytest.raises(InvalidValueError) as taken:
            register_system("jtl", plain)
        with pytest.raises(InvalidValueError) as unknown:
            register_system("semimtl_m4", m4)
        assert known == SYSTEMS
        register_system("jtl_roofs", plain)
        register_alignment("m4", ALIGNMENTS["m1"])
        register_system("semimtl_m4", m4)
        assert {"jtl_roofs": plain, "semimtl_m4": m4, **known} == SYSTEMS
        assert ALIGNMENTS["m4"] is ALIGNMENTS["m1"]
        with pytest.raises(InvalidValueError) as twice:
            register_alignment("m4", ALIGNMENTS["m2"])
        assert ALIGNMENTS["m4"] is ALIGNMENTS["m1"]
    finally:
        for names in (SYSTEMS, ALIGNMENTS):
            for name in ("jtl_roofs", "semimtl_m4", "m4"):
                names.pop(name, None)
    assert str(taken.value) == "system jtl: is registered already; choose another name"
    assert str(twice.value) == "alignment m4: is registered already; choose another name"
    assert str(unknown.value) == (
        "system semimtl_m4: no alignment is called m4; use one of adaptsegnet, binary, m1, m2, m3"
    )
