"""What holds for all tests."""

from hypothesis import settings

# How long an example takes says what else the machine does, not whether a law holds.
settings.register_profile("pulpero", deadline=None)
settings.load_profile("pulpero")
