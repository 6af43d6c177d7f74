"""Kafka: the real broker, from Maven's jars, alone on loopback ports with a folder of its own.

Belongs here: starting, stopping, killing and restarting a broker; sharing one between the processes
of one test run.
Does not belong here: what is asked of it (`tests/streams/`), fetching jars (`java_jars.py`).

It listens twice: without any security, where everybody may do everything, and with SASL over TLS, where
`PERSON` may do what an ACL lets him.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from tests.stand_ins.certificates import write_certificates
from tests.stand_ins.java_jars import class_path, jars
from tests.stand_ins.servers import free_port

JARS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
PERSON, PASSWORD = "reader", "planted-kafka-password"
STARTING_SECONDS = 90
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{person}="{password}";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={folder}/broker.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs={folder}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.retention.check.interval.ms=300
log.segment.delete.delay.ms=0
offsets.topic.num.partitions=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
num.network.threads=2
num.io.threads=2
background.threads=2
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
"""


@dataclass
class Broker:
    """A broker in `folder`, which is kept over its restarts. `address` is without security. One that is
    `to_last` is run as brokers are, slower to start and faster then; the others as tests need it."""

    folder: Path
    to_last: bool = False
    port: int = field(default_factory=free_port)
    secure: int = field(default_factory=free_port)
    controller: int = field(default_factory=free_port)
    pid: int | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def secure_address(self) -> str:
        return f"127.0.0.1:{self.secure}"

    @property
    def authority(self) -> Path:
        """The certificate of who signed the broker's."""
        return self.folder / "ca.pem"

    def start(self) -> None:
        """Return when it answers. Raises `RuntimeError` with its log's end."""
        folder = jars(*JARS)
        if not (self.folder / "data").is_dir():
            self._format(folder)
        log = (self.folder / "broker.log").open("ab")
        with closing(log):
            # Not of this process's group: Ctrl-C is the tests' to handle, and they still need it.
            started = subprocess.Popen(
                self._java(folder, "kafka.Kafka", str(self.folder / "server.properties")),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._process = started
        self.pid = started.pid
        # However this process ends, what it started does, too: its end closes the pipe.
        self._watch = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; kill -9 {started.pid}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """As a service is stopped; killed when it takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.pid is None:
            return
        self._watch.kill()
        self._watch.wait()
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.pid = None

    def _format(self, folder: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_certificates(self.folder)
        properties = self.folder / "server.properties"
        known = {key: value for key, value in asdict(self).items() if key != "pid"}
        properties.write_text(_PROPERTIES.format(**known, person=PERSON, password=PASSWORD))
        arguments = ("format", "-t", "bWVzaC10ZXN0cy1rYWZrYQ", "-c", str(properties))
        done = subprocess.run(
            self._java(folder, "kafka.tools.StorageTool", *arguments),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"Kafka's folder was not formatted: {done.stdout}{done.stderr}")

    def _java(self, folder: Path, main: str, *arguments: str) -> list[str]:
        options = ["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        if self.to_last:
            options = ["-Xmx1g", "-Xms1g", "-XX:+UseG1GC"]
        options.append("-Xshare:auto")
        options.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        return ["java", *options, "-cp", class_path(folder), main, *arguments]

    def _wait_until_it_answers(self) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        quiet = {"bootstrap.servers": self.address, "log_level": 0, "reconnect.backoff.max.ms": 200}
        admin = AdminClient(quiet)
        end = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(KafkaException):
                if admin.list_topics(timeout=1).brokers:
                    return
        said = (self.folder / "broker.log").read_text(errors="replace")[-3000:]
        self.kill()
        raise RuntimeError(f"Kafka did not start on {self.address}:\n{said}")


@contextmanager
def running_kafka(*, to_last: bool = False) -> Iterator[Broker]:
    """A broker of one's own, to stop, kill and start again."""
    folder = Path(tempfile.mkdtemp(prefix="mesh-kafka-"))
    broker = Broker(folder, to_last)
    try:
        broker.start()
        yield broker
    except BaseException:
        _say(folder)
        raise
    finally:
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def shared_kafka(run: str) -> Iterator[Broker]:
    """The one broker of all processes of this test run, started by the first that asks.

    Who uses it holds a lock that ends with its process, however that ends; where nobody does any more,
    the broker stops (`_serve`).
    """
    jars(*JARS)  # here, where a test can be skipped
    folder = Path(tempfile.gettempdir()) / f"mesh-kafka-of-{run}"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "starting.lock"):
        folder.mkdir(exist_ok=True)
        users = (folder / "users").open("w")
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for one that is just stopping
        broker = _running_in(folder) or _start_in(folder)
    with users:
        yield broker


def _running_in(folder: Path) -> Broker | None:
    said = folder / "broker.json"
    if not said.exists():
        return None
    known = json.loads(said.read_text())
    return Broker(**{**known, "folder": Path(known["folder"])})


def _start_in(folder: Path) -> Broker:
    command = [sys.executable, "-m", "tests.stand_ins.kafka", str(folder)]
    root = Path(__file__).resolve().parents[2]
    with (folder / "serving.log").open("ab") as log:
        served = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end and served.poll() is None:
        if (broker := _running_in(folder)) is not None:
            return broker
        time.sleep(0.05)
    raise RuntimeError(f"Kafka did not start: {(folder / 'serving.log').read_text()[-3000:]}")


def _serve(folder: Path) -> None:
    """Run the shared broker until no process holds the users' lock."""
    broker = Broker(Path(tempfile.mkdtemp(prefix="mesh-kafka-")))
    said, part = folder / "broker.json", folder / "broker.json.part"
    try:
        broker.start()
        part.write_text(json.dumps({**asdict(broker), "folder": str(broker.folder)}))
        part.rename(said)
        with (folder / "users").open("w") as users:
            while True:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.3)
            said.unlink()
            broker.kill()
            with suppress(Timeout), FileLock(folder / "starting.lock", timeout=0):
                shutil.rmtree(folder)  # else another is coming
    finally:
        broker.kill()
        _say(broker.folder)
        shutil.rmtree(broker.folder, ignore_errors=True)


def _say(folder: Path) -> None:
    """What the broker said last, where a failed test shows it."""
    log = folder / "broker.log"
    if log.exists():
        print(log.read_text(errors="replace")[-3000:], file=sys.stderr)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
