"""Files are the old ones or the new ones: through links, never over what is no plain file, by one process at a time."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_terrain import FakeRuntime, contents, make

from pcg.assets.characters import make_characters, make_monsters
from pcg.assets.levels import make_levels
from pcg.writers.files import check_target, finish_part, locked, part_path, replace_file, replace_shared, target_of
from pcg.writers.levels.level import Level
from pcg.writers.levels.tilemap import write_level


def odd(folder: Path, kind: str) -> Path:
    """What is no plain file, under a name that a picture might have."""
    path = folder / "odd.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to(os.devnull)
    else:
        path.symlink_to(path.name)
    return path


KINDS = {"folder": "is a folder", "pipe": "is a pipe", "device": "is a device", "circle": "leads to itself"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    path = odd(tmp_path, kind)
    before = path.lstat()
    for write in (target_of, part_path, check_target, lambda p: replace_file(p, b"x")):
        with pytest.raises(OSError, match=f"odd.png .*{KINDS[kind]}.*; give the name of a file"):
            write(path)
    assert path.lstat() == before
    assert list(tmp_path.iterdir()) == [path]


class Refusing:
    """A runtime that must not be asked."""

    def call(self, method: str, /, **params: Any) -> Any:
        raise AssertionError(f"{method} {params} was asked for, though its file can't be written")


@pytest.mark.parametrize("kind", KINDS)
def test_every_writer_refuses_before_any_work(tmp_path: Path, kind: str) -> None:
    path = odd(tmp_path, kind)
    level = Level("sokoban", ("#####", "#@$.#", "#####"), "R")
    for force in (False, True):
        for work in (
            lambda force=force: make(Refusing(), path, force=force),
            lambda force=force: list(make_levels(Refusing(), path, {}, 1, None, None, force=force)),
            lambda force=force: list(make_characters(Refusing(), path, {}, 1, None, force=force)),
            lambda force=force: list(make_monsters(Refusing(), path, {}, 1, None, force=force)),
            lambda: write_level(path, level),
        ):
            with pytest.raises(OSError, match=KINDS[kind]):
                work()
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_would_get_a_suffix_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "levels").mkdir()
    with pytest.raises(IsADirectoryError, match="levels is a folder"):
        list(make_levels(Refusing(), tmp_path / "levels", {}, 1, None, "tmx"))
    with pytest.raises(OSError, match="null is a device"):
        list(make_levels(Refusing(), Path(os.devnull), {}, 1, None, "tmx"))
    with pytest.raises(IsADirectoryError, match="is a folder"):
        make(Refusing(), tmp_path / "levels", form="png")
    with pytest.raises(NotADirectoryError, match=r"is a file; terrain-7\.png needs a folder"):
        make(Refusing(), Path(os.devnull), count=1, form="png")
    assert [p.name for p in tmp_path.iterdir()] == ["levels"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, target = tmp_path / "link.png", tmp_path / "real" / "target.png"
    link.symlink_to(Path("real") / "target.png")
    replace_file(link, b"new")  # to where nothing is yet
    assert target.read_bytes() == b"new"
    replace_file(link, b"newer")
    part_path(link).write_bytes(b"newest")
    assert sorted(p.name for p in target.parent.iterdir()) == ["target.png", "target.png.part"]
    finish_part(link)
    assert (link.is_symlink(), target.is_symlink(), target.read_bytes()) == (True, False, b"newest")
    assert list(target.parent.iterdir()) == [target]


def test_a_map_is_written_through_a_link(tmp_path: Path) -> None:
    make(FakeRuntime(), tmp_path / "plain.png")
    link, target = tmp_path / "link" / "map.png", tmp_path / "elsewhere" / "far.png"
    link.parent.mkdir()
    link.symlink_to(target)  # whose folder is to be made
    made = make(FakeRuntime(), link)
    assert link.is_symlink()
    assert target.read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert sorted(p.name for p in link.parent.iterdir()) == sorted(p.name for p in made)
    assert list(target.parent.iterdir()) == [target]


def test_a_part_that_leads_elsewhere_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    (tmp_path / "a.png.part").symlink_to(tmp_path / "own.txt")
    with pytest.raises(OSError, match=r"a\.png\.part is a symbolic link"):
        replace_file(tmp_path / "a.png", b"x")
    assert (tmp_path / "own.txt").read_text() == "mine"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    for path in (tmp_path / "a" / "b.png", tmp_path / "a" / "b" / "c.png"):
        for write in (check_target, lambda p: replace_file(p, b"x")):
            with pytest.raises(NotADirectoryError, match=r"/a is a file; .\.png needs a folder of that name"):
                write(path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_write_that_fails_names_its_file(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "a.json", b"old")

    def fail(path: Path, data: bytes) -> int:
        path.open("wb").write(data[:1])
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match=r"a\.json"):
            replace_file(tmp_path / "a.json", b"new")
    assert contents(tmp_path) == {"a.json": b"old"}


HOLD = """
import sys
from pathlib import Path
from pcg.writers.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that writes an asset until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_one_process_writes_an_asset_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    with hold(out) as process:
        with pytest.raises(BlockingIOError, match=rf"a\.png is being written by process {process.pid}: wait"):
            make(Refusing(), out)
        with locked(tmp_path / "b.png"):
            pass  # another asset of the same folder
        process.communicate()
    make(FakeRuntime(), out)
    assert not list(tmp_path.glob("*.part*"))


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    with hold(out) as process:
        process.kill()
    assert [p.name for p in tmp_path.iterdir()] == ["a.part.lock"]
    make(FakeRuntime(), out)
    assert not list(tmp_path.glob("*.part*"))


def test_a_folder_made_for_nothing_goes_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "a" / "b" / "c.png"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "a" / "b" / "c.png"):
        replace_file(tmp_path / "a" / "kept.txt", b"x")
    assert contents(tmp_path) == {"a/kept.txt": b"x"}


def test_a_shared_file_is_waited_for_and_written_once(tmp_path: Path) -> None:
    replace_shared(tmp_path / "CREDITS.txt", b"a")
    before = (tmp_path / "CREDITS.txt").stat().st_ino
    replace_shared(tmp_path / "CREDITS.txt", b"a")
    assert (tmp_path / "CREDITS.txt").stat().st_ino == before
    replace_shared(tmp_path / "CREDITS.txt", b"b")
    assert contents(tmp_path) == {"CREDITS.txt": b"b"}
