"""Many places mapped by one policy, and spread over processes or a cluster without a difference."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from semimtl_geo.mapping import CoarseRasterWarning, Mapper, map_files
from semimtl_geo.mapping.names import name_places
from tests import fresh_process
from tests.rasters import noise, write
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError

COUNT = 3


@pytest.fixture(scope="module")
def mapper(run: Run) -> Mapper:
    return Mapper.load(run.checkpoint, "cpu", "float32")


@pytest.fixture(scope="module")
def rasters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Neighbours of very different brightness; the last is of 16 bit."""
    folder = tmp_path_factory.mktemp("rasters")
    images = [noise(3, 70, 80 + 9 * number, seed=number) // (1 + 2 * number) for number in range(2)]
    images.append(images[0].astype(np.uint16) * 257)
    return [
        write(folder / f"{number}.tif", image, gsd=0.27, at=(100 * number, 0))
        for number, image in enumerate(images)
    ]


@pytest.fixture(scope="module")
def one_by_one(
    mapper: Mapper, rasters: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The files that single calls make with statistics of all rasters."""
    folder = tmp_path_factory.mktemp("one_by_one")
    adapted = mapper.adapt(rasters)
    for raster in rasters:
        adapted.map(raster, folder, confidence=True)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".tif"}


def test_statistics_are_joint(
    mapper: Mapper, rasters: list[Path], one_by_one: dict[str, bytes], tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    finished: list[str] = []
    made = mapper.map_many(
        rasters,
        tmp_path,
        confidence=True,
        progress=lambda *report: seen.append(report),
        finished=lambda name, maps: finished.append(f"{name} {len(maps)}"),
    )
    assert contents(tmp_path) == one_by_one
    assert list(made) == ["0", "1", "2"]
    assert finished == ["0 3", "1 3", "2 3"]
    assert {maps.attrs["comment"] for maps in made.values()} == {made["0"].attrs["comment"]}
    assert "of 3 rasters, without labels" in made["0"].attrs["comment"]
    assert map_files(made["1"])["height"] == tmp_path / "1_height.tif"
    assert [report for report in seen if report[1] == report[2]] != []
    assert {name for name, _, _ in seen} == {"0", "1", "2"}


def test_statistics_of_each_and_of_a_domain(
    mapper: Mapper, rasters: list[Path], one_by_one: dict[str, bytes], tmp_path: Path
) -> None:
    mapper.map_many(rasters, tmp_path / "each", "each")
    mapper.map_many(rasters, tmp_path / "domain", "city_b")
    for raster in rasters:
        mapper.map(raster, tmp_path / "each_by_hand")
        mapper.map(raster, tmp_path / "domain_by_hand", domain="city_b")
    for name in ("each", "domain"):
        made = contents(tmp_path / name)
        assert made == contents(tmp_path / f"{name}_by_hand")
        assert all(one_by_one[key] != value for key, value in made.items())
    # Statistics that were chosen before are not chosen again.
    chosen = mapper.for_domain("city_b")
    for statistics in ("joint", "each"):
        chosen.map_many(rasters[:2], tmp_path / f"chosen_{statistics}", statistics)
        made = contents(tmp_path / f"chosen_{statistics}")
        assert made.items() <= contents(tmp_path / "domain").items()
        assert len(made) == 4
    with pytest.raises(InputError, match="domain paris: the network was not trained on it"):
        mapper.map_many(rasters, tmp_path / "none", "paris")
    assert not (tmp_path / "none").exists()


def test_places_of_several_files(mapper: Mapper, rasters: list[Path], tmp_path: Path) -> None:
    made = mapper.map_many({"west": rasters[:2], "east": rasters[2]}, tmp_path)
    assert list(made) == ["west", "east"]
    assert made["west"].sizes["x"] == 189
    by_hand = mapper.adapt(rasters).map(rasters[:2], tmp_path / "by_hand", name="west")
    assert map_files(made["west"])["height"].read_bytes() == (
        map_files(by_hand)["height"].read_bytes()
    )


def test_bands_are_found_by_name_in_each_place(mapper: Mapper, tmp_path: Path) -> None:
    image, order = noise(3, 40, 50), (2, 0, 1)
    places = {}
    for name, bands in (("plain", (0, 1, 2)), ("shuffled", order)):
        places[name] = write(tmp_path / f"{name}.tif", image[list(bands)], gsd=0.27)
        with rasterio.open(places[name], "r+") as file:
            file.descriptions = [mapper.card.bands[band] for band in bands]
    made = mapper.map_many(places, tmp_path / "maps", "city_a")
    assert np.array_equal(made["plain"].height, made["shuffled"].height)
    assert made["shuffled"].attrs["bands"] == "2 as NIR, 3 as red, 1 as green"


def test_what_is_refused_before_any_work(
    mapper: Mapper, rasters: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    twin = write(folder / "0.tif", noise(3, 40, 40), gsd=0.27)
    text = tmp_path / "text.tif"
    text.write_text("hello")
    out = tmp_path / "maps"
    out.mkdir()
    made = write(out / "0_height.tif", noise(3, 40, 40), gsd=0.27)
    for given, words in (
        ([rasters[0], twin], "0.tif: would give maps of the same name"),
        ([rasters[0], made], "0_height.tif: would be overwritten by a map"),
        ([rasters[0], text], "text.tif: cannot be read"),
        ({"a": rasters[0], "b/c": rasters[1]}, "must be a part of a file name, got 'b/c'"),
        ({"a": []}, "none was given"),
        ([], "must be at least one"),
    ):
        with pytest.raises(InputError, match=words):
            mapper.map_many(given, out)
        assert [path.name for path in out.iterdir()] == ["0_height.tif"]


def test_coarse_rasters_are_warned_of(mapper: Mapper, rasters: list[Path], tmp_path: Path) -> None:
    """The library warns before the first map is made, and names the caller's line."""
    coarse = write(tmp_path / "far.tif", noise(3, 40, 50), gsd=0.55)
    fine = mapper.for_domain("city_a")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CoarseRasterWarning)
        fine.map(coarse, tmp_path)
        fine.map_many([rasters[0], coarse], tmp_path)
    remarks = [warning for warning in caught if warning.category is CoarseRasterWarning]
    assert [remark.filename for remark in remarks] == [__file__] * 2
    assert str(remarks[0].message).startswith(
        f"{coarse}: pixels of 0.55 m, the network was trained"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", CoarseRasterWarning)
        fine.map(rasters[0], tmp_path)
        with pytest.raises(CoarseRasterWarning):
            fine.map_many([rasters[0], coarse], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_processes_take_rasters(
    mapper: Mapper, rasters: list[Path], one_by_one: dict[str, bytes], tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    made = mapper.map_many(
        rasters, tmp_path, confidence=True, devices=["cpu", "cpu"],
        progress=lambda *report: seen.append(report),
    )  # fmt: skip
    assert contents(tmp_path) == one_by_one
    assert list(made) == ["0", "1", "2"]
    assert {name for name, done, total in seen if done == total} == {"0", "1", "2"}


def test_processes_stop_with_the_first_fault(
    mapper: Mapper, rasters: list[Path], tmp_path: Path
) -> None:
    def stop(name: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    void = write(tmp_path / "void.tif", np.zeros((3, 40, 40), np.uint8), gsd=0.27, nodata=0)
    chosen = mapper.for_domain("city_a")
    with pytest.raises(InputError, match=r"void\.tif: has no known pixel"):
        chosen.map_many([void, *rasters], tmp_path / "maps", devices=["cpu", "cpu"])
    with pytest.raises(KeyboardInterrupt):
        chosen.map_many(rasters, tmp_path / "maps", devices=["cpu", "cpu"], progress=stop)
    chosen.map_many(rasters, tmp_path / "maps")  # nobody else holds the maps


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A cluster of two workers in processes of their own."""
    pytest.importorskip("distributed")
    with fresh_process.cluster() as client:
        yield client


def test_a_cluster_takes_rasters(
    mapper: Mapper,
    rasters: list[Path],
    one_by_one: dict[str, bytes],
    tmp_path: Path,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # where the workers are not
    finished: list[str] = []
    made = mapper.map_many(
        rasters, "maps", confidence=True, client=client,
        finished=lambda name, maps: finished.append(name),
    )  # fmt: skip
    assert contents(tmp_path / "maps") == one_by_one
    assert list(made) == ["0", "1", "2"]
    assert sorted(finished) == ["0", "1", "2"]
    assert map_files(made["0"])["height"] == Path("maps/0_height.tif")
    void = write(tmp_path / "void.tif", np.zeros((3, 40, 40), np.uint8), gsd=0.27, nodata=0)
    with pytest.raises(InputError, match=r"void\.tif: has no known pixel"):
        mapper.for_domain("city_a").map_many([*rasters, void], "more", client=client)


def test_whole_rasters_are_sent_to_workers(
    mapper: Mapper, rasters: list[Path], tmp_path: Path, client: Any
) -> None:
    """Workers are sent rasters, not panels, and each raster once."""
    before = client.run(tasks_done)
    mapper.for_domain("city_a").map_many(rasters, tmp_path, client=client)
    # A task that one worker takes over from the other is in the logs of both.
    done = set[str]().union(*client.run(tasks_done).values())
    assert len(done - set[str]().union(*before.values())) == COUNT


def tasks_done(dask_worker: Any) -> set[str]:
    """Return the names of the tasks by which a worker was to write maps."""
    tasks = {str(entry[0]) for entry in dask_worker.state.log}
    return {task for task in tasks if "_write_on_worker" in task or "_remotely" in task}


def test_places_have_the_names_of_their_files() -> None:
    """Names of URLs are without what a server is asked."""
    named = {
        "maps/ortho.tif": "ortho",
        "https://host/a/north%20one.tif?token=a/b&c=1": "north one",
        "/vsicurl/https://host/south.tif?x=/y.tif": "south",
        "/vsizip/towns.zip/east.tif": "east",
    }
    assert name_places([*named]) == {name: [raster] for raster, name in named.items()}
