"""A `pcg serve` that runs short of file descriptors."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from model_files import write_model
from serving_process import serving

from runtime.client import Client

BUSY_SERVER = Path(__file__).parents[2] / "support" / "busy_server.py"

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit is Linux's")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder)
    return folder


@pytest.mark.slow
def test_a_crowd_on_few_descriptors_keeps_nobody_out_and_fills_no_log(models: Path, tmp_path: Path) -> None:
    """400 silent connections on 200 descriptors, half of them at their WebSocket handshake; then one with a token."""
    tokens, log = tmp_path / "tokens", tmp_path / "log"
    tokens.write_text("0123456789abcdef")
    flags = ("--workers", 0, "--websocket-port", 0, "--token-file", tokens)
    with contextlib.ExitStack() as crowd, serving(models, *flags, log=log, descriptors=200) as server:
        ports = [server.port, int(server.line().rpartition(":")[2])]
        for number in range(400):
            crowd.enter_context(socket.create_connection(("127.0.0.1", ports[number % 2])))
        for _ in range(3):
            with Client(port=server.port, token="0123456789abcdef") as client:
                assert client.call("server.health")["device"] == "cpu"
        assert psutil.Process(server.process.pid).num_fds() < 200
        server.stop()
    text = log.read_text()
    assert "file descriptors for" in text  # fewer than max_connections
    assert "Traceback" not in text
    assert "can't be accepted" not in text


def test_a_server_without_descriptors_refuses_early_says_so_once_and_recovers() -> None:
    server = subprocess.Popen(
        [sys.executable, BUSY_SERVER, "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().split()[0])
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        with Client(port=port) as inside:
            assert inside.call("quick", x=1) == {"x": 1}
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (psutil.Process(server.pid).num_fds(), before[1]))
            for _ in range(30):
                refused = socket.create_connection(("127.0.0.1", port), timeout=60)
                with refused, contextlib.suppress(ConnectionResetError):
                    assert refused.recv(1) == b""
            assert inside.call("quick", x=2) == {"x": 2}
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
            with Client(port=port) as client:
                assert client.call("quick", x=3) == {"x": 3}
        server.terminate()
        _, log = server.communicate(timeout=60)
    finally:
        server.kill()
        server.communicate()
    assert log.count("can't be accepted") == 1
    assert "Traceback" not in log
