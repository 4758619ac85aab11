"""Every file of tests/attacks/ against a server, which must do what the file expects and go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.protocol import Framing, Notification, Response

ATTACKS = sorted((Path(__file__).parents[1] / "attacks").glob("*.hex"))


def load(path: Path) -> tuple[str, bytes]:
    """What a file expects, and its bytes."""
    lines = path.read_text().splitlines()
    [expected] = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    return expected, bytes.fromhex(" ".join(line for line in lines if not line.startswith("#")))


def test_the_attacks_are_there():
    assert len(ATTACKS) >= 50


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.stem)
async def test_attack(server, connect, path):
    expected, data = load(path)
    peer = await connect(server, Framing.PREFIXED if data[0] == 0 else Framing.STREAM)
    await peer.send(data)
    match expected.split():
        case ["error", code]:
            notice = await peer.receive()
            assert isinstance(notice, Notification)
            assert (notice.method, notice.params[0]["code"]) == ("error", int(code))
            assert await peer.receive() is None
        case ["response", code]:
            response = await peer.receive()
            assert isinstance(response, Response)
            assert (response.msgid, response.error[0]) == (1, int(code))
            assert await peer.call(2, "echo", []) == Response(2, None, {})
        case ["nothing"]:
            assert await peer.call(2, "echo", []) == Response(2, None, {})
        case ["nothing", "then", "end"]:
            peer.writer.write_eof()
            assert await peer.receive() is None
        case _:
            pytest.fail(f"{path.name} expects what no test knows: {expected}")
    assert await (await connect(server)).call(3, "echo", [{"alive": True}]) == Response(3, None, {"alive": True})
