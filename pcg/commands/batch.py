"""The command that makes many assets from a file: batch."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pcg.commands.shared import (
    INTERRUPTED,
    MAKING,
    Device,
    Force,
    Models,
    Remote,
    UserError,
    address,
    app,
    say,
)

if TYPE_CHECKING:
    from pcg.batch.plan import Plan
    from pcg.batch.run import Summary
    from pcg.batch.workers.pool import Pool
    from runtime.address import Address
    from runtime.registry import Registry


@Parameter(name="*")
@dataclass(frozen=True)
class Machines:
    """Who makes the assets; by default worker processes of this machine.

    :param jobs: Worker processes, by default one for each processor core; with --server, requests at a time to each.
    :param server: Running runtime to use, HOST:PORT, tls://HOST:PORT or unix:PATH; give it several times to spread the
        work. What a lost one had is done again.
    :param ray: Ray cluster to use, such as ray://HOST:10001 or auto; "local" starts one here. Needs the extra ray.
    :param token_file: File whose first token each --server is given; by default PCG_TOKEN in the environment.
    :param tls_ca: Certificate (PEM) of the authority to trust with tls:// servers; by default the system's.
    """

    jobs: int | None = None
    server: Annotated[list[str] | None, Parameter(negative="")] = None
    ray: str | None = None
    token_file: Path | None = None
    tls_ca: Path | None = None


@app.command(group=MAKING)
def batch(
    spec: Path | None = None,
    *,
    out: Path | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    example: Annotated[bool, Parameter(negative="")] = False,
    machines: Machines = Machines(),
    parquet: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter("--json", negative="")] = False,
    force: Force = False,
    models: Models = None,
    device: Device = "auto",
) -> int:
    """Make many assets of all kinds from a specification, and a manifest of them (docs/batch.md).

    The specification is checked as a whole before anything is made. Interrupt it whenever you like: the same command
    makes only what is missing or damaged. The exit code is 1 if assets are missing at the end.

    Examples:

        pcg batch --example > spec.toml
        pcg batch spec.toml --out assets --dry-run
        pcg batch spec.toml --out assets
        pcg batch spec.toml --out assets --server 10.0.0.5:7767 --server 10.0.0.6:7767
        pcg batch spec.toml --out assets --ray auto --parquet

    :param spec: The specification, a TOML file.
    :param out: Folder of the assets and of manifest.jsonl.
    :param dry_run: Print what would be made, how much disk it needs and about how long it takes; make nothing.
    :param example: Print a commented specification and stop.
    :param parquet: Also write manifest.parquet; needs the extra parquet.
    :param json_: Events on stdout, one JSON object a line.
    """
    if example:
        print((Path(__file__).parents[1] / "batch" / "example.toml").read_text(encoding="utf-8"), end="")
        return 0
    if spec is None:
        raise UserError("batch needs a specification; `pcg batch --example > spec.toml` writes one to start from")
    if out is None and not dry_run:
        raise UserError("batch needs --out, the folder of the assets; or --dry-run")
    servers = _servers(machines)
    from pcg.batch.plan import read_plan
    from pcg.batch.run import check_folder

    if parquet:
        import pyarrow  # noqa: F401  (say that it is missing before the work)
    plan = read_plan(spec, _registry(servers, models))
    jobs = machines.jobs if machines.jobs is not None else os.cpu_count() or 1
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: at least 1")
    if out is not None:
        check_folder(plan, out, force=force)
    if dry_run:
        _print_plan(plan, jobs * max(1, len(servers)), json_=json_)
        return 0
    assert out is not None
    pool = _pool(machines, servers, jobs, out, models, device)
    return _run(plan, out, pool, parquet=parquet, json_=json_, force=force)


def _servers(machines: Machines) -> list[Address]:
    """The addresses of the servers. Raises UserError."""
    if machines.server and machines.ray:
        raise UserError("--server and --ray are two ways to spread the work; give one of them")
    if not machines.server:
        if machines.token_file is not None or machines.tls_ca is not None:
            address(Remote(None, machines.token_file, machines.tls_ca))  # its error says what is missing
        return []
    where = [address(Remote(text, machines.token_file, machines.tls_ca)) for text in dict.fromkeys(machines.server)]
    return [one for one in where if one is not None]


def _registry(servers: list[Address], models: Path | None) -> Registry:
    if servers:
        from pcg.batch.workers.remote_models import models_of

        if models is not None:
            raise UserError("--models is for a runtime in this process; a --server has its own")
        return models_of(servers)
    from runtime.registry import Registry

    return Registry(models)


def _pool(
    machines: Machines, servers: list[Address], jobs: int, out: Path, models: Path | None, device: Device
) -> Callable[[Path], Pool]:
    """Opens who does the orders, with a folder for files that are not complete yet."""
    threads = max(1, (os.cpu_count() or 1) // jobs)

    def opened(staging: Path) -> Any:
        if machines.ray is not None:
            from pcg.batch.workers.actors import Actors

            return Actors(machines.ray, machines.jobs, out, staging, models, device, threads)
        from pcg.batch.workers.pool import AT_A_SERVER, Processes, local_sources

        at_a_time = machines.jobs or AT_A_SERVER
        sources = [(server, at_a_time) for server in servers]
        return Processes(sources or local_sources(jobs, models, device, threads), out, staging)

    return opened


def _print_plan(plan: Plan, jobs: int, *, json_: bool) -> None:
    """Print what would be made."""
    from pcg.batch.reporting import amount, duration

    cost = plan.cost
    entries: list[dict[str, Any]] = []
    for number, entry in enumerate(plan.spec.entries):
        cells = [cell for cell in plan.cells if cell.place[0] == number]
        names = [order.id for cell in cells[:3] for k in range(2) if (order := cell.order(k)) and k < entry.count]
        entries.append(
            {
                "entry": entry.label,
                "kind": entry.family.kind,
                "count": entry.count * len(cells),
                "combinations": len(cells),
                "filtered": bool(entry.keep),
                "names": names[:3],
            }
        )
    if json_:
        print(
            json.dumps(
                {
                    "assets": plan.count,
                    "bytes": round(cost.size),
                    "seconds": round(cost.seconds / jobs),
                    "entries": entries,
                }
            )
        )
        return
    for one in entries:
        grid = f" in {one['combinations']} combinations" if one["combinations"] > 1 else ""
        kept = " that the filters keep" if one["filtered"] else ""
        print(f"{one['entry']}: {one['count']} x {one['kind']}{grid}{kept}: {', '.join(one['names'])}, ...")
    filtered = " What filters reject comes on top." if any(one["filtered"] for one in entries) else ""
    print(f"{plan.count} assets, about {amount(cost.size)}, about {duration(cost.seconds / jobs)}.{filtered}")


def _run(plan: Plan, out: Path, pool: Callable[[Path], Pool], *, parquet: bool, json_: bool, force: bool) -> int:
    from pcg.batch.manifest import MANIFEST, write_parquet
    from pcg.batch.reporting import reporter
    from pcg.batch.run import run
    from pcg.batch.workers.pool import PoolError

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    report = reporter("json" if json_ else "auto")
    try:
        with closing(report):
            report.event("plan", assets=plan.count, out=str(out))
            summary = run(plan, out, pool, report, force=force)
            if parquet:
                write_parquet(out)
            report.event("done", **_figures(summary))
    except KeyboardInterrupt:
        say(f"interrupted; {out / MANIFEST} tells what is there, and the same command goes on")
        return INTERRUPTED
    except (PoolError, OSError) as error:
        say(f"pcg: {error}")
        say(f"{out / MANIFEST} tells what is there; the same command goes on")
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    if not json_:
        print(out / MANIFEST)
    return _told(summary)


def _figures(summary: Summary) -> dict[str, Any]:
    names = ("made", "kept", "rejected", "short", "failed", "others")
    return {name: getattr(summary, name) for name in names}


def _told(summary: Summary) -> int:
    """Print what came of a batch; returns the exit code."""
    there = f", {summary.kept} were there already" if summary.kept else ""
    rejected = f", {summary.rejected} rejected" if summary.rejected else ""
    say(f"{summary.made} made{there}{rejected}")
    if summary.others:
        say(f"{summary.others} assets of other specifications are in the folder, too, and at the end of the manifest")
    for line in (*summary.short, *summary.failed):
        say(line)
    return 1 if summary.short or summary.failed else 0
