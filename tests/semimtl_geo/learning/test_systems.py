from __future__ import annotations

from typing import get_args

import pytest

from semimtl_geo.learning.systems import SYSTEMS, SystemName


@pytest.mark.parametrize(
    ("name", "title", "alignment", "segmentation", "depth"),
    [
        # Tables 2 and 3, and section 4.2.
        ("stl_seg", "STL_Seg", None, True, False),
        ("stl_depth", "STL_Depth", None, False, True),
        ("da_seg", "DA_Seg", "binary", True, False),
        ("da_depth", "DA_Depth", "binary", False, True),
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
    assert system.trains("segmentation") == segmentation
    assert system.trains("depth") == depth
    # Without an adversary there is nothing to learn from a domain without labels.
    assert system.reads_unlabelled == (alignment is not None)


def test_every_system_can_be_named_in_a_configuration() -> None:
    assert set(get_args(SystemName)) == set(SYSTEMS)
    assert len(SYSTEMS) == 9
