"""Logs of the process's life: one line an event, as text or JSON, without customers' data.

What varies goes into `extra`, by name: `log.info("task opened", extra={"task": 3, "rows": 1200})`. Never
put a key, an identifier or a record's value there. The text of an exception can quote what it choked on, so
only the texts of the network's and Kafka's errors are written; of others the type and the lines of code.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from time import monotonic
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CHATTY = ("aiokafka", "faust", "mode")
REPEAT_SECONDS = 30.0
_SPEAKING = ("aiokafka", "confluent_kafka", "cimpl", "streams")


def configure(as_json: bool, level: int = logging.INFO) -> None:
    """Send the process's logs to stderr; for the worker's and the projector's entry points."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class Sparing(logging.Filter):
    """Lets what a library says again and again pass once in a while: a silent broker is one line, not a flood."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a library's message that passed less than REPEAT_SECONDS ago."""
        if record.name.split(".")[0] not in _CHATTY:
            return True
        said = (record.name, str(record.msg))
        if record.created - self._passed.get(said, 0.0) < REPEAT_SECONDS:
            return False
        self._passed[said] = record.created
        return True


class Seldom:
    """True at the first call, and then once in REPEAT_SECONDS: whether to say again what lasts."""

    def __init__(self) -> None:
        self._said_at: float | None = None

    def __call__(self) -> bool:
        """Whether it is time to say it."""
        now = monotonic()
        if self._said_at is not None and now - self._said_at < REPEAT_SECONDS:
            return False
        self._said_at = now
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, the extras, and the error if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_extras(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = error_text(record.exc_info[1])
            line["frames"] = _frames(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """The same for people: time, level, message, then name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and one more for each line of code of an error."""
        extras = "".join(f" {name}={value}" for name, value in _extras(record).items())
        line = f"{_moment(record)} {record.levelname:<7} {_message(record)}{extras}"
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line = "\n    ".join([f"{line} error={error_text(error)}", *_frames(error)])
        return line


def error_text(error: BaseException) -> str:
    """The error's type and those of its causes, with the text where that cannot quote a customer's data."""
    kind = type(error)
    text = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if isinstance(error, OSError) or kind.__module__.split(".")[0] in _SPEAKING:
        text = f"{text}: {error}"
    return text if error.__cause__ is None else f"{text} from {error_text(error.__cause__)}"


def _message(record: logging.LogRecord) -> str:
    """The message; an error among its arguments is told like any other error."""
    if not isinstance(record.args, tuple) or not any(isinstance(each, BaseException) for each in record.args):
        return record.getMessage()
    told = (error_text(each) if isinstance(each, BaseException) else each for each in record.args)
    return str(record.msg) % tuple(told)


def _frames(error: BaseException) -> list[str]:
    return [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(error.__traceback__)]


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _moment(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
