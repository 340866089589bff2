from __future__ import annotations

import numpy as np
import pytest

from semimtl_geo.synthetic.rendering.light import shading, sky_view, sunlit, toward_sun


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 135.0, 180.0, 200.0, 250.0, 315.0])
@pytest.mark.parametrize("elevation", [35.0, 55.0])
def test_lone_post_casts_its_shadow_away_from_the_sun(azimuth: float, elevation: float) -> None:
    gsd, tall, half = 0.2, 8.0, 5
    height = np.zeros((201, 201), np.float32)
    height[100 - half : 101 + half, 100 - half : 101 + half] = tall
    dark = (sunlit(height, gsd, azimuth, elevation) < 0.5) & (height == 0)

    # How far every pixel lies from the box's centre, away from the sun, in pixels.
    rows, cols = np.mgrid[-100:101, -100:101]
    away = rows * np.cos(np.radians(azimuth)) - cols * np.sin(np.radians(azimuth))
    reach = away[dark].max() - away[height > 0].max()
    # One pixel along the ray is up to a pixel's diagonal.
    pixel = 1 / max(abs(np.sin(np.radians(azimuth))), abs(np.cos(np.radians(azimuth))))
    assert reach == pytest.approx(tall / np.tan(np.radians(elevation)) / gsd, abs=pixel)
    # Nothing is dark toward the sun, nor aside of the box.
    assert away[dark].min() > away[height > 0].min()
    aside = np.abs(rows * np.sin(np.radians(azimuth)) + cols * np.cos(np.radians(azimuth)))
    assert aside[dark].max() <= aside[height > 0].max() + 1
    # The shadow is as large as the swept box's outline.
    swept = (2 * half + 1) * tall / np.tan(np.radians(elevation)) / gsd
    swept *= np.abs(np.sin(np.radians(azimuth))) + np.abs(np.cos(np.radians(azimuth)))
    assert dark.sum() == pytest.approx(swept, rel=0.1)


def test_shadow_length_is_exact_along_an_axis() -> None:
    height = np.zeros((60, 60), np.float32)
    height[30, 30] = 10.0
    lit = sunlit(height, 1.0, 180.0, 45.0)
    dark = lit < 0.5
    # Sun in the south: the shadow falls to the north, ten pixels within one.
    assert dark[21:30, 30].all()
    assert not dark[:19, 30].any()
    assert dark.sum() == dark[:, 30].sum()


def test_flat_ground_is_fully_lit() -> None:
    flat = np.zeros((20, 30), np.float32)
    np.testing.assert_array_equal(sunlit(flat, 0.3, 123.0, 40.0), 1)
    np.testing.assert_array_equal(sky_view(flat, 0.3), 1)
    np.testing.assert_allclose(shading(np.zeros((2, 4, 4), np.float32), 200.0, 40.0), 1)


def test_slope_toward_the_sun_is_brighter() -> None:
    east, south = toward_sun(150.0)
    slope = np.zeros((2, 1, 2), np.float32)
    slope[:, 0, 0] = -0.5 * east, -0.5 * south  # rises away from the sun: faces it
    slope[:, 0, 1] = 0.5 * east, 0.5 * south
    facing, averted = shading(slope, 150.0, 45.0)[0]
    assert facing > 1.2
    assert averted < 0.6


def test_ground_beside_a_wall_sees_less_sky() -> None:
    height = np.zeros((80, 80), np.float32)
    height[:, :40] = 12.0
    seen = sky_view(height, 0.25)
    assert seen[40, 41] < seen[40, 45] < seen[40, 79]
    assert seen[40, 10] == 1
