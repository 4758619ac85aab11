"""Names of assets from a template: `levels/{game}_{seed:05d}`. A name is a path without the ending."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from runtime.errors import nearest

OTHER = re.compile(r"[^A-Za-z0-9._+-]+")  # what a value puts into a name is kept to these
MOST_BYTES = 200  # of one part of a path; files add endings to it
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # names that Windows does not allow


def fields_of(template: str) -> list[tuple[str, str]]:
    """The fields of a template and their format specifications.

    >>> fields_of("{kind}_{seed:05d}")
    [('kind', ''), ('seed', '05d')]

    Raises:
        ValueError: a brace is not closed, or a field is empty or has a conversion.
    """
    fields = []
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name or conversion or "{" in (spec or ""):
            raise ValueError(f"{template!r}: a field is {{NAME}} or {{NAME:FORMAT}}, such as {{seed:05d}}")
        fields.append((name, spec or ""))
    return fields


def check_template(template: str, known: Mapping[str, Any]) -> None:
    """Check a template before it is used. `known`: what an asset's name may hold, with values of an example.

    Raises:
        ValueError: a field is unknown, its format does not suit its value, or the path is not one inside a folder.
    """
    for name, spec in fields_of(template):
        if name not in known:
            raise ValueError(f"{template!r}: unknown field {name!r}{nearest(name, known)}")
        try:
            format(known[name], spec)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{template!r}: {name} {known[name]!r:.40} can't be written as {spec!r}: {error}"
            ) from error
    if "\\" in template:
        raise ValueError(f"{template!r}: write folders with /")


def name_of(template: str, values: Mapping[str, Any]) -> str:
    """The name that a template gives.

    >>> name_of("{style}/{seed:03d}", {"style": "alpine:0.7,plateau:0.3", "seed": 7})
    'alpine-0.7-plateau-0.3/007'

    Raises:
        ValueError: it leads out of its folder, or is a name that some systems do not allow.
    """
    parts = []
    for text, name, spec, _ in string.Formatter().parse(template):
        parts.append(text)
        if name is not None:
            parts.append(OTHER.sub("-", format(values[name], spec or "")).strip("-") or "none")
    made = "".join(parts)
    for part in made.split("/"):
        if part in ("", ".", "..") or part.startswith(".") or part != part.strip() or part.endswith("."):
            raise ValueError(f"{template!r} gives {made!r}, which is no path inside a folder")
        if len(part.encode()) > MOST_BYTES:
            raise ValueError(f"{template!r} gives a name of {len(part.encode())} bytes; {MOST_BYTES} at most")
        if RESERVED.fullmatch(part) or any(char in '<>:"|?*' or ord(char) < 32 for char in part):
            raise ValueError(f"{template!r} gives {made!r}, which Windows does not allow as a name")
    return made
