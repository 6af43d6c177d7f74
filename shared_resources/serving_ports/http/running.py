"""The server that runs the application, in this process, until it is told to end.

Belongs here: where it listens, and what it must have to listen there.
Does not belong here: what it answers (`app.py`).
"""

from __future__ import annotations

import gc
import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path

from shared_resources.environment import Environment, EnvironmentProblem


def serve_products(
    environment: Environment,
    host: str,
    port: int,
    certificate: Path | None = None,
    private_key: Path | None = None,
    *,
    begins: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, which lets requests that have begun end; `begins` is called before.

    Raises `EnvironmentProblem` for an address beyond this machine without a certificate: tokens and rows
    would be sent for everybody to read.
    """
    if (certificate is None) != (private_key is None):
        raise EnvironmentProblem("--certificate and --private-key belong together; give both")
    if certificate is None and not _is_loopback(host):
        raise EnvironmentProblem(
            f"{host} can be reached from other machines, and tokens would be sent to it in clear: give "
            "--certificate and --private-key, or let it listen on 127.0.0.1 behind a proxy that has them"
        )
    import uvicorn

    from shared_resources.serving_ports.http.app import application
    from shared_resources.serving_ports.http.connections import BoundedConnection

    begins()
    # What was imported stays: no answer waits for the collector to go through it. The thread that renews
    # tokens and agreements gives the interpreter back to who answers after a millisecond, not five.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(0.001)
    uvicorn.run(
        application(environment),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        http=BoundedConnection,
        ws="none",
        ssl_certfile=certificate,
        ssl_keyfile=str(private_key) if private_key else None,
        timeout_graceful_shutdown=10,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
