"""Where settings come from, which goes first, and what is said of bad ones."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from runtime.local import Local
from runtime.serving.access import is_loopback
from runtime.serving.limits import Limits
from runtime.serving.settings import ENVIRONMENT, Settings, load
from runtime.sharing import most_threads


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "serve.toml"
    path.write_text(
        'host = "127.0.0.2"\nport = 1\nwebsocket-port = 2\nquiet = true\norigins = ["https://a.example"]\n'
        'cache_dir = "kept"\ndrain_s = 2\n[limits]\nmax_connections = 3\nidle-timeout-s = 4.5\n'
    )
    return path


def test_defaults() -> None:
    assert load({}, {}) == Settings()
    assert Settings().limits == Limits()


def test_a_file(config: Path) -> None:
    settings = load({}, {"HOME": "/"}, config)
    assert (settings.host, settings.port, settings.websocket_port) == ("127.0.0.2", 1, 2)
    assert (settings.quiet, settings.origins, settings.drain_s) == (True, ["https://a.example"], 2.0)
    assert settings.cache_dir == Path("kept")
    assert settings.limits == Limits(max_connections=3, idle_timeout_s=4.5)


def test_flags_go_before_the_environment_and_that_before_the_file(config: Path) -> None:
    environment = {
        "PCG_SERVE_PORT": "10",
        "PCG_SERVE_WEBSOCKET_PORT": "20",
        "PCG_SERVE_QUIET": "false",
        "PCG_SERVE_ORIGINS": "https://b.example, https://c.example",
        "PCG_SERVE_LIMITS_MAX_CONNECTIONS": "30",
        "PCG_SERVE_CONFIG": str(config),
    }
    settings = load({"port": 100, "unix": Path("s"), "host": None}, environment)
    assert (settings.host, settings.port, settings.websocket_port, settings.unix) == ("127.0.0.2", 100, 20, Path("s"))
    assert (settings.quiet, settings.origins) == (False, ["https://b.example", "https://c.example"])
    assert settings.limits == Limits(max_connections=30, idle_timeout_s=4.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "prot: there is no setting 'prot'; did you mean 'port'?"),
        ("[limits]\nmax_conections = 1", "did you mean 'limits.max_connections'?"),
        ("[limit]\nmax_connections = 1", "there is no setting 'limit'"),
        ("limits = 1", "there is no setting 'limits'"),
        ('port = "x"', "port is 'x': Expected `int`"),
        ("port = 65536", "port 65536 is not in 0..65535"),
        ("port = 1.5", "port is 1.5"),
        ('device = "gpu"', "device is 'gpu': Invalid enum value 'gpu'"),
        ("threads = 0", "threads 0 is out of range: 1 to "),
        ("threads = 100000", f"threads 100000 is out of range: 1 to {most_threads()} ("),
        ("[limits]\nmax_depth = 0", "max_depth 0 is not positive"),
        ('[limits]\nmax_depth = "deep"', "limits.max_depth is 'deep'"),
        ('tls_cert = "c"', "tls_cert and tls_key go together"),
        ('token_file = "t"\nauth = false', "give one of them"),
        ("port = ", "is not TOML"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(words)):
        load({}, {}, path)


def test_too_many_threads_are_refused_before_any_is_made() -> None:
    before = threading.active_count()
    for threads in (0, most_threads() + 1, 100_000):
        with pytest.raises(ValueError, match=rf"threads {threads} is out of range: 1 to {most_threads()} \("):
            Local(threads=threads)
    assert threading.active_count() == before


def test_where_a_bad_value_comes_from(config: Path) -> None:
    for flags, environment, words in (
        ({"port": "x"}, {}, "--port is 'x'"),
        ({}, {"PCG_SERVE_PORT": "x"}, "PCG_SERVE_PORT is 'x'"),
        ({}, {"PCG_SERVE_PROT": "1"}, "PCG_SERVE_PROT: there is no setting 'prot'"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            load(flags, environment, config)
    with pytest.raises(FileNotFoundError):
        load({}, {}, Path("none.toml"))


HERE = ["127.0.0.1", "127.9.9.9", "::1", "localhost"]
ANYWHERE = ["0.0.0.0", "::", "192.168.1.2", "localhost.example", ""]


@pytest.mark.parametrize(("host", "only_here"), [(host, host in HERE) for host in HERE + ANYWHERE])
def test_hosts_that_others_reach_need_tokens(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here
    if only_here:
        assert load({"host": host}, {}).host == host
    else:
        with pytest.raises(ValueError, match="can be reached from other machines"):
            load({"host": host}, {})
    assert not load({"host": host, "auth": False}, {}).auth
    assert load({"host": host, "token_file": Path("t")}, {}).token_file == Path("t")


def test_every_flag_of_pcg_serve_is_a_setting() -> None:
    import inspect

    from pcg.commands.serving import serve

    flags = set(inspect.signature(serve).parameters) - {"config"}
    assert flags == set(Settings.__struct_fields__) - {"limits"}


def test_every_setting_can_come_from_the_environment() -> None:
    texts: dict[type, str] = {bool: "true", list: "a"}
    for name in set(Settings.__struct_fields__) - {"limits", "device", "log", "tls_cert", "tls_key"}:
        environment = {ENVIRONMENT + name.upper(): texts.get(type(getattr(Settings(), name)), "1000")}
        if name == "threads":
            environment = {ENVIRONMENT + name.upper(): "1"}
        if name == "host":
            environment["PCG_SERVE_AUTH"] = "false"
        assert getattr(load({}, environment), name) in ("1000", 1000, 1, True, ["a"], Path("1000"))
    for name in Limits.__dataclass_fields__:
        assert getattr(load({}, {f"{ENVIRONMENT}LIMITS_{name.upper()}": "1"}).limits, name) == 1
