"""Which log an environment has, and that none of Kafka's is imported where it is not the one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]


def test_kafkas_client_is_not_imported_for_the_embedded_log(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shared_resources.wiring import LocalEnvironment, ProductionEnvironment\n"
        f"log = LocalEnvironment(Path({str(_ROOT)!r}), Path({str(tmp_path)!r})).log\n"
        "log.create('t', 1)\n"
        "log.writer().close()\n"
        "assert log.topics() == ('t',)\n"
        "assert 'confluent_kafka' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)
    assert (tmp_path / "log" / "log.db").exists()
