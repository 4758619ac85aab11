"""The whole demo without a display, against a server of land."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest
from PIL import Image

from demos.world import app
from runtime.address import Address


def test_a_headless_run_writes_a_picture_of_land(land_server: Address, tmp_path: Path) -> None:
    path = tmp_path / "land.png"
    assert app.run(7, server=land_server, headless=True, frames=2, screenshot=path, size=(500, 400)) == 0
    with Image.open(path) as image:
        assert image.size == (500, 400)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    map_only = pixels[120:350, 310:]  # beside the panel, above the help
    assert len(np.unique(map_only.reshape(-1, 3), axis=0)) > 1000
    sidecar = tmp_path / "land.png.json"
    assert set(tmp_path.iterdir()) == {path, sidecar}
    said = json.loads(sidecar.read_text())
    assert (said["seed"], said["width"], said["height"], said["view"], said["lod"]) == (7, 500, 400, "relief", 0)
    assert said["provenance"] == {
        "model": "formula",
        "sha256": "0f",
        "method": "terrain.chunk",
        "params": {"seed": 7, "style": "varied", "lod": 0, "layers": ["height", "water", "flow"]},
    }


def test_the_picture_is_that_of_the_seed(land_server: Address, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path, seed in zip(paths, (7, 7, 8), strict=True):
        assert app.run(seed, server=land_server, headless=True, frames=1, screenshot=path, size=(400, 300)) == 0
    a, b, c = (path.read_bytes() for path in paths)
    assert a == b != c


def test_style_view_and_zoom_show_in_the_picture(land_server: Address, tmp_path: Path) -> None:
    pictures = []
    for how in ({}, {"style": "flat"}, {"style": "flat:1"}, {"view": "slope"}, {"zoom": 0.125}):
        path = tmp_path / f"{len(pictures)}.png"
        assert app.run(7, server=land_server, headless=True, frames=1, screenshot=path, size=(320, 300), **how) == 0
        pictures.append(path.read_bytes())
    assert len(set(pictures)) == 5
    said = json.loads((tmp_path / "4.png.json").read_text())
    assert (said["zoom"], said["lod"], said["meters_per_pixel"]) == (0.125, 3, 720.0)


def test_a_style_that_is_none_is_exit_status_2(land_server: Address, capfd: Any) -> None:
    assert app.run(server=land_server, headless=True, frames=1, size=(256, 256), style="swampy") == 2
    assert "unknown style 'swampy'" in capfd.readouterr().err


def test_no_runtime_is_exit_status_1(capfd: Any, tmp_path: Path) -> None:
    path = tmp_path / "nothing.png"
    assert app.run(server=Address(port=1), headless=True, frames=1, screenshot=path) == 1
    assert "no runtime answers at 127.0.0.1:1" in capfd.readouterr().err
    assert not path.exists()


def test_land_that_never_comes_is_exit_status_1(
    land_server: Address, capfd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def refuse(*call: Any) -> Any:
        calls.append(call)
        if len(calls) > 2:  # of two workers, one has said by now what is wrong
            monkeypatch.setattr(app, "PATIENCE_S", 0.0)
        raise TimeoutError("the line is cut")

    monkeypatch.setattr("demos.world.streaming.fetch", refuse)
    path = tmp_path / "nothing.png"
    assert app.run(server=land_server, headless=True, frames=1, screenshot=path, size=(256, 256)) == 1
    assert "chunks in view are here: the line is cut" in capfd.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed -1 is not in 0..9007199254740991"),
        ({"frames": 0}, "0 frames"),
        ({"size": (0, 5)}, "0 by 5"),
        ({"view": "blome"}, "no view 'blome'; there are: relief, biome, flow, slope"),
        ({"zoom": 0.01}, "zoom 0.01 is not in 0.0625..4"),
        ({"screenshot": Path("picture.jpg")}, "does not end in .png"),
        ({"screenshot": Path("no/such/folder/picture.png")}, "no folder"),
    ],
)
def test_what_can_not_be_done_is_exit_status_2(wrong: dict[str, Any], message: str, capfd: Any) -> None:
    assert app.run(**{"headless": True, **wrong}) == 2
    assert message in capfd.readouterr().err


def test_a_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_: pygame.Surface, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(pygame.image, "save", half)
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(OSError, match="disk is full"):
        app.save(pygame.Surface((1, 1)), tmp_path / "old.png", {})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old.png", b"old")]
