"""The settings of `pcg serve`. Flags override the environment, which overrides a TOML file, then the defaults.

A setting has one name everywhere: `websocket_port` is `--websocket-port`, PCG_SERVE_WEBSOCKET_PORT, and in the file
`websocket_port` or `websocket-port`. Limits are a table of their own: `[limits]` with `max_connections`, or
PCG_SERVE_LIMITS_MAX_CONNECTIONS.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from runtime.batching import MOST_MS
from runtime.errors import nearest
from runtime.scheduling.results import DISK_BYTES, MEMORY_BYTES
from runtime.scheduling.scheduler import MAX_QUEUED
from runtime.scheduling.workers import LEAST_MB, MEMORY_MB
from runtime.serving.access import is_loopback
from runtime.serving.limits import Limits
from runtime.sharing import check_threads

ENVIRONMENT = "PCG_SERVE_"
CONFIG_VARIABLE = ENVIRONMENT + "CONFIG"
_LEAST = {
    "models_mb": 1,
    "workers": 0,
    "worker_mb": LEAST_MB,
    "reload_s": 0,
    "cache_mb": 0,
    "cache_dir_mb": 1,
    "max_queued": 1,
    "max_batch_ms": 0,
    "drain_s": 0,
}
_LISTS = {"origins"}  # separated by commas in the environment


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. ValueError for values out of range, and for settings that exclude each other."""

    host: str = "127.0.0.1"
    port: int = 7767
    unix: Path | None = None
    websocket_port: int | None = None
    models: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    dedicated: bool = False
    models_mb: int | None = None
    workers: int | None = None
    worker_mb: int | None = MEMORY_MB
    reload_s: float = 2.0
    token_file: Path | None = None
    auth: bool = True
    tls_cert: Path | None = None
    tls_key: Path | None = None
    origins: list[str] = []
    cache_mb: int = MEMORY_BYTES >> 20
    cache_dir: Path | None = None
    cache_dir_mb: int = DISK_BYTES >> 20
    max_queued: int = MAX_QUEUED
    max_batch_ms: int = MOST_MS
    drain_s: float = 30.0
    until_eof: bool = False
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    log: Literal["text", "json"] = "text"
    quiet: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for name in ("port", "websocket_port", "metrics_port"):
            port = getattr(self, name)
            if port is not None and not 0 <= port <= 65535:
                raise ValueError(f"{name} {port} is not in 0..65535")
        check_threads(self.threads)
        for name, least in _LEAST.items():
            number = getattr(self, name)
            if number is not None and number < least:
                raise ValueError(f"{name} {number} is less than {least}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: a certificate, and the key that it is for")
        if self.token_file is not None and not self.auth:
            raise ValueError("token_file says who may ask, auth = false that everyone may: give one of them")
        if self.auth and self.token_file is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines: name a token_file with tokens that clients must "
                "give, or turn auth off if everyone who reaches it may ask"
            )


def load(flags: Mapping[str, Any], environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """The settings from all sources.

    Args:
        flags: values by the names of the settings; None means not given.
        environment: the process's environment variables.
        config: the TOML file; without it, the one that PCG_SERVE_CONFIG names, if any.

    Raises:
        OSError: the file can't be read.
        ValueError: an unknown setting or a value that is not valid; the message says where it comes from.
    """
    path = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}  # where each value comes from, for error messages
    for source in (_from_file(path) if path else {}, _from_environment(environment), _from_flags(flags)):
        for name, (where, value) in source.items():
            _check_name(name, where)
            merged[name], origin[name] = value, where
    nested: dict[str, Any] = {"limits": {}}
    for name, value in merged.items():
        table, _, limit = name.partition(".")
        (nested["limits"] if limit else nested)[limit or table] = value
    try:
        return msgspec.convert(nested, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        what, _, path_in = str(error).partition(" - at `$.")
        name = path_in.rstrip("`").partition("[")[0]
        where = f"{origin[name]} is {merged[name]!r}: " if name in origin else ""
        raise ValueError(where + what) from error


def _path(kind: type, value: Any) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected a path, got {value!r}")


def _names() -> list[str]:
    names = [name for name in Settings.__struct_fields__ if name != "limits"]
    return names + [f"limits.{name}" for name in Limits.__dataclass_fields__]


def _check_name(name: str, where: str) -> None:
    if name not in _names():
        raise ValueError(f"{where}: there is no setting {name!r:.80}{nearest(name, _names())}")


def _from_file(path: Path) -> dict[str, tuple[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    found = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name == "limits" and isinstance(value, dict):
            for limit, number in value.items():
                found[f"limits.{limit.replace('-', '_')}"] = (f"{path}, limits.{limit}", number)
        else:
            found[name] = (f"{path}, {key}", value)
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT) or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT).lower()
        if name.startswith("limits_"):
            name = "limits." + name.removeprefix("limits_")
        value = [part.strip() for part in text.split(",") if part.strip()] if name in _LISTS else text
        found[name] = (variable, value)
    return found


def _from_flags(flags: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    return {
        name: ("--" + name.replace("_", "-"), str(value) if isinstance(value, Path) else value)
        for name, value in flags.items()
        if value is not None
    }
