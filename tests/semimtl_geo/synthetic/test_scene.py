from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from semimtl_geo.synthetic import CITY_A, CITY_B, CityStyle, SyntheticScene, make_scene

CITIES = pytest.mark.parametrize("style", [CITY_A, CITY_B], ids=lambda style: style.name)
RANGES = {0: (22, 38), 1: (18, 34), 2: (16, 32), 3: (8, 22), 4: (1.0, 3.2), 5: (1, 6)}


@cache
def some_scenes(style: CityStyle) -> tuple[SyntheticScene, ...]:
    size = round(96 / style.gsd)
    return tuple(make_scene(style, seed, size) for seed in range(8))


def values(style: CityStyle, landcover: int, layer: str) -> np.ndarray:
    return np.concatenate(
        [getattr(scene, layer)[..., scene.landcover == landcover] for scene in some_scenes(style)],
        axis=-1,
    )


@CITIES
def test_layers_and_types(style: CityStyle) -> None:
    scene = make_scene(style, 0, 70)
    assert (scene.image.shape, scene.image.dtype) == ((3, 70, 70), np.uint8)
    assert (scene.landcover.shape, scene.landcover.dtype) == ((70, 70), np.uint8)
    assert (scene.height.shape, scene.height.dtype) == ((70, 70), np.float32)


@CITIES
def test_same_seed_same_scene(style: CityStyle) -> None:
    one, same, other = (make_scene(style, seed, 150) for seed in (7, 7, 8))
    for layer in ("image", "landcover", "height"):
        assert getattr(one, layer).tobytes() == getattr(same, layer).tobytes()
        assert getattr(one, layer).tobytes() != getattr(other, layer).tobytes()


@CITIES
def test_class_shares(style: CityStyle) -> None:
    counts = np.sum([np.bincount(s.landcover.ravel(), minlength=6) for s in some_scenes(style)], 0)
    shares = 100 * counts / counts.sum()
    assert len(shares) == 6
    for landcover, (low, high) in RANGES.items():
        assert low <= shares[landcover] <= high, (landcover, shares)


@CITIES
def test_a_crop_holds_several_classes(style: CityStyle) -> None:
    edge = round(35 / style.gsd)
    held = []
    for scene in some_scenes(style):
        for row in range(0, scene.landcover.shape[0] - edge, edge):
            for col in range(0, scene.landcover.shape[1] - edge, edge):
                crop = scene.landcover[row : row + edge, col : col + edge]
                held.append((np.bincount(crop.ravel(), minlength=6) > 0.01 * crop.size).sum())
    assert np.mean(held) >= 3.5
    assert np.mean(np.array(held) <= 1) < 0.05


@CITIES
def test_heights_agree_with_classes(style: CityStyle) -> None:
    for ground in (0, 2):
        assert (values(style, ground, "height") == 0).all()
    buildings = values(style, 1, "height")
    assert buildings.min() >= 2
    assert buildings.max() < (24 if style is CITY_A else 15)
    trees = values(style, 3, "height")
    assert trees.min() > 0.5
    assert np.median(trees) > 3
    cars = values(style, 4, "height")
    assert 1.0 <= cars.min() <= cars.max() <= 1.6
    assert 1.2 <= np.median(cars) <= 1.6
    clutter = values(style, 5, "height")
    assert clutter.min() >= 0
    assert clutter.max() < 4
    assert all(np.isfinite(scene.height).all() for scene in some_scenes(style))


def test_city_a_is_taller() -> None:
    tall, low = (np.median(values(style, 1, "height")) for style in (CITY_A, CITY_B))
    assert tall > 1.4 * low


@CITIES
def test_cars_have_the_size_of_cars(style: CityStyle) -> None:
    areas = []
    for scene in some_scenes(style):
        labels, count = ndimage.label(scene.landcover == 4)
        areas += list(np.bincount(labels.ravel())[1:] * style.gsd**2) if count else []
    whole = np.array(areas)[np.array(areas) > 4]
    assert 7.0 < np.median(whole) < 10.0


@CITIES
def test_ground_away_from_the_sun_is_darker(style: CityStyle) -> None:
    # Beside walls, on the shadow's side against the sun's side: read from the image alone.
    sunny, shady = [], []
    reach = 2.5 / style.gsd
    azimuth = np.radians(style.sun_azimuth)
    shift = np.array([-np.cos(azimuth), np.sin(azimuth)]) * reach
    for scene in some_scenes(style):
        building = (scene.landcover == 1) & (scene.height > 4)
        road = scene.landcover == 0
        for sign, into in ((1, sunny), (-1, shady)):
            rows, cols = np.round(sign * shift).astype(int)
            beside = np.roll(building, (rows, cols), axis=(0, 1)) & ~building & road
            into.append(scene.image[:, beside].mean(axis=0))
    assert np.concatenate(shady).mean() < 0.75 * np.concatenate(sunny).mean()


@CITIES
def test_vegetation_is_red_in_the_infrared_picture(style: CityStyle) -> None:
    for landcover in (2, 3):
        nir, red, green = values(style, landcover, "image").mean(axis=1)
        assert nir > 1.2 * red
        assert nir > 1.2 * green
    nir, red, green = values(style, 0, "image").mean(axis=1)
    assert nir < 1.15 * green


def test_the_cities_differ_to_a_sensor() -> None:
    # A Gaussian of each class's colours in A, used to classify the pixels of A and of B.
    models = []
    for landcover in range(4):
        colours = values(CITY_A, landcover, "image").astype(np.float64)
        models.append((colours.mean(axis=1), np.cov(colours)))
    right = {}
    for style in (CITY_A, CITY_B):
        shares = []
        for landcover in range(4):
            colours = values(style, landcover, "image")[:, ::20].T.astype(np.float64)
            likelihood = [
                -np.einsum("ni,ij,nj->n", colours - mean, np.linalg.inv(cov), colours - mean)
                - np.linalg.slogdet(cov)[1]
                for mean, cov in models
            ]
            shares.append((np.argmax(likelihood, axis=0) == landcover).mean())
        right[style] = np.mean(shares)
    assert right[CITY_A] > 0.5
    assert right[CITY_B] < 0.75 * right[CITY_A], right
