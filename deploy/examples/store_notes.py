"""A shop's own agents, whole: notes for the store's staff, a JSON line each, in the file that STORE_NOTES names.

    export PYTHONPATH=deploy/examples STORE_NOTES=/var/lib/shop/notes.jsonl
    export PULPERO_TOUCHPOINTS='["store_visits"]' PULPERO_AGENTS='["store_notes"]'
    pulpero worker

The agents see what this worker has committed, after the commit and in memory: a note can be lost when the worker
dies. Who must miss nothing reads the topics instead. An agent that is slow holds its worker back.
"""

import os
from pathlib import Path
from typing import Any

import orjson

from schemas.action import Action
from schemas.customer import Customer
from store_visits import VisitStarted


def register(app: Any) -> None:
    """Attach the agents to the app; the worker calls this once at its start."""
    notes = Path(os.environ["STORE_NOTES"])

    @app.agent(app.committed_events, name="visits")  # type: ignore[untyped-decorator]
    async def visits(arrivals: Any) -> None:
        """Who came in, and how well we know them: `app.customers` has the rows of this worker as last committed."""
        async for arrival in arrivals:
            row = app.customers.get(arrival.key.decode())
            if isinstance(arrival.event, VisitStarted) and row is not None:
                _write(notes, visit_note(arrival.event, row))

    @app.agent(app.committed_actions, name="errands")  # type: ignore[untyped-decorator]
    async def errands(messages: Any) -> None:
        """What is being said to customers, and what is called back."""
        async for message in messages:
            said = (
                message.reason_internal.en if isinstance(message, Action) else f"forget it: {message.reason}"
            )
            _write(notes, {"note": "action", "customer": message.customer_key, "what": said})

    @app.agent(app.committed_decisions, name="silences")  # type: ignore[untyped-decorator]
    async def silences(decisions: Any) -> None:
        """What was left unsaid, and why."""
        async for decision in decisions:
            if decision.outcome != "fired":
                _write(
                    notes,
                    {"note": "silence", "customer": decision.customer_key, "what": decision.reason_code},
                )


def visit_note(event: VisitStarted, row: Customer) -> dict[str, Any]:
    """The note on a customer who came in."""
    return {
        "note": "visit",
        "customer": row.key,
        "store": event.store_id,
        "orders": row.purchases.count,
        "spent": row.purchases.value,
        "last_viewed": [each.name or each.product_id for each in row.viewed[-3:]],
    }


def _write(notes: Path, note: dict[str, Any]) -> None:
    with notes.open("ab") as file:
        file.write(orjson.dumps(note) + b"\n")
