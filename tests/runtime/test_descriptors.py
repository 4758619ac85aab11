"""A `pcg serve` that runs short of file descriptors."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from pathlib import Path

import psutil
import pytest
from model_files import write_model
from serving_process import serving

from runtime.client import Client

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit is Linux's")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder)
    return folder


def test_a_crowd_on_few_descriptors_keeps_nobody_out_and_fills_no_log(models: Path, tmp_path: Path) -> None:
    """400 silent connections, half of them at their WebSocket handshake, on 200 descriptors; then a client with a token."""
    tokens, log = tmp_path / "tokens", tmp_path / "log"
    tokens.write_text("0123456789abcdef")
    flags = ("--workers", 0, "--websocket-port", 0, "--token-file", tokens)
    with contextlib.ExitStack() as crowd, serving(models, *flags, log=log, descriptors=200) as server:
        ports = [server.port, int(server.line().rpartition(":")[2])]
        for number in range(400):
            crowd.enter_context(socket.create_connection(("127.0.0.1", ports[number % 2])))
        for _ in range(3):
            with Client(port=server.port, token="0123456789abcdef") as client:
                assert client.call("server.health")["ready"]
        assert psutil.Process(server.process.pid).num_fds() < 200
        server.stop()
    text = log.read_text()
    assert "file descriptors for" in text  # fewer than max_connections
    assert "Traceback" not in text
    assert "can't be accepted" not in text


def test_a_server_without_descriptors_refuses_early_says_so_once_and_recovers(models: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(models, "--workers", 0, log=log) as server:
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        with Client(port=server.port) as inside:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (psutil.Process(pid).num_fds(), before[1]))
            for _ in range(100):
                with socket.create_connection(("127.0.0.1", server.port), timeout=60) as refused:
                    with contextlib.suppress(ConnectionResetError):
                        assert refused.recv(1) == b""
            assert inside.call("server.health")["ready"]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            until = time.monotonic() + 60
            while time.monotonic() < until:
                with contextlib.suppress(OSError), Client(port=server.port) as client:
                    assert client.call("server.health")["ready"]
                    break
        server.stop()
    text = log.read_text()
    assert text.count("can't be accepted") == 1
    assert "Traceback" not in text
