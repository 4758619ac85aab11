"""Model files: only what is listed, unchanged and complete is loaded; the rest is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_files import card, write_model

from runtime import card as cards
from runtime.errors import Code, RpcError
from runtime.registry import Refused, Registry


def test_a_good_model_is_found(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    model = Registry(tmp_path).find("doubler")
    assert model.card == card()
    assert model.data == path.read_bytes()


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RpcError, match="SHA256SUMS says") as caught:
        Registry(tmp_path).find("doubler")
    assert caught.value.code is Code.MODEL_REFUSED


def test_a_file_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, listed=False)
    registry = Registry(tmp_path)
    assert not registry.models
    assert "not in SHA256SUMS" in registry.refused["doubler"]


@pytest.mark.parametrize(
    ("card_bytes", "reason"),
    [(b"", "no card"), (b"{}", "missing required field"), (b"nonsense", "not a valid model card")],
)
def test_a_wrong_card_is_refused(tmp_path: Path, card_bytes: bytes, reason: str) -> None:
    write_model(tmp_path, card_bytes=card_bytes)
    assert reason in Registry(tmp_path).refused["doubler"]


def test_what_is_no_archive_is_refused_though_it_is_listed(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "text.ts").write_bytes(b"hello")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'hello').hexdigest()}  text.ts\n")
    assert "not a TorchScript file" in Registry(tmp_path).refused["text"]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    write_model(tmp_path, "a")
    write_model(tmp_path, "b", cards.encode(card(version="2")))
    registry = Registry(tmp_path)
    assert registry.find("doubler").path.name == "a.ts"
    assert "already" in registry.refused["b"]


def test_unknown_names_get_a_suggestion(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(RpcError, match="did you mean 'doubler'") as caught:
        Registry(tmp_path).find("dubler")
    assert caught.value.code is Code.MODEL_NOT_FOUND


def test_a_listed_file_that_is_missing_or_no_file_is_told(tmp_path: Path) -> None:
    write_model(tmp_path).unlink()
    (tmp_path / "folder.ts").mkdir()
    with (tmp_path / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  folder.ts\n")
    refused = Registry(tmp_path).refused
    assert "not in the folder" in refused["doubler"]
    assert "can't be read" in refused["folder"]


def test_a_malformed_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text("abc  x.ts\n")
    with pytest.raises(Refused, match="line 1"):
        Registry(tmp_path)
    with pytest.raises(FileNotFoundError, match="no models folder"):
        Registry(tmp_path / "missing")


def test_the_bundled_models_are_good() -> None:
    registry = Registry()
    assert not registry.refused
    assert "terrain-detail" in registry.models
    assert sum(len(m.data) for m in registry.models.values()) < 30_000_000
    assert not {d.name for d in registry.find("terrain-detail").card.training_data} & {
        "nz_southern_alps_75m",
        "bc_coast_mountains",
    }
