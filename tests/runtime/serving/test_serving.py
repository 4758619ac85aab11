"""`pcg serve` as a process: what it listens on, how it is stopped, and what it says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from model_files import card, write_model
from msgspec import structs
from processes import alive, until
from serving_process import serving

from pcg.cli import main
from runtime import card as cards
from runtime.card import Golden
from runtime.client import Client, ConnectionLost, NoRuntime
from runtime.engine import Engine
from runtime.errors import RpcError
from runtime.registry import ModelFile, Registry
from runtime.service import Service
from runtime.serving.process import serve_until_stopped
from runtime.serving.settings import Settings

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny model, so that a server is up at once."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder)
    return folder


def test_all_ways_in_and_settings_from_everywhere(models: Path, tmp_path: Path) -> None:
    """One process, told by a file, the environment and flags; it tells a service manager, and ends on SIGINT."""
    tokens, config, unix, notify = (tmp_path / name for name in ("tokens", "serve.toml", "pcg.sock", "notify"))
    tokens.write_text(TOKEN)
    config.write_text(
        f'websocket-port = 0\nmetrics-port = 0\nlog = "json"\ntoken_file = "{tokens}"\n'
        "[limits]\nmax_message_bytes = 2000\n"
    )
    kept = tmp_path / "kept"
    environment = {"PCG_SERVE_UNIX": str(unix), "NOTIFY_SOCKET": str(notify)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(100)
        with serving(models, "--config", config, "--cache-dir", kept, **environment) as server:
            assert manager.recv(100) == b"READY=1"
            assert server.lines[0].startswith("serving doubler on 127.0.0.1:")
            assert server.line() == f"and on {unix}"
            assert server.line().startswith("and on ws://127.0.0.1:")
            metrics = server.line().removeprefix("metrics on ")
            with Client(unix=unix) as client:
                until(lambda: client.call("server.health")["ready"])  # it answers while it proves its models
                with urlopen(metrics) as page:
                    assert b"pcg_ready 1.0" in page.read()
                with pytest.raises(RpcError, match="the limit is 2000"):
                    client.call("server.health", padding=bytes(2000))
            with Client(port=server.port) as client, pytest.raises(RpcError, match="token"):
                client.call("server.health")
            with Client(port=server.port, token=TOKEN) as client:
                assert client.call("server.health")["ready"]
                assert kept.is_dir()
                code, log = server.stop(signal.SIGINT)
                assert code == 0, log
                assert all("message" in json.loads(line) for line in log.splitlines())
                with pytest.raises(ConnectionLost):
                    client.call("server.health")
            assert manager.recv(100) == b"STOPPING=1"
            assert not unix.exists()
            with pytest.raises(NoRuntime):
                Client(port=server.port)


@pytest.fixture
def signals() -> Iterator[None]:
    """Put back what a server in this process handles."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_invalid_settings_prevent_the_start(models: Path, tmp_path: Path) -> None:
    tokens, no_certificate = tmp_path / "tokens", tmp_path / "cert.pem"
    tokens.write_text("short")
    no_certificate.write_text("no certificate")
    with pytest.raises(ValueError, match="line 1: a token of 5 characters"):
        serve_until_stopped(Settings(models=models, port=0, token_file=tokens))
    with pytest.raises(ValueError, match="are no certificate and its key"):
        serve_until_stopped(Settings(models=models, port=0, tls_cert=no_certificate, tls_key=no_certificate))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no usable model"):
        serve_until_stopped(Settings(models=tmp_path / "empty", port=0))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        serve_until_stopped(Settings(models=models, port=0, websocket_port=taken.getsockname()[1]))


def test_a_server_whose_models_all_fail_their_proof_ends(tmp_path: Path) -> None:
    write_model(tmp_path, card_bytes=cards.encode(card(golden=[Golden("forward", [[1]], "0" * 64)])))
    with serving(tmp_path) as server:
        assert server.lines[0].startswith("serving doubler on ")
        assert server.process.wait(60) == 1
        _, log = server.process.communicate()
    assert log.count("does not give its golden vectors on cpu, not even in float64") == 1
    assert log.splitlines()[-1].startswith("pcg: no usable model in ")


def test_terrain_is_proved_first_and_a_request_does_not_wait_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, family in (("alpha", "levels"), ("beta", "characters"), ("gamma", "terrain")):
        write_model(tmp_path, name, cards.encode(card(name=name, family=family)))
    proved: list[str] = []
    load = Engine.load

    def noted(self: Engine, model: ModelFile) -> object:
        if not self.is_proved(model):
            proved.append(model.card.name)
            if len(proved) == 1:  # a request for another model comes while the first one is proved
                self.submit(self.run, service.registry.find("beta"), "forward", np.array([2]))
        return load(self, model)

    monkeypatch.setattr(Engine, "load", noted)
    service = Service(Registry(tmp_path), Engine("cpu"))
    try:
        service.warm_up()
    finally:
        service.close()
    assert proved == ["gamma", "beta", "alpha"]


def test_a_warm_up_that_is_told_to_stop_proves_nothing_more(tmp_path: Path) -> None:
    write_model(tmp_path)
    service, stop = Service(Registry(tmp_path), Engine("cpu")), threading.Event()
    stop.set()
    try:
        service.warm_up(stop)
        assert not service.ready
    finally:
        service.close()


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("name", ["port", "websocket_port", "metrics_port", "unix"])
def test_an_address_in_use_is_an_error_before_models_are_loaded(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Service, "warm_up", lambda *_: pytest.fail("models were loaded"))
    if name == "unix":
        path: Path | int = tmp_path / "pcg.sock"
        taken = socket.socket(socket.AF_UNIX)
        taken.bind(str(path))
        taken.listen()
    else:
        taken = socket.create_server(("127.0.0.1", 0))
        path = taken.getsockname()[1]
    with taken, pytest.raises(OSError, match=r"address already in use|another server listens on"):
        serve_until_stopped(Settings(models=models, **{"port": 0, name: path}))


def test_a_host_without_tokens_or_tls_logs_a_warning(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    for settings, words in (
        (Settings(host="0.0.0.0", auth=False), "everyone who reaches this port may send requests"),
        (Settings(host="0.0.0.0", token_file=tokens), "tokens can be read on the way"),
    ):
        with pytest.raises(FileNotFoundError):
            serve_until_stopped(structs.replace(settings, models=tmp_path / "none"))
        assert words in caplog.text


def test_misuse_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--host", "0.0.0.0"])
    assert caught.value.code == 2
    assert "name a token_file" in capsys.readouterr().err


HOLDER = """
import pathlib, sys, time
from demos.world.runtime_process import Address, Runtime
from serving_process import serving
models = sys.argv[2]
if sys.argv[1] == "tests":
    with serving(pathlib.Path(models), "--workers", 1) as server:
        print(server.process.pid, flush=True)
        time.sleep(600)
command = (sys.executable, "-m", "pcg.cli", "serve", "--models", models, "--workers", "1")
runtime = Runtime(None, usual=Address("127.0.0.1", int(sys.argv[3])), command=command)
runtime.start()
while runtime.state.address is None:
    assert runtime.state.error is None, runtime.state.error
    time.sleep(0.05)
print(runtime._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("who", ["tests", pytest.param("demo", marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_with_its_parent_process(models: Path, who: str, number: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with socket.socket() as bound:  # an address where nothing listens
        bound.bind(("127.0.0.1", 0))
        command = [sys.executable, "-c", HOLDER, who, str(models), str(bound.getsockname()[1])]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            pid = int(holder.stdout.readline())
            try:
                assert alive(pid)
                holder.send_signal(number)
                holder.wait(60)
                until(lambda: not alive(pid))
            finally:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)


def test_told_to_stop_it_ends_its_workers_too(models: Path) -> None:
    with serving(models, "--workers", 1, "--metrics-port", 0, "--drain-s", 0.1) as server:
        metrics = server.line().removeprefix("metrics on ")
        with Client(port=server.port, timeout_s=250) as client:
            answer = client.call("levels.solve", game="sokoban", rows=["######", "#@ $.#", "######"])
            assert answer["solution"] == "rR"
        with urlopen(metrics) as page:
            text = page.read().decode()
        assert "pcg_workers 1.0" in text
        assert 'pcg_run_seconds_count{queue="levels.solve"} 1.0' in text
        pids = [child.pid for child in psutil.Process(server.process.pid).children()]
        code, log = server.stop()
        assert (code, log.count("ERROR")) == (0, 0), log
    until(lambda: not any(map(alive, pids)))
