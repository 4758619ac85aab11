"""Finding a runtime, or starting one, here a small program in its place."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from demos.world.runtime_process import Runtime, State
from runtime.address import Address

Wait = Callable[[Callable[[], object]], None]

# Serves `server.health` on --port N, and says on stderr that it does; not ready the first time.
SERVER = """
import asyncio, sys
from runtime.serving.server import Server
class Service:
    asked = 0
    async def call(self, method, params, *, connection):
        self.asked += 1
        return {"ready": self.asked > 1}
print("serving", file=sys.stderr)
asyncio.run(Server(Service(), port=int(sys.argv[sys.argv.index("--port") + 1])).serve_forever())
"""


@pytest.fixture
def nowhere() -> Iterator[Address]:
    """An address that is bound, so that no other process gets it, and where nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Address("127.0.0.1", bound.getsockname()[1])


def found(runtime: Runtime, wait: Wait) -> State:
    runtime.start()
    wait(lambda: runtime.state.address or runtime.state.error)
    return runtime.state


def test_the_given_runtime_is_used(land_server: Address, nowhere: Address, wait: Wait) -> None:
    runtime = Runtime(land_server, usual=nowhere, command=("no such program",))
    assert found(runtime, wait).address == land_server
    runtime.close()


def test_the_usual_runtime_is_used(land_server: Address, wait: Wait) -> None:
    runtime = Runtime(None, usual=land_server, command=("no such program",))
    assert found(runtime, wait).address == land_server
    runtime.close()


def test_a_given_runtime_that_does_not_answer_is_an_error(nowhere: Address, wait: Wait) -> None:
    runtime = Runtime(nowhere, command=("no such program",))
    error = found(runtime, wait).error
    assert error is not None
    assert f"no runtime answers at {nowhere}" in error
    runtime.close()


def test_a_runtime_is_started_waited_for_and_stopped(nowhere: Address, wait: Wait) -> None:
    runtime = Runtime(None, usual=nowhere, command=(sys.executable, "-c", SERVER))
    address = found(runtime, wait).address
    assert address is not None
    assert runtime.death() is None
    with address.connect() as client:
        assert client.call("server.health") == {"ready": True}
    runtime.close()
    with pytest.raises(ConnectionError):
        address.connect()


def test_a_runtime_that_dies_says_why(nowhere: Address, wait: Wait) -> None:
    program = "import sys; sys.exit('there is no model in this folder')"
    runtime = Runtime(None, usual=nowhere, command=(sys.executable, "-c", program))
    error = found(runtime, wait).error
    assert error == "the runtime has ended with exit status 1\nthere is no model in this folder"
    runtime.close()


def test_a_runtime_that_can_not_be_started_is_an_error(nowhere: Address, wait: Wait) -> None:
    runtime = Runtime(None, usual=nowhere, command=("/no/such/program",))
    error = found(runtime, wait).error
    assert error is not None
    assert "/no/such/program" in error
    runtime.close()


def test_closing_while_it_starts_stops_it(nowhere: Address, wait: Wait) -> None:
    runtime = Runtime(None, usual=nowhere, command=(sys.executable, "-c", "import time; time.sleep(600)"))
    runtime.start()
    wait(lambda: runtime.state.progress.startswith("Starting"))
    runtime.close()
    assert runtime._process is not None
    assert runtime._process.returncode is not None
