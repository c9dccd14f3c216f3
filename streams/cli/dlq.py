"""`pulpero dlq redrive`: send dead letters again, each to its own topic, to the partition of its right key.

Steps, as numbered in the code:
1. read the dead letters up to their present end;
2. leave out those that an earlier redrive of the same reason and source has sent: the committed offsets of the
   group `<app>-redrive/<reason>/<source>` say how far it came, and their metadata what it left behind;
3. leave behind those that the contract still refuses: they would only come back;
4. write the others and the new offsets in one transaction. A redrive that dies has done nothing.

The events keep their ids, so one that was taken meanwhile is a duplicate and changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Container
from typing import Annotated, NamedTuple, get_args

import typer
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas.dead_letter import DeadLetter, ReasonCode
from schemas.decoding import Decoder
from schemas.event import customer_key
from schemas.receipt import receipt
from schemas.rejection import Rejected
from schemas.topics import DEAD_LETTERS
from streams.cli.records import Reader
from streams.cli.terminal import fail, kafka_settings, known_touchpoints, plain, refuse
from streams.engine.partitions import partition_of
from streams.settings import Settings

SECONDS = 20.0
MAX_LEFT_BEHIND = 300
"""Offsets that fit into a committed offset's metadata (Kafka's `offset.metadata.max.bytes` is 4096)."""

Pair = tuple[str, str]
"""Reason and source; letters without a source stand under the empty one."""


class Letter(NamedTuple):
    """A dead letter and where it stands."""

    partition: int
    offset: int
    letter: DeadLetter


class Remedy(NamedTuple):
    """A record to be written."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    redriven_from: bytes
    receipt: tuple[str, bytes]


def register(app: typer.Typer) -> None:
    """Add the commands `dlq …`."""
    dlq = typer.Typer(help="Dead letters.", no_args_is_help=True)
    dlq.callback()(_dlq)
    dlq.command()(redrive)
    app.add_typer(dlq, name="dlq")


def redrive(
    reason: Annotated[str, typer.Option(help="Only letters of this reason.", show_default=False)],
    source: Annotated[
        str | None, typer.Option(help="Only letters of this source.", show_default="all sources")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
) -> None:
    """Send dead letters again. What was sent once is not sent a second time."""
    if reason not in get_args(ReasonCode):
        refuse(f"{reason}: no such reason; one of {', '.join(get_args(ReasonCode))}")
    if reason == "late":
        refuse(
            "late: these would come back: an event later than its touchpoint allows stays so when sent again"
        )
    settings = kafka_settings()
    letters = _read(settings, reason, source)
    unsent = {pair: _unsent(settings, pair, found) for pair, found in letters.items()}
    remedies, refused = _mend(settings, [each for found in unsent.values() for each in found])
    if not dry_run:
        progress = {pair: _progress(found, refused) for pair, found in letters.items()}
        _write(settings, remedies, progress)
    found = sum(map(len, letters.values()))
    before = found - len(remedies) - len(refused)
    verb = "would be sent" if dry_run else "sent"
    plain().print(f"{found} dead letters, {before} sent before, {len(remedies)} {verb}")
    for why, count in sorted(Counter(refused.values()).items()):
        plain().print(f"{count} left behind: {why}")


def _dlq() -> None:
    """Dead letters."""


def _read(settings: Settings, reason: str, source: str | None) -> dict[Pair, list[Letter]]:
    """Step 1."""
    letters: defaultdict[Pair, list[Letter]] = defaultdict(list)
    with Reader(settings.bootstrap) as reader:
        for record in reader.to_end(DEAD_LETTERS):
            if record.headers.get("reason", reason.encode()) != reason.encode() or record.value is None:
                continue
            letter = DeadLetter.from_json(record.value)
            if letter.reason == reason and source in (None, letter.source):
                pair = (letter.reason, letter.source or "")
                letters[pair].append(Letter(record.partition, record.offset, letter))
    return letters


def _unsent(settings: Settings, pair: Pair, letters: list[Letter]) -> list[Letter]:
    """Step 2."""
    consumer = _member(settings, pair)
    partitions = sorted({each.partition for each in letters})
    try:
        committed = consumer.committed([TopicPartition(DEAD_LETTERS, n) for n in partitions], SECONDS)
    except KafkaException as error:
        fail(f"Kafka at {settings.bootstrap}: {error.args[0].str()}")
    finally:
        consumer.close()
    passed = {each.partition: each.offset for each in committed}
    behind = {(each.partition, int(offset)) for each in committed for offset in (each.metadata or "").split()}
    return [
        each
        for each in letters
        if each.offset >= passed[each.partition] or (each.partition, each.offset) in behind
    ]


def _mend(settings: Settings, letters: list[Letter]) -> tuple[list[Remedy], dict[Letter, str]]:
    """Step 3: what can be sent, and why the others cannot."""
    decoders = {each.topic: Decoder(each, settings.max_record_bytes) for each in known_touchpoints(settings)}
    remedies: list[Remedy] = []
    refused: dict[Letter, str] = {}
    for each in letters:
        letter = each.letter
        topic = letter.origin.topic
        if topic not in decoders:
            refused[each] = f"{topic} is no touchpoint of this deployment"
            continue
        event = decoders[topic].read(letter.value)
        if isinstance(event, Rejected):
            refused[each] = f"still {event.reason}"
            continue
        key = (customer_key(event) or "").encode()
        number = partition_of(key, settings.partitions)
        origin = f"{DEAD_LETTERS}/{each.partition}/{each.offset}".encode()
        first = receipt(letter.origin.appended_at)
        remedies.append(Remedy(topic, number, key, letter.value or b"", origin, first))
    return remedies, refused


def _progress(letters: list[Letter], refused: Container[Letter]) -> list[TopicPartition]:
    """The next offsets of a pair's partitions, each with the offsets left behind as its metadata."""
    progress = []
    for number in sorted({each.partition for each in letters}):
        offsets = sorted(each.offset for each in letters if each.partition == number)
        behind = sorted(each.offset for each in letters if each.partition == number and each in refused)
        beyond = behind[MAX_LEFT_BEHIND:]
        following = beyond[0] if beyond else offsets[-1] + 1
        metadata = " ".join(map(str, behind[:MAX_LEFT_BEHIND]))
        progress.append(TopicPartition(DEAD_LETTERS, number, following, metadata))
    return progress


def _write(settings: Settings, remedies: list[Remedy], progress: dict[Pair, list[TopicPartition]]) -> None:
    """Step 4."""
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "transactional.id": f"{settings.app_id}-redrive",
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
        }
    )
    try:
        producer.init_transactions(SECONDS)
        producer.begin_transaction()
        for topic, partition, key, value, origin, first in remedies:
            headers: list[tuple[str, str | bytes | None]] = [("redriven_from", origin), first]
            producer.produce(topic, value=value, key=key, partition=partition, headers=headers)
        for pair, offsets in progress.items():
            member = _member(settings, pair)
            producer.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), SECONDS)
            member.close()
        producer.commit_transaction(SECONDS)
    except KafkaException as error:
        fail(f"nothing was sent: Kafka at {settings.bootstrap}: {error.args[0].str()}")


def _member(settings: Settings, pair: Pair) -> Consumer:
    """A consumer that only knows its group's offsets; it never joins."""
    group = f"{settings.app_id}-redrive/{pair[0]}/{pair[1]}"
    return Consumer({"bootstrap.servers": settings.bootstrap, "group.id": group, "log_level": 0})
