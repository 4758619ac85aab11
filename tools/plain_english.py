"""Refuse phrases that are hard to read for somebody whose second language is English.

    python tools/plain_english.py               # every tracked text file
    python tools/plain_english.py FILE ...

It prints FILE:LINE, the phrase and what to write instead, and exits with 1 if it finds one. To extend the list, add a
line to PHRASES: a regular expression, in which a space stands for any white space (also a line break), and the advice.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUFFIXES = {".py", ".md", ".toml", ".lua", ".html", ".js", ".gd", ".cs", ".cpp", ".h", ".sh", ".yml"}
# The changelog tells the past in its own words; this file and its test name what they refuse.
EXEMPT = {"CHANGELOG.md", "tools/plain_english.py", "tests/tools/test_plain_english.py"}

PHRASES: tuple[tuple[str, str], ...] = (
    (r"dear to make", "expensive to compute"),
    (r"wanted again", "reused; an LRU cache"),
    (r"(?:is|are) told how", "receives, is passed"),
    (r"hands? (?:it )?over to whoever", "passes to the caller"),
    (r"nobody waits (?:for (?:it|them) )?any ?more", "cancelled; no caller is left"),
    (r"users?'s? own games?|own game's", "custom game"),
    (r"whoever", "the caller, the client, anyone who"),
    (r"lessons?", "objective"),
    (r"strangers", "connections without a token"),
    (r"(?:is|are|was|were) wished for", "is requested"),
    (r"(?:is|are|was|were) taught", "is trained, is passed"),
    (r"(?:is|are) told of", "receives"),
    (r"what becomes of", "what happens to"),
    (r"in vain", "without success"),
    (r"(?:is|are|to) be had", "is available"),
    (r"of its own accord", "by itself"),
    (r"for the asking", "on request"),
    (r"and what not", "and so on"),
    (r"thereby|hence|lest|nought|ere|whence|wherefore", "say it in two sentences"),
    (r"costs? who(?:ever)?", "costs the caller"),
    (r"as much as is said", "up to the given limit"),
    (r"is spared", "is avoided"),
    (r"that one takes", "taken by one"),
)


def _pattern(phrase: str) -> re.Pattern[str]:
    """Let each space match white space, a line break and the marks of a comment or a quotation after it."""
    return re.compile(r"\b(?:" + phrase.replace(" ", r"(?:\s+(?:[#>*]\s+)?)") + r")\b", re.IGNORECASE)


PATTERNS = tuple((_pattern(phrase), advice) for phrase, advice in PHRASES)


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, phrase and advice for each refused phrase in the text, in the order of the list."""
    for pattern, advice in PATTERNS:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), advice


def tracked() -> list[str]:
    """Paths of the text files that git knows, from the root of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if Path(path).suffix in SUFFIXES and path not in EXEMPT]


def main(arguments: list[str]) -> int:
    """Check the files named, or all; return the exit code."""
    found = 0
    for path in arguments or tracked():
        file = ROOT / path
        for line, phrase, advice in sorted(findings(file.read_text("utf-8"))) if file.exists() else ():
            print(f"{path}:{line}: {phrase!r}; better: {advice}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
