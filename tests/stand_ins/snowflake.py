"""Snowflake: fakesnow's server, quiet. The real connector and dbt-snowflake talk to it over HTTP.

python -m tests.stand_ins.snowflake PORT
"""

from __future__ import annotations

import sys

import uvicorn
from fakesnow.server import app


def main(port: int) -> None:
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]))
