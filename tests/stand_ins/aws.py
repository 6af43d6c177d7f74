"""S3, Glue, SQS, Lake Formation: moto's server, with two checks that make writers safe in AWS.

Lake Formation is completed in `lake_formation.py`.

moto ignores `VersionId` of Glue's UpdateTable (AWS answers ConcurrentModificationException when the
table is of another version), and tests and sets conditional S3 puts in two steps.

    python -m tests.stand_ins.aws PORT
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.stand_ins.lake_formation import complete_lake_formation
from tests.stand_ins.lifeline import end_with_parent

_updating = threading.Lock()
_storing = threading.Lock()


class ConcurrentModification(JsonRESTError):
    def __init__(self, asked: str, current: str) -> None:
        super().__init__(
            "ConcurrentModificationException",
            f"Update table failed due to concurrent modifications: {asked} is not {current}",
        )


def check_table_versions() -> None:
    """Make UpdateTable refuse a `VersionId` that is not the table's current one."""
    update = GlueResponse.update_table

    def update_table(self: GlueResponse) -> Any:
        asked = self.parameters.get("VersionId")
        with _updating:
            if asked is not None:
                database, name = (
                    self.parameters["DatabaseName"],
                    self.parameters["TableInput"]["Name"],
                )
                current = self.glue_backend.get_table(database, name).as_dict()["VersionId"]
                if asked != current:
                    raise ConcurrentModification(asked, current)
            return update(self)

    GlueResponse.update_table = update_table  # type: ignore[method-assign]


class OneConditionalPutAtATime:
    """A WSGI application that lets one conditional request in at a time."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        conditional = "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MATCH" in environ
        if conditional and environ["REQUEST_METHOD"] in ("PUT", "POST"):
            with _storing:
                return self._application(environ, start_response)
        return self._application(environ, start_response)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as AWS keeps them

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: a mesh makes tens of thousands of requests."""


def main(port: int) -> None:
    end_with_parent()
    check_table_versions()
    complete_lake_formation()
    application = OneConditionalPutAtATime(DomainDispatcherApplication(create_backend_app))
    make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=_Quiet
    ).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
