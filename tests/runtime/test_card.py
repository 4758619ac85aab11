"""Cards: what is complete passes unchanged, what is not is refused by the field's name."""

from __future__ import annotations

import json

import pytest
from model_files import card

from runtime import card as cards
from runtime.card import Golden


def test_a_card_survives_the_round_trip() -> None:
    assert cards.decode(cards.encode(card())) == card()
    assert cards.to_dict(card())["golden"][0]["method"] == "forward"


def test_golden_arguments_are_integers_and_nested_lists_of_them() -> None:
    golden = Golden("window", [[5], 48, [[[1, -2], [3, 4]]]], "0" * 64)
    assert cards.decode(cards.encode(card(golden=[golden]))).golden == [golden]
    plain = cards.to_dict(card(golden=[golden]))
    plain["golden"][0]["arguments"] = ["48"]
    with pytest.raises(ValueError, match="arguments"):
        cards.decode(json.dumps(plain).encode())


@pytest.mark.parametrize("field", ["name", "licence", "training_data", "golden", "parameters"])
def test_a_missing_field_is_named(field: str) -> None:
    plain = cards.to_dict(card())
    del plain[field]
    with pytest.raises(ValueError, match=field):
        cards.decode(json.dumps(plain).encode())


def test_what_is_not_a_card_is_refused() -> None:
    for data in (b"", b"[]", b"{", b'{"name": 3}'):
        with pytest.raises(ValueError, match="not a valid model card"):
            cards.decode(data)
    with pytest.raises(ValueError, match="onnx"):
        cards.decode(cards.encode(card()).replace(b"torchscript-1", b"onnx"))
    with pytest.raises(ValueError, match="golden"):
        card(golden=[]).__post_init__()
