"""pcg solve, as its users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pcg.cli import main
from runtime.content.levels.sokoban.replay import replay

BOX = "; a title\n\n#####\n#@ $ .#\n#######\n"  # a row that an editor cut short


def run(*arguments: str | Path) -> int:
    """Exit code of one command, in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code or 0


def test_solve_prints_the_moves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "box.txt").write_text(BOX)
    assert run("solve", tmp_path / "box.txt") == 0
    told = capsys.readouterr()
    assert told.out == "rRR\n"
    assert "sokoban, solved: 2 pushes" in told.err
    assert run("solve", tmp_path / "box.txt", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert replay(answer["rows"], answer["solution"])


def test_solve_fails_where_there_is_no_solution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corner.txt").write_text("#####\n#$@.#\n#####\n")
    assert run("solve", tmp_path / "corner.txt") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "unsolvable: even alone" in told.err
    assert run("solve", tmp_path / "corner.txt", "--budget", "0") == 1


@pytest.mark.parametrize(
    ("content", "options", "code", "words"),
    [
        (b"@#.", (), 1, "could be of several games; say which with --game: sokoban, dungeon"),
        (b"@$!", (), 1, "tiles that no game has together"),
        (b"@$.", ("--game", "sokobn"), 1, "did you mean 'sokoban'"),
        (b"@$.", ("--game", "dungeon"), 1, "'$' is no tile of dungeon"),
        (b"\n;\n", (), 1, "it has no row of tiles"),
        (b"\xff\xfe", (), 1, "is not text"),
        (b"@$ .", ("--budget", "x"), 2, "budget"),
    ],
)
def test_mistakes_are_told_in_a_line(
    content: bytes,
    options: tuple[str, ...],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "level.txt").write_bytes(content)
    assert run("solve", tmp_path / "level.txt", *options) == code
    output = capsys.readouterr()
    assert words in " ".join((output.err + output.out).replace("│", "").split())


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("solve", tmp_path / "gone.txt") == 1
    assert "gone.txt" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("solve", "--help") == 0
    assert "pcg solve" in capsys.readouterr().out.split("Examples:")[1]


def test_solve_writes_the_level_with_its_solution(tmp_path: Path) -> None:
    (tmp_path / "box.txt").write_text(BOX)
    assert run("solve", tmp_path / "box.txt", "--out", tmp_path / "box.json") == 0
    said = json.loads((tmp_path / "box.json").read_text())
    assert (said["game"], said["solution"]) == ("sokoban", "rRR")
    assert run("solve", tmp_path / "box.json") == 0
    assert run("solve", tmp_path / "box.txt", "--out", tmp_path / "box.exe") == 1


@pytest.mark.parametrize(("content", "words"), [("", "it has no row of tiles"), ("@$.\n@$?\n", "no game has together")])
def test_what_is_wrong_with_the_file_is_told_before_a_runtime_is_opened(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("a runtime takes seconds to import")

    monkeypatch.setattr("pcg.commands.levels.open_runtime", opened)
    (tmp_path / "level.txt").write_text(content)
    assert run("solve", tmp_path / "level.txt") == 1
    assert words in capsys.readouterr().err
    (tmp_path / "level.txt").write_text("#####\n#@$.?\n")
    assert run("solve", tmp_path / "level.txt", "--game", "sokoban") == 1
    assert "level.txt: row 1, column 4: '?' is no tile of sokoban" in capsys.readouterr().err


def test_a_file_that_is_no_level_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "level.txt").write_text("")
    program = (
        "import sys\nfrom pcg.cli import main\ntry:\n    main(['solve', sys.argv[1]])\n"
        "except SystemExit as ended:\n    print(ended.code, {'torch', 'numba'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "level.txt")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1 set()\n"
