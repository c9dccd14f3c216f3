"""Logs tell what happened, and never quote a customer's data."""

import json
import logging
import sys
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from pydantic import TypeAdapter

from streams.logs import JsonLines, TextLines, error_text


def record(message: str, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    made = logging.LogRecord("streams.engine", logging.INFO, __file__, 1, message, None, exc_info)
    vars(made).update(extra)
    return made


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error):
        caught = sys.exc_info()[1]
        assert caught is not None
        return caught


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonLines().format(made)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_extras_are_fields_of_the_line() -> None:
    line = as_json(record("task opened", task=3, rows=1200))
    assert line["message"] == "task opened"
    assert line["level"] == "info"
    assert (line["task"], line["rows"]) == (3, 1200)
    assert line["at"].endswith("Z")


def test_text_lines_hold_the_same() -> None:
    assert TextLines().format(record("task opened", task=3)).endswith("task opened task=3")


def test_a_line_break_in_a_message_does_not_make_a_second_line() -> None:
    assert as_json(record("one\ntwo"))["message"] == "one\ntwo"


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_an_error_that_quotes_a_customer_is_named_but_not_quoted(formatter: logging.Formatter) -> None:
    with pytest.raises(ValueError, match="ana@example") as caught:
        TypeAdapter(int).validate_python("ana@example.com")
    line = formatter.format(record("batch failed", caught.value))
    assert "ValidationError" in line
    assert "ana@example" not in line
    assert "test_logs.py" in line


def test_an_error_among_a_messages_arguments_is_not_quoted_either() -> None:
    made = record("crashed: %r", None)
    made.args = (ValueError("ana@example.com"),)
    assert as_json(made)["message"] == "crashed: 'ValueError'"


def test_an_error_names_its_cause() -> None:
    error = RuntimeError("ana@example.com")
    error.__cause__ = ConnectionResetError("reset by peer")
    assert error_text(error) == "RuntimeError from ConnectionResetError: reset by peer"


def test_the_networks_and_kafkas_errors_keep_their_text() -> None:
    assert error_text(raised(ConnectionRefusedError("refused by 127.0.0.1"))).endswith("refused by 127.0.0.1")
    assert "Timed out" in error_text(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
