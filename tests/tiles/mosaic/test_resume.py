"""Runs that end early, however they do, and the runs that go on after them."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiles.maps.panel_file
import tiles.mosaic.mosaicker
from tests import fresh_process
from tests.rasters import write
from tiles.errors import InputError
from tiles.maps.layers import ClassMap, PercentMap, ProbabilityMap, ValueMap
from tiles.maps.panel_file import PanelFile
from tiles.maps.panel_store import PanelProgress, resume
from tiles.maps.work_folder import WorkFolder
from tiles.maps.writer import MapWriter
from tiles.mosaic.mosaicker import mosaic

ROOT = Path(__file__).parents[3]
VALUE = ValueMap("value", unit="m", high=255)
CLASSES = ClassMap("class", ("a", "b", "c"), ((0, 0, 0), (9, 9, 9), (200, 0, 0)))
LAYERS = [
    VALUE,
    CLASSES,
    PercentMap("sure", of="class"),
    ProbabilityMap("odds", "class", CLASSES.classes),
]
OPTIONS: dict[str, Any] = {
    "tile": 64, "overlap": 24, "panel": 256, "batch_size": 3, "resume": "token",
}  # fmt: skip


class StopError(Exception):
    """Ends a run in these tests."""


def batch_dependent(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Answer by all that is in the batch, far more than any network does."""
    whole = images.mean() / 1000
    place = torch.sin(9 * torch.linspace(0, 1, images.shape[-1]))[:, None]
    one = images[:, :1] / 255
    return {
        "value": images[:, :1] / 3 + whole,
        "class": torch.cat([one * place, whole + one, one], 1),
    }


def stopping(calls: int, error: type[BaseException] = StopError) -> Callable[[torch.Tensor], Any]:
    """Return `batch_dependent` that ends the run instead of answering once more."""
    left = iter(range(calls))

    def predict(images: torch.Tensor) -> dict[str, torch.Tensor]:
        if next(left, None) is None:
            raise error
        return batch_dependent(images)

    return predict


def picture(path: Path, height: int = 400, width: int = 640, seed: int = 0) -> Path:
    """Write noise in which some rows have a few known pixels only, so that batches cross rows."""
    draws = np.random.default_rng(height + seed)
    values = draws.integers(1, 255, (1, height, width), dtype=np.uint8)
    values[:, height // 4 : height // 2, width // 9 :] = 0
    values[:, -height // 5 :] = 0
    return write(path, values, nodata=0)


def run(image: Path | str, out: Path, predict: Any = batch_dependent, **options: Any) -> None:
    files = {layer.name: out / f"{layer.name}.tif" for layer in LAYERS}
    with mock.patch("tiles.mosaic.mosaicker.BLOCK", 64):
        mosaic(image, predict, LAYERS, files, **{**OPTIONS, **options})


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files in a folder; a hidden one would be work that was left."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A raster and the maps that an undisturbed run makes of it."""
    where = tmp_path_factory.mktemp("scene")
    image, out = picture(where / "image.tif"), folder(where / "out")
    run(image, out)
    made = contents(out)
    assert len(made) == 13  # four maps, each with two styles, and the attributes of classes
    return image, made


def finished_rows(out: Path) -> int:
    """Count the lines of the journals of an unfinished map that say something is done."""
    journals = (out / ".value.tif.work").glob("*.journal")
    return sum(journal.read_bytes().count(b"\n") - 1 for journal in journals)


def work(image: Path, out: Path, says: Path, limit: int) -> int:
    """Map in a process of its own; returns the exit code."""
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    def slow(images: torch.Tensor) -> dict[str, torch.Tensor]:
        time.sleep(0.004)
        return batch_dependent(images)

    try:
        run(image, out, slow)
    except InputError as error:
        says.write_text(str(error))
        return 2
    return 0


class Server:
    """Starts mosaics in real processes."""

    def __init__(self, image: Path, folder: Path) -> None:
        self._image, self._folder = image, folder

    def run(self, out: Path, kill_after: float | None = None, limit: int = 0) -> int:
        """Run, and kill after so many seconds; returns the exit code."""
        process = fresh_process.start(
            work, self._image, out, self._folder / "says.txt", limit,
            folder=self._folder, printed=self._folder / "printed", said=self._folder / "said",
        )  # fmt: skip
        process.join(kill_after)
        process.kill()
        process.join()
        assert process.exitcode is not None
        return process.exitcode


@pytest.fixture
def server(scene: tuple[Path, dict[str, bytes]], tmp_path: Path) -> Server:
    return Server(scene[0], tmp_path)


def test_killed_at_any_moment(
    scene: tuple[Path, dict[str, bytes]], server: Server, tmp_path: Path
) -> None:
    assert server.run(folder(tmp_path / "warm")) == 0
    start = time.perf_counter()
    assert server.run(folder(tmp_path / "whole")) == 0
    whole = time.perf_counter() - start
    assert contents(tmp_path / "whole") == scene[1]
    draws, kills, out = np.random.default_rng(0), 0, folder(tmp_path / "out")
    rounds = progress = 0
    while kills < 8 or (rounds == 0 and kills < 20):
        code = server.run(out, kill_after=draws.uniform(0.1, 0.8) * whole)
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        progress += finished_rows(out) > 0
        if code == 0:
            assert contents(out) == scene[1]
            rounds, out = rounds + 1, folder(tmp_path / f"out{rounds}")
    assert server.run(out) == 0
    assert contents(out) == scene[1]
    assert progress > kills // 4
    assert rounds > 0


def test_a_full_disk_is_one_line_and_work_goes_on_when_there_is_room(
    scene: tuple[Path, dict[str, bytes]], server: Server, tmp_path: Path
) -> None:
    out = folder(tmp_path / "out")
    for _ in range(2):
        assert server.run(out, limit=200_000) == 2
        says = (tmp_path / "says.txt").read_text()
        assert "value.tif: cannot be written" in says
        assert "free some space" in says
        assert "\n" not in says
        assert all(path.name.startswith(".") for path in out.iterdir())
        assert finished_rows(out) > 0
    assert server.run(out) == 0
    assert contents(out) == scene[1]


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_stopped_anywhere_and_gone_on_with(data: st.DataObject) -> None:
    tile = data.draw(st.integers(8, 48))
    options = {
        "tile": tile,
        "overlap": data.draw(st.integers(0, tile * 3 // 4)),
        "panel": data.draw(st.sampled_from([16, 48, 8192])),
        "batch_size": data.draw(st.integers(1, 9)),
        "gsd": data.draw(st.sampled_from([None, 0.27, 0.083])),
        "resume": "token",
    }
    height, width = data.draw(st.integers(20, 90)), data.draw(st.integers(1, 60))
    stops = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4))
    with tempfile.TemporaryDirectory() as name, mock.patch("tiles.mosaic.mosaicker.BLOCK", 16):
        image = picture(Path(name) / "image.tif", height, width)
        made = []
        for where, calls in (("whole", []), ("stopped", stops)):
            out = folder(Path(name) / where)
            files = {layer.name: out / f"{layer.name}.tif" for layer in LAYERS}
            for count in calls:
                with suppress(StopError):
                    mosaic(image, stopping(count), LAYERS, files, **options)
            mosaic(image, batch_dependent, LAYERS, files, **options)
            made.append(contents(out))
        assert made[0] == made[1]


@pytest.mark.parametrize(("error", "gsd"), [(RuntimeError, None), (KeyboardInterrupt, 0.2)])
def test_finished_tiles_are_not_predicted_again(
    tmp_path: Path, error: type[BaseException], gsd: float | None
) -> None:
    image = picture(tmp_path / "image.tif")
    seen: list[bytes] = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(images.numpy().tobytes())
        return batch_dependent(images)

    run(image, folder(tmp_path / "whole"), watch, gsd=gsd)
    whole, out = seen.copy(), folder(tmp_path / "out")
    for calls in (len(whole) // 4, len(whole) // 2):
        with pytest.raises(error):
            run(image, out, stopping(calls, error), gsd=gsd)
        assert {path.suffix for path in out.iterdir()} == {".work"}
    seen.clear()
    reports: list[tuple[int, int]] = []
    run(image, out, watch, gsd=gsd, progress=lambda *state: reports.append(state))
    assert seen == whole[-len(seen) :]  # the very same batches
    assert len(seen) < len(whole) * 3 / 4
    assert reports == sorted(reports)
    assert reports[-1][0] == reports[-1][1]
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_pixels_that_are_gone_are_made_again(
    scene: tuple[Path, dict[str, bytes]], tmp_path: Path, share: float
) -> None:
    """After a crash and a check of the disk, the journal may know of more than there is."""
    image, made = scene
    with pytest.raises(StopError):
        run(image, tmp_path, stopping(30))
    assert finished_rows(tmp_path) > 1
    (pixels, *_) = sorted((tmp_path / ".value.tif.work").glob("*.pixels"))
    os.truncate(pixels, int(share * pixels.stat().st_size))
    run(image, tmp_path)
    assert contents(tmp_path) == made


def test_killed_while_files_get_their_names(
    scene: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    image, made = scene
    for number, method in enumerate(("convert", "publish")):
        out = folder(tmp_path / method)
        original, calls = getattr(MapWriter, method), iter(range(1 + number))

        def interrupted(writer: MapWriter, original: Any = original, calls: Any = calls) -> None:
            original(writer)
            if next(calls, None) is None:
                raise KeyboardInterrupt

        with mock.patch.object(MapWriter, method, interrupted), pytest.raises(KeyboardInterrupt):
            run(image, out)
        run(image, out, stopping(0))
        assert contents(out) == made


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_map_that_the_disk_had_no_room_for_gets_no_name(
    scene: tuple[Path, dict[str, bytes]], tmp_path: Path, share: float
) -> None:
    """GDAL says nothing when its last writes fail."""
    image, made = scene
    original = rasterio.shutil.copy

    def cut(source: Path, target: Path, **options: Any) -> None:
        original(source, target, **options)
        os.truncate(target, int(share * target.stat().st_size))

    with (
        mock.patch("rasterio.shutil.copy", cut),
        pytest.raises(InputError, match="cannot be written"),
    ):
        run(image, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".work"}
    run(image, tmp_path, stopping(0))
    assert contents(tmp_path) == made


def test_new_content_of_the_old_size_and_time_is_not_mixed_with_the_old(tmp_path: Path) -> None:
    """It is in a zip archive, of which GDAL names no file, or as `cp -p` would leave a file."""
    picture(tmp_path / "new.tif", 300, 200, seed=1)
    image = picture(tmp_path / "image.tif", 300, 200)
    old, new = image.read_bytes(), (tmp_path / "new.tif").read_bytes()
    assert len(old) == len(new)
    times = image.stat().st_atime_ns, image.stat().st_mtime_ns
    archive = tmp_path / "images.zip"
    for place in (image, f"/vsizip/{archive}/image.tif"):

        def put(content: bytes) -> None:
            image.write_bytes(content)
            os.utime(image, ns=times)
            archive.unlink(missing_ok=True)
            with zipfile.ZipFile(archive, "w") as file:
                file.writestr("image.tif", content)

        name = "zip" if place is not image else "file"
        put(new)
        run(place, folder(tmp_path / f"{name}_whole"))
        put(old)
        out = folder(tmp_path / f"{name}_out")
        with pytest.raises(StopError):
            run(place, out, stopping(9))
        assert finished_rows(out) > 0
        put(new)
        run(place, out)
        assert contents(out) == contents(tmp_path / f"{name}_whole")


def test_an_input_that_vanishes_midway(tmp_path: Path) -> None:
    parts = [picture(tmp_path / f"{name}.tif", 300, 200) for name in "ab"]
    with rasterio.open(parts[0]) as file:
        crs, corner = file.crs.to_wkt(), ", ".join(map(str, file.transform.to_gdal()))
    sources = "".join(
        f'<ComplexSource><SourceFilename relativeToVRT="1">{part.name}</SourceFilename>'
        f'<SrcRect xOff="0" yOff="0" xSize="200" ySize="300"/>'
        f'<DstRect xOff="0" yOff="{300 * number}" xSize="200" ySize="300"/><NODATA>0</NODATA>'
        "</ComplexSource>"
        for number, part in enumerate(parts)
    )
    image = tmp_path / "image.vrt"
    image.write_text(
        f'<VRTDataset rasterXSize="200" rasterYSize="600"><SRS>{crs.replace("&", "")}</SRS>'
        f'<GeoTransform>{corner}</GeoTransform><VRTRasterBand dataType="Byte" band="1">'
        f"<NoDataValue>0</NoDataValue>{sources}</VRTRasterBand></VRTDataset>"
    )
    whole: list[int] = []
    run(image, folder(tmp_path / "whole"), lambda x: whole.append(len(x)) or batch_dependent(x))
    out, calls = folder(tmp_path / "out"), 0
    content, stat = parts[1].read_bytes(), parts[1].stat()
    times = stat.st_atime_ns, stat.st_mtime_ns

    def vanish(images: torch.Tensor) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == 3:
            os.truncate(parts[1], 0)  # GDAL would go on with an open file of another name
        return batch_dependent(images)

    with pytest.raises(InputError, match=r"image\.vrt: cannot be read") as caught:
        run(image, out, vanish)
    assert "\n" not in str(caught.value)
    assert {path.suffix for path in out.iterdir()} == {".work"}
    parts[1].write_bytes(content)
    os.utime(parts[1], ns=times)
    before = calls
    run(image, out, vanish)
    assert 0 < calls - before < len(whole)
    assert contents(out) == contents(tmp_path / "whole")


def test_two_runs_at_one_output(scene: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    image, made = scene
    refused: list[str] = []

    def meanwhile(images: torch.Tensor) -> dict[str, torch.Tensor]:
        if not refused:
            with pytest.raises(InputError, match="another run") as caught:
                run(image, tmp_path, batch_size=5)
            refused.append(str(caught.value))
        return batch_dependent(images)

    run(image, tmp_path, meanwhile)
    assert refused[0].startswith(str(tmp_path / "value.tif"))
    assert contents(tmp_path) == made


@pytest.mark.parametrize(
    "change",
    [
        {"resume": "other"}, {"tile": 60}, {"overlap": 20}, {"batch_size": 4}, {"panel": 512},
        {"fill": 1.0}, {"tags": {"a": "b"}}, {"gsd": 0.3}, {"touch": True}, {"layers": True},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_other_settings_start_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    image, out = picture(tmp_path / "image.tif", 200, 320), folder(tmp_path / "out")
    with pytest.raises(StopError):
        run(image, out, stopping(8))
    assert finished_rows(out) > 0
    if change.pop("touch", False):
        os.utime(image, ns=(1, 1))
    layers: list[Any] = LAYERS
    if change.pop("layers", False):
        layers = [ValueMap("value", unit="cm", high=255), *LAYERS[1:]]
    counts = {"a": 0, "b": 0}
    for key, where in (("a", out), ("b", folder(tmp_path / "fresh"))):

        def count(images: torch.Tensor, key: str = key) -> dict[str, torch.Tensor]:
            counts[key] += 1
            return batch_dependent(images)

        files = {layer.name: where / f"{layer.name}.tif" for layer in layers}
        with mock.patch("tiles.mosaic.mosaicker.BLOCK", 64):
            mosaic(image, count, layers, files, **{**OPTIONS, **change})
    assert counts["a"] == counts["b"]
    for path in (tmp_path / "fresh").iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()


def panel_file(path: Path, network: str = "same") -> tuple[WorkFolder, PanelFile]:
    work = WorkFolder(path, (2000, 10), "uint8", None, {"network": network})
    return work, work.panel_file(0)


def test_a_torn_journal_is_read_up_to_the_tear(tmp_path: Path) -> None:
    marks = [PanelProgress(512, (1, 2), True), PanelProgress(1024, (3, 0), True)]
    work, first = panel_file(tmp_path / "map.tif")
    with first:
        first.truncate()
        for mark in marks:
            first.record(mark)
    work.close(finished=False)
    journal = tmp_path / ".map.tif.work" / "00000.journal"
    whole = journal.read_bytes()
    for tail in (b"[[15", b"[[1536, [4, 0], true], 0]", b"\0\0\0\n"):
        journal.write_bytes(whole + tail)
        work, again = panel_file(tmp_path / "map.tif")
        with again:
            assert again.history == marks
        work.close(finished=False)
    work, other = panel_file(tmp_path / "map.tif", "other")
    with other:
        assert other.history == []
    work.close(finished=False)
    assert list(tmp_path.iterdir()) == []


def test_maps_that_got_apart_go_on_where_they_agree(tmp_path: Path) -> None:
    marks = [PanelProgress(512, (1, 2), True), PanelProgress(1024, (3, 0), True)]
    works, files = [], []
    for number in (1, 2):
        work, first = panel_file(tmp_path / f"{number}.tif")
        with first:
            first.truncate()
            for mark in marks[:number]:
                first.record(mark)
        works.append(work)
        files.append(work.panel_file(0))
    with files[0], files[1]:
        assert resume(files) == marks[:1]
    for work in works:
        work.close(finished=True)
    assert list(tmp_path.iterdir()) == []


def test_a_panel_file_that_another_process_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles.maps.panel_file, "LOCK_TIMEOUT", 0.1)
    work, first = panel_file(tmp_path / "map.tif")
    with first, pytest.raises(InputError, match="another run"), work.panel_file(0):
        pass
    work.close(finished=True)


def test_without_a_token_nothing_is_gone_on_with(tmp_path: Path) -> None:
    """Another network would leave its rows in the map of this one."""
    image, out = picture(tmp_path / "image.tif"), folder(tmp_path / "out")
    with pytest.raises(StopError):
        run(image, out, stopping(40), resume=None)
    assert list(out.iterdir()) == []


def test_panels_of_kept_work_are_gone_on_with(tmp_path: Path) -> None:
    """It does not matter how many processes made them."""
    image, out = picture(tmp_path / "image.tif"), folder(tmp_path / "out")
    run(image, folder(tmp_path / "whole"))
    with pytest.raises(StopError):
        run(image, out, stopping(40))
    seen = 0

    def count(images: torch.Tensor) -> dict[str, torch.Tensor]:
        nonlocal seen
        seen += 1
        return batch_dependent(images)

    run(image, folder(tmp_path / "again"), count)
    whole, seen = seen, 0
    run(image, out, count, panel=None)
    assert 0 < seen < whole
    assert contents(out) == contents(tmp_path / "whole")
