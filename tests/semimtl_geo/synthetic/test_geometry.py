from __future__ import annotations

import numpy as np
import pytest

from semimtl_geo.synthetic import CITY_A, CITY_B
from semimtl_geo.synthetic.rendering.noise import value_noise
from semimtl_geo.synthetic.town.geometry import Rect, StreetCoordinates
from semimtl_geo.synthetic.town.street_network import make_street_network


@pytest.mark.parametrize("style", [CITY_A, CITY_B], ids=lambda style: style.name)
def test_street_coordinates_there_and_back(style) -> None:
    for seed in range(20):
        frame = make_street_network(style, np.random.default_rng(seed), 100.0).coordinates
        for u, v in ((0.0, 0.0), (33.0, -41.0), (-60.0, 12.0)):
            assert frame.to_uv(*frame.to_xy(u, v)) == pytest.approx((u, v), abs=0.02)


@pytest.mark.parametrize("axis", [0, 1])
def test_rectangles_follow_the_streets(axis: int) -> None:
    frame = StreetCoordinates(10.0, 5.0, 0.4, ((0.05, 0.02, 1.0, 4.0, -3.0),))
    x0, y0 = frame.to_xy(7.0, 9.0)
    x1, y1 = frame.to_xy(7.0 + (axis == 0), 9.0 + (axis == 1))
    turn = frame.rect(7.0, 9.0, axis, 5.0, 2.0).angle - np.arctan2(y1 - y0, x1 - x0)
    assert np.cos(turn) == pytest.approx(1, abs=1e-3)


def test_rect_parts() -> None:
    rect = Rect(1.0, 2.0, np.pi / 2, 6.0, 4.0)
    assert rect.at(3.0, 0.0) == pytest.approx((1.0, 5.0))
    assert rect.half_extent() == pytest.approx((2.0, 3.0))
    assert rect.expanded(1.0).length == 8.0


@pytest.mark.parametrize("style", [CITY_A, CITY_B], ids=lambda style: style.name)
def test_streets_cover_the_scene(style) -> None:
    network = make_street_network(style, np.random.default_rng(3), 100.0)
    for x, y in ((0.0, 0.0), (100.0, 0.0), (0.0, 100.0), (100.0, 100.0), (50.0, 50.0)):
        u, v = network.coordinates.to_uv(x, y)
        strip = [cross for cross in network.crosses if cross.start <= u < cross.stop]
        assert min(cross.position for cross in strip) < v < max(cross.position for cross in strip)


def test_noise_is_bounded_and_seeded() -> None:
    one = value_noise(np.random.default_rng(1), (50, 70), 7.3)
    assert one.shape == (50, 70)
    assert one.dtype == np.float32
    assert np.abs(one).max() <= 1
    np.testing.assert_array_equal(one, value_noise(np.random.default_rng(1), (50, 70), 7.3))
