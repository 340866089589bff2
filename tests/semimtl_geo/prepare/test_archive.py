from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from semimtl_geo.prepare import archive
from semimtl_geo.prepare.archive import RawFolder
from tests.semimtl_geo.prepare.isprs.archives import zipped
from tiles.errors import InputError


def make(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def opened(tmp_path: Path) -> RawFolder:
    return RawFolder(tmp_path / "raw", tmp_path / "cache")


def test_folders_and_nested_archives_are_one_set_of_files(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "a" / "a").mkdir(parents=True)
    (raw / "a" / "a" / "1.png").write_bytes(b"loose")
    inner = make(tmp_path / "inner.zip", {"rgb/2.png": b"inner"})
    make(raw / "outer.ZIP", {"img/inner.zip": inner.read_bytes(), "class/2.png": b"outer"})
    files = opened(tmp_path)
    found = {
        member.path: files.local_path(member).read_bytes()
        for member in files.files
        if member.name.endswith("png")
    }
    assert found == {
        "a/a/1.png": b"loose",
        "outer/class/2.png": b"outer",
        "outer/img/inner/rgb/2.png": b"inner",
    }
    # Names must match as a whole, but in any case.
    assert files.find("gb/2.png") is None
    member = files.find("RGB/2.png")
    assert member is not None
    assert member.path == "outer/img/inner/rgb/2.png"
    assert files.local_path(member).suffix == ".png"
    files.release(member)
    files.close()
    assert not (tmp_path / "cache").exists()


def test_the_shortest_path_wins(tmp_path: Path) -> None:
    make(tmp_path / "raw" / "all.zip", {"b/1.png": b"", "a/1.png": b"", "a/a/1.png": b""})
    found = opened(tmp_path).find("1.png")
    assert found is not None
    assert found.path == "all/a/1.png"


def test_hidden_files_and_those_of_finder_are_skipped(tmp_path: Path) -> None:
    make(tmp_path / "raw" / "x.zip", {"__MACOSX/._1.png": b"", ".git/1.png": b"", "./2.png": b""})
    assert [member.path for member in opened(tmp_path).files] == ["x/2.png"]


@pytest.mark.parametrize(
    "name",
    [
        "../1.png",
        "a/../../1.png",
        "/etc/1.png",
        "C:/1.png",
        "a\\..\\1.png",
        "a\n/1.png",
        "a//1.png",
    ],
)
def test_no_member_leaves_the_folder(tmp_path: Path, name: str) -> None:
    make(tmp_path / "raw" / "x.zip", {"good.png": b"", name: b"evil"})
    with pytest.raises(InputError, match="leads out of the archive") as error:
        opened(tmp_path)
    assert "x.zip" in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["raw", "x.zip"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw" / "x.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    files = opened(tmp_path)
    unzipped = files.local_path(files.files[0])
    assert not unzipped.is_symlink()
    assert unzipped.read_text() == "/etc/passwd"


def test_no_member_is_a_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNCHECKED_BYTES", 1 << 20)
    make(tmp_path / "raw" / "x.zip", {"1.png": bytes(2 << 20)})
    files = opened(tmp_path)
    with pytest.raises(InputError, match=r"would unzip to .* times its size"):
        files.local_path(files.files[0])
    assert not list((tmp_path / "cache").iterdir())


def test_password(tmp_path: Path) -> None:
    file = make(tmp_path / "raw" / "x.zip", {"1.png": b"secret"})
    content = bytearray(file.read_bytes())
    content[6] |= 1  # the flag of encryption, before the member and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(content)
    files = opened(tmp_path)
    with pytest.raises(InputError, match=r"x\.zip: is protected by a password"):
        files.local_path(files.files[0])


def test_truncated_archive(tmp_path: Path) -> None:
    file = make(tmp_path / "raw" / "x.zip", {"1.png": bytes(1000)})
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"x\.zip: cannot be unzipped"):
        opened(tmp_path)


def test_damaged_member_leaves_nothing(tmp_path: Path) -> None:
    file = make(tmp_path / "raw" / "x.zip", {"1.png": b"abcd" * 300})
    content = bytearray(file.read_bytes())
    content[40] ^= 255
    file.write_bytes(content)
    files = opened(tmp_path)
    with pytest.raises(InputError, match=r"x\.zip: cannot be unzipped"):
        files.local_path(files.files[0])
    assert not list((tmp_path / "cache").iterdir())


def test_cyclic_links(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "a"
    folder.mkdir(parents=True)
    (folder / "1.png").touch()
    (folder / "again").symlink_to(tmp_path / "raw")
    assert [member.path for member in opened(tmp_path).files] == ["a/1.png"]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="raw: does not exist"):
        opened(tmp_path)


def test_zipped_folder_is_doubly_nested(tmp_path: Path) -> None:
    (tmp_path / "2_Ortho").mkdir()
    (tmp_path / "2_Ortho" / "1.tif").touch()
    (tmp_path / "raw").mkdir()
    zipped(tmp_path / "2_Ortho", tmp_path / "raw" / "2_Ortho.zip")
    assert [member.path for member in opened(tmp_path).files] == ["2_Ortho/2_Ortho/1.tif"]


def test_an_archive_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the directory of 25 000 members takes half a second each time."""
    want = {f"{number}.png": bytes([number]) for number in range(50)}
    make(tmp_path / "raw" / "x.zip", want)
    files = opened(tmp_path)
    opens = 0

    class Counted(zipfile.ZipFile):
        def __init__(self, *args: Any) -> None:
            nonlocal opens
            opens += 1
            super().__init__(*args)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    assert {m.name: files.local_path(m).read_bytes() for m in files.files} == want
    assert opens == 1
    files.close()
