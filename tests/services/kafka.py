"""A real Kafka of our own: one node, loopback only, its own ports and data; nothing of it outlives the tests.

Run as a module it says where the server was found, or what to do (exit 1).
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import subprocess
import sys
import uuid
from pathlib import Path

from tests.services.processes import Service, ServiceFailed, free_ports, killing

LIBRARIES = Path(__file__).parents[2] / ".venv/kafka"
MEMORY = ("-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError")
SHORT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # for a tool that is gone in a second
INSTALL_JAVA = (
    "Java is missing, and the tests need it for a real Kafka. On Debian and Ubuntu: apt-get install default-jre-headless maven. "
    "Elsewhere: install Java 17 or newer and Maven, then run `make services`."
)
INSTALL_KAFKA = (
    "Kafka is missing, and the tests need a real one. `make services` fetches it; that needs Maven (on Debian and Ubuntu: apt-get "
    "install maven). Or set FOLIOHUB_KAFKA_LIBS to the folder with the jars of another Kafka, 3.9 or newer."
)
METADATA = 3


def find_libraries() -> Path:
    """The folder of the jars. Raises ServiceFailed if they or Java are missing."""
    said = os.environ.get("FOLIOHUB_KAFKA_LIBS")
    libraries = Path(said) if said else LIBRARIES
    if not shutil.which("java"):
        raise ServiceFailed(INSTALL_JAVA)
    if not any(libraries.glob("kafka_2.*.jar")):
        raise ServiceFailed(INSTALL_KAFKA)
    return libraries.resolve()


class Kafka(Service):
    """One node in `folder`, broker and controller. `kill` and `start` again keep its data and its address.

    `advertised` ("host:port") is the address that clients are sent to, where a proxy stands before the broker; what the node tells
    itself never goes that way.
    """

    name = "Kafka"

    def __init__(self, folder: Path, advertised: str = "") -> None:
        port, self._controller_port, self._internal_port = free_ports(3)
        super().__init__(folder, port, folder / "kafka.log")
        self.bootstrap = f"127.0.0.1:{port}"
        self.advertised = advertised or self.bootstrap
        self._libraries = find_libraries()
        self._settings = folder / "server.properties"

    def start(self) -> None:
        """Returns when the broker serves. Raises ServiceFailed with the end of its log if it does not."""
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        if not (self.folder / "data").exists():
            self._format()
        self._node = self._run([*self._java(MEMORY), "kafka.Kafka", str(self._settings)])
        self._guard.stand(killing(self._node.pid))
        self._wait_for_answer(str(self._libraries))

    def _java(self, options: tuple[str, ...]) -> list[str]:
        return ["java", *options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self._libraries}/*"]

    def _format(self) -> None:
        made = subprocess.run(
            [
                *self._java(SHORT),
                "kafka.tools.StorageTool",
                "format",
                "-t",
                cluster_id(),
                "-c",
                str(self._settings),
                *self._users(),
            ],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise ServiceFailed(f"Kafka could not format {self.folder}:\n{made.stdout}{made.stderr}")

    def _users(self) -> tuple[str, ...]:
        """What the tool is told of those whom the node knows by name."""
        return ()

    def _properties(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": (
                f"PLAINTEXT://127.0.0.1:{self.port},INTERNAL://127.0.0.1:{self._internal_port},"
                f"CONTROLLER://127.0.0.1:{self._controller_port}"
            ),
            "advertised.listeners": f"PLAINTEXT://{self.advertised},INTERNAL://127.0.0.1:{self._internal_port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str((self.folder / "data").resolve()),
            "auto.create.topics.enable": "false",
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "log.cleaner.dedupe.buffer.size": "16777216",
            # a broker that was killed is let in again when its old session is over
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _answers(self) -> bool:
        """Whether the broker names a broker: it listens before the controller has let it in, and serves nobody until then."""
        request = struct.pack(">hhihi", METADATA, 1, 7, -1, 0)  # version, correlation, no client name, about no topic
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                _, _, brokers = struct.unpack(">iii", connection.recv(12, socket.MSG_WAITALL))  # after length and correlation
        except (OSError, struct.error):
            return False
        return bool(brokers > 0)


def cluster_id() -> str:
    """A new one in Kafka's spelling; never with a dash in front, which its tool takes for an option."""
    return base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


if __name__ == "__main__":
    try:
        print(f"Kafka: {find_libraries()}")
    except ServiceFailed as missing:
        sys.exit(str(missing))
