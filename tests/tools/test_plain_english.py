"""The word list of CI: phrases are found wherever lines break, and the tree has none."""

from __future__ import annotations

import pytest
from plain_english import ROOT, findings, main


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("What is dear to make", 1),
        ("x = 1\n# this is dear\n#   to make\n", 2),
        ("one\ntwo\nIS TOLD HOW\n", 3),
    ],
)
def test_a_phrase_is_found_in_its_line(text: str, line: int) -> None:
    assert [found for found, _, _ in findings(text)] == [line]


def test_words_are_whole() -> None:
    assert list(findings("here, there, where: the server is there")) == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout: git says which files are ours")
def test_the_tree_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().out
