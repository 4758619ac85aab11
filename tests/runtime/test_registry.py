"""Model files: only what is listed, unchanged and complete is loaded; the rest is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_files import card, write_model

from runtime import card as cards
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile, Refused, Registry


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


def test_a_listed_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "text.ts").write_bytes(b"hello")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'hello').hexdigest()}  text.ts\n")
    assert "not a TorchScript file" in Registry(tmp_path).refused["text"]


def test_two_files_of_one_name_and_version(tmp_path: Path) -> None:
    write_model(tmp_path, "a")
    write_model(tmp_path, "b")
    registry = Registry(tmp_path)
    assert registry.find("doubler").path.name == "a.ts"
    assert registry.refused["b"] == "b.ts: a.ts is doubler@1 already"


def test_versions_side_by_side(tmp_path: Path) -> None:
    for name, version in (("a", "1.9"), ("b", "1.10"), ("c", "1.10-beta"), ("d", "1.2")):
        write_model(tmp_path, name, cards.encode(card(version=version)))
    registry = Registry(tmp_path)
    assert not registry.refused
    newest = registry.find("doubler").card.version
    assert newest in ("1.10", "1.10-beta")
    for version in ("1.9", "1.10", "1.10-beta", "1.2"):
        assert registry.find(f"doubler@{version}").card.version == version
    assert len(registry.models) == 4
    with pytest.raises(RpcError, match="unknown model 'doubler@3'"):
        registry.find("doubler@3")


# Looking again


def test_nothing_new(tmp_path: Path) -> None:
    write_model(tmp_path)
    registry = Registry(tmp_path)
    before = registry.find("doubler")
    assert not registry.reload()
    (tmp_path / "doubler.ts").touch()
    assert not registry.reload()
    assert registry.find("doubler") is before


def replace(folder: Path, **changes: str) -> None:
    """Put another version in the place of doubler.ts, and list it."""
    (folder / "SHA256SUMS").unlink(missing_ok=True)
    write_model(folder, card_bytes=cards.encode(card(**changes)))


def test_a_replaced_file_is_adopted_when_it_is_proved(tmp_path: Path) -> None:
    write_model(tmp_path)
    registry, proved = Registry(tmp_path), []
    before = registry.find("doubler")
    replace(tmp_path, version="2")
    assert registry.reload(proved.append)
    after = registry.find("doubler")
    assert after.card.version == "2"
    assert proved == [after]
    assert before.card.version == "1", "a reference to the old model stays valid"


def test_a_new_file_that_is_no_good_leaves_the_old_model_where_it_is(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    registry = Registry(tmp_path)
    before = registry.find("doubler")
    path.write_bytes(b"half of a file")  # not yet in SHA256SUMS
    assert not registry.reload()
    assert registry.find("doubler") is before
    assert "SHA256SUMS says" in registry.refused["doubler"]

    def refuse(_: ModelFile) -> None:
        raise RpcError(Code.MODEL_REFUSED, "not exact")

    replace(tmp_path, version="2")
    assert not registry.reload(refuse)
    assert registry.find("doubler") is before
    assert registry.refused["doubler"] == "not exact"
    replace(tmp_path, version="3")
    assert registry.reload()
    assert registry.find("doubler").card.version == "3"
    assert not registry.refused


def test_files_come_and_go(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    registry = Registry(tmp_path)
    write_model(tmp_path, "other", cards.encode(card(name="other")))
    assert registry.reload()
    assert set(registry.models) == {"doubler", "other"}
    path.unlink()
    assert registry.reload()
    assert set(registry.models) == {"other"}
    assert "not in the folder" in registry.refused["doubler"]


def test_a_list_being_written_changes_nothing(tmp_path: Path) -> None:
    write_model(tmp_path)
    registry = Registry(tmp_path)
    before = dict(registry.models)
    (tmp_path / "SHA256SUMS").write_text("abc")
    with pytest.raises(Refused):
        registry.reload()
    assert registry.models == before


def test_a_withdrawn_model_is_refused_with_its_reason(tmp_path: Path) -> None:
    write_model(tmp_path)
    registry = Registry(tmp_path)
    registry.withdraw(registry.find("doubler"), "not exact")
    with pytest.raises(RpcError, match="refused: not exact"):
        registry.find("doubler")


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
