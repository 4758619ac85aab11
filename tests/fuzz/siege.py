"""Attacks a whole `pcg serve` over its sockets for as long as is said, and weighs its memory before and after.

    python tests/fuzz/siege.py attacks|mutations [--seconds 3600] [--seed N]

"attacks" sends the files of tests/attacks/ as they are. "mutations" sends what mutate.py makes of them and calls with
the parameters that targets.py draws: over TCP in both framings and over WebSocket, at once and in pieces, by clients
that read, that do not, that vanish, that hang up in the handshake. A client that keeps the rules works beside them all
the time; each response to it must be right. At the end the server's memory must be within 50 MB of what it was, its log
without an error, and the server alive; exit code 1 where one of these is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgpack

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import seeds
import targets
from mutate import mutated
from serving_process import Process, serving

from runtime.client import AsyncClient
from runtime.registry import BUNDLED

MORE_MB = 50
SETTLE_S = 45
AT_ONCE = 8  # hostile clients
CALLS = ("terrain.chunk", "terrain.chunks", "terrain.sketch", "characters.monster", "levels.solve", "models.describe")
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def attack_pieces(path: Path) -> tuple[str, list[bytes]]:
    """The port that a file of tests/attacks/ is for, and what is sent there, long repetitions in pieces."""
    over, pieces = "", []
    for line in path.read_text().splitlines():
        if line.startswith("# over: "):
            over = line.removeprefix("# over: ")
        elif not line.startswith("#"):
            text, _, times = line.partition(" x")
            data, left = bytes.fromhex(text), int(times or 1)
            at_once = max(1, (1 << 16) // max(1, len(data)))
            while left > 0:
                pieces.append(data * min(at_once, left))
                left -= at_once
    return over, pieces


def frame(data: bytes, chance: random.Random) -> bytes:
    """A masked WebSocket frame (RFC 6455, 5.2), now and then a fragment or one that should not be."""
    first = chance.choice((0x82, 0x82, 0x82, 0x02, 0x80, 0x81, 0x89, 0x8A, 0x88, 0xF2))
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    mask = chance.randbytes(4)
    return bytes([first]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


class Siege:
    """A server, those who attack it and one who does not."""

    def __init__(self, kind: str, chance: random.Random, ports: dict[str, int]) -> None:
        self.kind, self.chance, self.ports = kind, chance, ports
        self.sent: Counter[str] = Counter()
        self._inputs = [data[2:] for data in seeds.of("protocol")]
        self._attacks = sorted(seeds.ATTACKS.glob("*.hex"))

    def next_attack(self) -> tuple[str, list[bytes]]:
        if self.kind == "attacks":
            return attack_pieces(self.chance.choice(self._attacks))
        match self.chance.randrange(4):
            case 0:
                method = self.chance.choice(CALLS)
                drawn = targets.Draw(self.chance.randbytes(200)).value()
                params = drawn if isinstance(drawn, dict) else {"seed": drawn}
                data = msgpack.packb([0, self.chance.randrange(1 << 32), method, [params]])
            case 1:
                data = b"".join(mutated(self.chance, self._inputs) for _ in range(self.chance.randrange(1, 20)))
            case _:
                data = mutated(self.chance, self._inputs)
        over = self.chance.choice(("", "", "websocket", "websocket port"))
        if over == "websocket":
            data = frame(data, self.chance)
        step = self.chance.choice((1, 7, len(data) or 1))
        return over, [data[i : i + step] for i in range(0, len(data), step)]

    async def attack(self, until: float) -> None:
        """One hostile client after the other."""
        while time.monotonic() < until:
            over, pieces = self.next_attack()
            try:
                async with asyncio.timeout(15):
                    await self._send(over, pieces)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.sent[type(error).__name__] += 1
            self.sent["connections"] += 1
            self.sent["messages"] += len(pieces)

    async def _send(self, over: str, pieces: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[over])
        try:
            if over == "websocket":
                writer.write(UPGRADE)
                await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            match self.chance.randrange(4):
                case 0:  # it waits for what comes
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1 << 20), 0.5)
                case 1:
                    writer.write_eof()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(), 0.5)
                case 2:
                    writer.transport.abort()
        finally:
            writer.close()

    async def behave(self, until: float) -> None:
        """The client that keeps the rules."""
        expected: dict[int, bytes] = {}
        client = await AsyncClient.connect("127.0.0.1", self.ports[""])
        try:
            while time.monotonic() < until:
                x = 256 * self.chance.randrange(40)
                found: Any = await client.call("terrain.chunk", seed=5, x=x, size=64)
                assert expected.setdefault(x, found["height"].tobytes()) == found["height"].tobytes(), x
                self.sent["right responses"] += 1
                await asyncio.sleep(0.05)
        finally:
            await client.close()


def ports_of(process: Process) -> dict[str, int]:
    websocket, metrics = (int(re.search(r":(\d+)(/|$)", process.line())[1]) for _ in range(2))
    return {"": process.port, "websocket": websocket, "websocket port": websocket, "metrics port": metrics}


async def besiege(siege: Siege, seconds: float) -> None:
    until = time.monotonic() + seconds
    running = [asyncio.create_task(siege.attack(until)) for _ in range(AT_ONCE)]
    running.append(asyncio.create_task(siege.behave(until)))
    while any(not task.done() for task in running):
        await asyncio.wait(running, timeout=60, return_when=asyncio.FIRST_EXCEPTION)
        for task in running:
            if task.done():
                task.result()
        print(dict(siege.sent), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("attacks", "mutations"))
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    flags = ("--threads", 1, "--workers", 1, "--cache-mb", 32, "--websocket-port", 0, "--metrics-port", 0)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with serving(BUNDLED, *flags, log=log, PCG_SERVE_LIMITS_HANDSHAKE_TIMEOUT_S="5") as process:
            siege = Siege(asked.kind, random.Random(asked.seed), ports_of(process))
            asyncio.run(besiege(siege, min(60.0, asked.seconds / 4)))  # fills what is bounded, such as the result cache
            time.sleep(SETTLE_S)
            before = process.resident_bytes()
            siege.sent.clear()
            asyncio.run(besiege(siege, asked.seconds))
            time.sleep(SETTLE_S)
            after = process.resident_bytes()
            alive = process.process.poll() is None
            files = len([*Path(f"/proc/{process.process.pid}/fd").iterdir()]) if alive else 0
        errors = re.findall(r"^(?:ERROR|CRITICAL|Traceback).*", log.read_text(), re.MULTILINE)
    print(f"{asked.kind}, {asked.seconds:.0f} s, seed {asked.seed}: {dict(siege.sent)}")
    print(
        f"memory {before / 2**20:.0f} MB before, {after / 2**20:.0f} MB after; {files} open files; {len(errors)} errors"
    )
    for error, count in Counter(errors).most_common(10):
        print(f"{count} times: {error}")
    sys.exit(0 if alive and not errors and after - before <= MORE_MB << 20 else 1)


if __name__ == "__main__":
    main()
