"""The models of servers, so that a specification can be checked without a copy of them here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from runtime import card as cards
from runtime.address import Address
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile, Registry


class Described(Registry):
    """The cards of a runtime's models. There are no files: nothing can be run with them."""

    def __init__(self, runtime: Any) -> None:
        """Ask a runtime for its models. Raises RpcError, ConnectionError."""
        listed = runtime.call("models.list")
        self.folder = Path()
        self.refused = dict(listed["refused"])
        self.models = {}
        for name in dict.fromkeys(model["name"] for model in listed["models"]):
            said = runtime.call("models.describe", name=name)
            card = cards.decode(msgspec.json.encode(said["card"]))
            self.models[name] = ModelFile(Path(name), said["sha256"], card, b"")


def models_of(servers: Sequence[Address], connect_timeout_s: float = 5.0) -> Described:
    """The models of servers, which must be the same for all of them.

    Raises:
        ConnectionError: a server does not answer; ValueError: two have another version of a model; RpcError.
    """
    found: Described | None = None
    for server in servers:
        with server.connect(connect_timeout_s=connect_timeout_s) as client:
            its = Described(client)
        if found is None:
            found = its
            continue
        for name in found.models.keys() | its.models.keys():
            shas = [one.models[name].sha256[:12] if name in one.models else "no such model" for one in (found, its)]
            if shas[0] != shas[1]:
                raise ValueError(
                    f"{servers[0]} and {server} have another {name} ({shas[0]} and {shas[1]}), "
                    "so their assets would differ: give them the same models folder"
                )
    if found is None:
        raise RpcError(Code.INTERNAL_ERROR, "no server was given")
    return found
