import pytest

from schemas.receipt import receipt, received_at


def test_a_redriven_record_keeps_its_first_receipt() -> None:
    assert received_at([("other", b"1"), receipt(1_000)], 9_000) == 1_000


@pytest.mark.parametrize("value", [b"", b"soon", b"-5", b"9" * 30, "٣".encode()])
def test_a_header_that_is_no_moment_is_passed_over(value: bytes) -> None:
    assert received_at([("pulpero-received-at", value)], 9_000) == 9_000


def test_a_header_without_a_value_is_passed_over() -> None:
    assert received_at([("pulpero-received-at", None)], 9_000) == 9_000


def test_nothing_is_received_after_it_was_appended() -> None:
    assert received_at([receipt(10_000)], 9_000) == 9_000
