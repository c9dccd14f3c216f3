"""The peers' job: what every system does with each event, whatever moves the events and keeps the rows.

JSON → validated event → the customer's row → 8 features → prediction; each fifth event of a customer is learned.
Imports only what the peers' environment has. `KafkaStreamsPeer.java` is the same in Java.
"""

import json
import sys
import time
from typing import Any, Literal

import pydantic
from river import linear_model, preprocessing

LEARN_EACH = 5

Row = list[float]
"""A customer: events, time of the last one in s, money spent."""


class Properties(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    product_id: str
    price: float = pydantic.Field(ge=0)
    quantity: int = pydantic.Field(ge=1)


class Event(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    event_id: str
    customer_id: str
    type: Literal["product_viewed", "product_added", "order_completed"]
    time: float
    session_id: str
    properties: Properties


read_event = Event.__pydantic_validator__.validate_json


class Job:
    """Does the work and keeps the time: from the first event read until `report`.

    That is to be called when the rows and the changelog are written: who puts off the writing has not done the job.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._model: Any = preprocessing.StandardScaler() | linear_model.LogisticRegression()
        self._taken = self._learned = 0
        self._predicted = self._began = self._cpu = 0.0

    def read(self, value: bytes | str) -> Event:
        """The event of a record. Raises pydantic.ValidationError."""
        if not self._began:
            self._began, self._cpu = time.perf_counter(), time.process_time()
        event: Event = read_event(value)
        return event

    def take(self, row: Row | None, event: Event) -> Row:
        """The customer's row after this event; it may be the one given."""
        if row is None:
            row = [0, event.time, 0.0]
        row[0] += 1
        properties = event.properties
        value = properties.price * properties.quantity
        features = {
            "events": row[0],
            "gap": event.time - row[1],
            "price": properties.price,
            "quantity": properties.quantity,
            "value": value,
            "spent": row[2],
            "spent_by_event": row[2] / row[0],
            "adds": event.type == "product_added",
        }
        self._predicted += self._model.predict_proba_one(features)[True]
        buys = event.type == "order_completed"
        if row[0] % LEARN_EACH == 0:
            self._learned += 1
            self._model.learn_one(features, buys)
        row[1] = event.time
        if buys:
            row[2] += value
        self._taken += 1
        return row

    @property
    def is_done(self) -> bool:
        """All events are taken."""
        return self._taken >= self._count

    def report(self) -> None:
        """Print one line of JSON for the bench."""
        found = {
            "events": self._taken,
            "seconds": time.perf_counter() - self._began,
            "cpu_s": time.process_time() - self._cpu,
            "learned": self._learned,
            "predicted": self._predicted,
        }
        out = sys.__stdout__  # Faust's worker takes sys.stdout for its log
        assert out is not None, "the bench reads this process's output"
        out.write(json.dumps(found) + "\n")
        out.flush()
