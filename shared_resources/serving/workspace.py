"""The workspace of webserver and daemon: the domains that are served.

Belongs here: its file, and telling webserver and daemon that it changed.
Does not belong here: which release a domain's socket leads to (`programs.py`).

A switch needs neither: both watch the server behind a domain's socket. The daemon reads the file again
by itself when it is another (`dagster_instance/daemon.py`).
"""

from __future__ import annotations

import json
from datetime import timedelta
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import Request, urlopen

import yaml

from shared_resources.dagster_instance.heard import wait_until_heard
from shared_resources.serving.problems import ServingProblem
from shared_resources.serving.programs import Programs
from shared_resources.state.whole_file import write_whole

_RELOAD = "mutation {reloadWorkspace {__typename}}"
_RELOADED = "Workspace"
# It looks each five seconds, and may have much to read.
_HEARS = timedelta(seconds=60)


def write_workspace(programs: Programs) -> bool:
    """Write the file from the domains that are served; whether it says something else now."""
    locations = [
        {"grpc_server": {"socket": str(programs.door(domain)), "location_name": domain}}
        for domain in programs.domains()
    ]
    text = yaml.safe_dump({"load_from": locations}, sort_keys=False).encode()
    if programs.workspace.exists() and programs.workspace.read_bytes() == text:
        return False
    write_whole(programs.workspace, text)
    return True


def write_address(programs: Programs, host: str, port: int) -> None:
    """Keep where the webserver listens, for those that tell it of changes."""
    write_whole(programs.folder / "webserver.json", json.dumps([host, port]).encode())


def address(programs: Programs) -> tuple[str, int]:
    """Where the webserver listens, for a client on this machine."""
    host, port = json.loads((programs.folder / "webserver.json").read_text())
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return anywhere.get(host, host), int(port)


def tell_others(programs: Programs) -> None:
    """Wait until the daemon has read the file again, then let the webserver do so: nobody launches
    there what the daemon would not find. Raises `ServingProblem` if one of them does not."""
    if not wait_until_heard(programs.workspace, _HEARS):
        raise ServingProblem(
            f"the daemon does not read its workspace (log: {programs.logs}/daemon.log)"
        )
    host, port = address(programs)
    shown = f"[{host}]" if ":" in host else host
    asked = Request(
        f"http://{shown}:{port}/graphql",
        data=json.dumps({"query": _RELOAD}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urlopen(asked, timeout=60) as answer:
            told = json.load(answer)
    except (URLError, OSError, HTTPException, ValueError) as problem:
        raise ServingProblem(
            f"the webserver at {shown}:{port} does not answer ({problem}); it shows the new domain "
            f"when it is reloaded there, or restarted (log: {programs.logs}/webserver.log)"
        ) from problem
    if told.get("data", {}).get("reloadWorkspace", {}).get("__typename") != _RELOADED:
        raise ServingProblem(
            f"the webserver at {shown}:{port} did not reload its workspace: {told}"
        )
