"""Assertions of the comparing module tell what they compared."""

import pytest

pytest.register_assert_rewrite("tests.faults.comparing")
