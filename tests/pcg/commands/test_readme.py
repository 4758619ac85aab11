"""The README's commands, as a newcomer would type them."""

from __future__ import annotations

import shlex
from pathlib import Path

import example_inputs
import numpy as np
import pytest
from PIL import Image

from pcg.cli import main
from pcg.commands.shared import app

ROOT = Path(__file__).parents[3]
EXAMPLES = "docs/examples/"


def commands() -> list[list[str]]:
    """The words of each `pcg` command in the README's blocks of code, without "pcg" itself."""
    found = []
    for block in (ROOT / "README.md").read_text("utf-8").split("```")[1::2]:
        for line in block.splitlines():
            for part in line.removeprefix("$ ").split("&&"):
                words = shlex.split(part, comments=True)
                if words and words[0].rpartition("/")[2] == "pcg":
                    found.append(words[1:])
    return found


def test_every_command_has_the_verbs_and_flags_it_uses() -> None:
    assert {words[0] for words in commands()} >= {"demo", "terrain", "character", "level", "serve", "call", "train"}
    for words in commands():
        app.parse_args(words, exit_on_error=False, print_error=False)


def test_files_that_commands_read_are_there() -> None:
    read = [word for words in commands() for word in words if word.startswith(EXAMPLES)]
    assert len(read) == 2
    assert all((ROOT / path).is_file() for path in read)
    for words in commands():
        for flag in {"--sketch", "--from"} & set(words):
            assert words[words.index(flag) + 1] in read


def test_the_examples_are_what_their_script_draws() -> None:
    for name, drawn in (("sketch", example_inputs.sketch()), ("front", example_inputs.front())):
        with Image.open(ROOT / EXAMPLES / f"{name}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), drawn)


@pytest.fixture
def in_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, from which the examples can be reached as from the repository's root."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_commands_that_read_an_example(verb: str) -> None:
    for words in commands():
        if words[0] == verb and any(word.startswith(EXAMPLES) for word in words):
            with pytest.raises(SystemExit) as caught:
                main(words)
            assert not caught.value.code


def test_land_keeps_to_the_sketch(in_a_copy: Path) -> None:
    run_commands_that_read_an_example("terrain")
    with Image.open(in_a_copy / "island.png") as image:
        metres = np.asarray(image).astype(float) * 0.25 - 4096
    cells = metres.reshape(32, 16, 48, 16).mean((1, 3))
    drawn = example_inputs.sketch() / 255 * 2700 - 200
    assert np.corrcoef(cells.ravel(), drawn.ravel())[0, 1] > 0.95


def test_the_figure_walks(in_a_copy: Path) -> None:
    run_commands_that_read_an_example("character")
    with Image.open(in_a_copy / "mine.png") as image:
        sheet = np.asarray(image.convert("RGBA"))
    front = example_inputs.front()
    frames = sheet.reshape(4, 64, 9, 64, 4).transpose(0, 2, 1, 3, 4)  # row, frame
    np.testing.assert_array_equal(frames[2, 0], front)
    solid = (frames[..., 3] > 0).sum((2, 3))
    assert (solid > 0.6 * (front[..., 3] > 0).sum()).all()
    assert len({frame.tobytes() for frame in frames.reshape(36, -1)}) > 20
