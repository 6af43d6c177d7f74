"""Point reads: `mesh serve products` beside the same rows served by hand, at a constant rate.

    python -m benchmarks.serving [--rows N] [--rate N] [--seconds N]

`vegeta` asks for keys at random, each at its moment, whether those before it were answered or not; the
time of an answer counts from that moment. The reader has an agreement with two masks and a condition
that half of the rows meet: the others are answered with 404. Served by hand is what one would write: a
route of Starlette, the same SQLite file, no token, no agreement, no log. The limit is the highest rate,
by steps, at which the 99th percentile is below 5 ms. Beside it stand the server's own seconds of the
processor, which a busy machine changes less. With Java and Maven Cassandra is asked, too. Timings are
printed, never asserted.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks import door
from benchmarks.publish import generate, stage_and_publish
from benchmarks.results.figures import Figure, report

READER = "research"
GOAL_MS = 5.0
STEPS = (2_000, 3_000, 4_000, 6_000, 8_000)
KEYS = 50_000
_BRINGS = "go install github.com/tsenart/vegeta/v12@v12.13.0"


@dataclass(frozen=True)
class Answers:
    """Milliseconds at these percentiles, microseconds of the server's processor an answer."""

    p50: float
    p99: float
    p999: float
    of_processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--contender", help="(for its own processes)")
    parser.add_argument("--port", type=int, default=0, help="(for its own processes)")
    options = parser.parse_args()
    if options.contender == "publish":
        _publish(options.rows)
    elif options.contender == "by hand":
        _serve_by_hand(options.port)
    elif (vegeta := _vegeta()) is None:
        print(f"left out: vegeta asks, and is not here; `{_BRINGS}` brings it")
    else:
        _all(vegeta, options.rows, options.rate, options.seconds)


def _vegeta() -> str | None:
    of_go = Path.home() / "go" / "bin" / "vegeta"
    return shutil.which("vegeta") or (str(of_go) if of_go.is_file() else None)


def _all(vegeta: str, rows: int, rate: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        _write_mesh(Path(folder))
        token = _prepare(folder, rows, {})
        found = {
            "by hand": _ask_by_hand(vegeta, folder, rows, rate, seconds),
            "the mesh": _ask_mesh(vegeta, folder, rows, rate, seconds, token, {}),
        }
        if shutil.which("java") is None or shutil.which("mvn") is None:
            print("Cassandra's figures are left out: java and mvn are not both here")
        else:
            from tests.stand_ins.cassandra import running_cassandra

            with running_cassandra() as cassandra:
                where = cassandra.fresh()
                token = _prepare(folder, rows // 10, where)
                found["the mesh on Cassandra"] = _ask_mesh(
                    vegeta, folder, rows // 10, rate, seconds, token, where
                )
    _report(found, rate)


def _report(found: Mapping[str, tuple[Answers, int]], rate: int) -> None:
    by_hand, most = found["by hand"]
    figures = []
    for name in (name for name in found if name != "by hand"):
        answers, limit = found[name]
        at = f"{name}, at {rate:,}/s"
        goal = GOAL_MS if name == "the mesh" else None
        figures += [
            Figure(f"{at}: p50 of a point read", answers.p50, "ms", "by hand", by_hand.p50),
            Figure(f"{at}: p99", answers.p99, "ms", limit=goal),
            Figure(f"{at}: p99.9", answers.p999, "ms", "by hand", by_hand.p999),
            Figure(
                f"{at}: CPU an answer", answers.of_processor, "us", "by hand", by_hand.of_processor
            ),
            Figure(
                f"{name}: most a second below {GOAL_MS:g} ms at p99",
                limit,
                "/s",
                "by hand",
                most or None,
            ),
        ]
    print(f"by hand: {by_hand}, at most {most:,}/s")
    report(figures)


class _NotAnswered(SystemExit):
    """More was asked than connections, or seconds, sufficed for; or something else than rows came."""


# -- asking ----------------------------------------------------------------------------------------


def _ask_mesh(
    vegeta: str,
    folder: str,
    rows: int,
    rate: int,
    seconds: int,
    token: str,
    where: Mapping[str, str],
) -> tuple[Answers, int]:
    command = [str(Path(sys.executable).with_name("mesh")), "serve", "products", "--port"]
    with _serving(command, folder, where) as server:
        return _ask(vegeta, server, rows, rate, seconds, token)


def _ask_by_hand(
    vegeta: str, folder: str, rows: int, rate: int, seconds: int
) -> tuple[Answers, int]:
    command = [sys.executable, "-m", "benchmarks.serving", "--contender", "by hand", "--port"]
    with _serving(command, folder, {}) as server:
        return _ask(vegeta, server, rows, rate, seconds, "")


@dataclass(frozen=True)
class _Server:
    process: psutil.Process
    port: int

    @property
    def used(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def _serving(command: list[str], folder: str, where: Mapping[str, str]) -> Iterator[_Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = subprocess.Popen(
        [*command, str(port)], env=_state(folder) | where, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            if started.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {started.returncode}")
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield _Server(psutil.Process(started.pid), port)
    finally:
        started.terminate()
        started.wait()


def _ask(
    vegeta: str, server: _Server, rows: int, rate: int, seconds: int, token: str
) -> tuple[Answers, int]:
    chosen = random.Random(7)
    targets = "\n".join(
        f"GET http://127.0.0.1:{server.port}/{door.KEY}/{chosen.randrange(rows)}"
        for _ in range(KEYS)
    )
    _attack(vegeta, server, targets, token, rate, 3)
    answers, most = _attack(vegeta, server, targets, token, rate, seconds), 0
    for more in (rate, *STEPS):
        try:
            if _attack(vegeta, server, targets, token, more, 5).p99 >= GOAL_MS:
                break
        except _NotAnswered:
            break
        most = more
    return answers, most


def _attack(
    vegeta: str, server: _Server, targets: str, token: str, rate: int, seconds: int
) -> Answers:
    before = server.used
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder, "asked")
        command = [
            vegeta,
            "attack",
            "-rate",
            f"{rate}/1s",
            "-duration",
            f"{seconds}s",
            "-output",
            str(asked),
        ]
        header = ["-header", f"Authorization: Bearer {token}"] if token else []
        subprocess.run([*command, *header], input=targets, text=True, check=True)
        used = server.used - before
        told = subprocess.run(
            [vegeta, "encode", "--to", "csv", str(asked)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    rows = list(csv.reader(told.splitlines()))
    codes = {row[1] for row in rows}
    if not codes <= {"200", "404"}:
        raise _NotAnswered(f"at {rate:,}/s answered with {', '.join(sorted(codes))}")
    # nanoseconds: when it was sent, how long it took; what it should have been sent at is known
    first, gap = min(int(row[0]) for row in rows), 1e9 / rate
    late = sorted(
        int(row[0]) - first - number * gap + int(row[2])
        for number, row in enumerate(sorted(rows, key=lambda row: int(row[0])))
    )
    p50, p99, p999 = (late[int(len(late) * share)] / 1e6 for share in (0.5, 0.99, 0.999))
    return Answers(p50, p99, p999, used / len(rows) * 1e6)


# -- what is asked ---------------------------------------------------------------------------------


def _state(folder: str) -> dict[str, str]:
    return {**os.environ, "MESH_ROOT": folder, "MESH_HOME": str(Path(folder) / ".mesh")}


def _prepare(folder: str, rows: int, where: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "benchmarks.serving", "--contender", "publish"]
    done = subprocess.run(
        [*command, "--rows", str(rows)],
        env=_state(folder) | where,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return str(done.stdout).splitlines()[-1]


def _write_mesh(root: Path) -> None:
    door.write_mesh(root)
    file = root / "domains" / "shop" / "products" / "items" / "contract.odcs.yaml"
    contract = yaml.safe_load(file.read_text())
    contract["servers"].append({"server": "serving", "type": "custom"})
    key = next(one for one in contract["schema"][0]["properties"] if one["name"] == "order_id")
    key |= {"primaryKey": True, "primaryKeyPosition": 1, "required": True}
    file.write_text(yaml.safe_dump(contract, sort_keys=False))


def _publish(rows: int) -> None:
    from datetime import timedelta

    from shared_resources.contracts.odcs import read_contract
    from shared_resources.serving_ports.following import bring_level
    from shared_resources.serving_ports.http.tokens import Tokens
    from shared_resources.stores.lake.store import LakeStore
    from shared_resources.wiring import current

    environment = current()
    environment.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=environment.home) as work:
        generate(Path(work), rows)
        stage_and_publish(LakeStore(environment.home / "lake"), Path(work))
    folder = environment.root / "domains" / "shop" / "products" / "items"
    bring_level(environment, read_contract(folder / "contract.odcs.yaml"))
    secret, _ = Tokens(environment.state).make(READER, "care", timedelta(days=1), "the benchmark")
    print(secret)


def _serve_by_hand(port: int) -> None:
    import json
    import sqlite3

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from shared_resources.wiring import current

    connection = sqlite3.connect(current().home / "ports" / f"{door.KEY}.db")
    (generation,) = connection.execute("SELECT generation FROM pointer").fetchone()
    (text,) = connection.execute("SELECT generation FROM generations").fetchone()
    names = [name for name, _ in json.loads(text)["columns"]]
    query = f'SELECT row FROM "generation {generation}" WHERE key = ?'

    async def row(request: Request) -> JSONResponse:
        key = json.dumps([request.path_params["id"]])
        found = connection.execute(query, (key,)).fetchone()
        if found is None:
            return JSONResponse({"detail": "not found"}, 404)
        return JSONResponse(dict(zip(names, json.loads(found[0]), strict=True)))

    app = Starlette(routes=[Route(f"/{door.KEY}/{{id}}", row)])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
