"""The ids: hashes of what is said, never of when the machine said it."""

from hashlib import blake2b

from streams.triggers.candidate import Candidate

_ID_BYTES = 16


def digest(*parts: str | int) -> str:
    """32 hex digits: BLAKE2b-128 over the parts, each led by its length (so `ab, c` is not `a, bc`)."""
    raws = [str(part).encode() for part in parts]
    return blake2b(b"".join([len(raw).to_bytes(4) + raw for raw in raws]), digest_size=_ID_BYTES).hexdigest()


def action_id(key: str, candidate: Candidate) -> str:
    """Hash of customer, trigger, business key and occurrence.

    Not of the time, nor of the policy's version: the same thing said to the same customer for the same
    reason is the same action, whatever number was changed meanwhile. A replay gives the same ids, the next
    occurrence another one.
    """
    return digest("action", key, candidate.trigger, str(candidate.business_key), candidate.occurrence)
