"""The store forgets what was not committed, finds every timer that is due, and is emptied a bit at a time."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.customer import Customer, pack
from schemas.event import Millis
from streams.engine.store import Store

KEYS = [b"c:1", b"c:2", b"c:3"]
FAR: Millis = 1_000

dues = st.none() | st.integers(1, 20)
steps = st.lists(
    st.tuples(
        st.sampled_from(["restore", "delete", "change", "ring", "commit", "forget"]),
        st.sampled_from(KEYS),
        dues,
    ),
    max_size=30,
)


def _packed(key: bytes, due: Millis | None) -> bytes:
    return pack(Customer(key.decode(), timers={} if due is None else {"t": due}))


def _take_all(store: Store) -> list[tuple[Millis, bytes]]:
    """Every due timer in its order, each gone when it was found."""
    found = []
    while (due := store.next_due(FAR)) is not None:
        found.append(due)
        row = store.row(due[1])
        assert row is not None
        row.timers.clear()
    return found


@given(steps)
def test_whatever_happened_before_every_committed_timer_is_due_once_and_in_order(
    taken: list[tuple[str, bytes, Millis | None]],
) -> None:
    store, committed, changed = Store(2), dict[bytes, Millis | None](), dict[bytes, Millis | None]()
    for step, key, due in taken:
        if step == "restore" and not changed:
            store.put_restored(key, _packed(key, due))
            committed[key] = due
        elif step == "delete" and not changed:
            store.put_restored(key, None)
            committed.pop(key, None)
        elif step == "change":
            row = store.row(key) or store.new_row(key)
            row.timers = {} if due is None else {"t": due}
            if due is not None:
                store.schedule(key, due)
            changed[key] = due
        elif step == "ring" and (ringing := store.next_due(FAR)) is not None:
            rung = store.row(ringing[1])
            assert rung is not None
            rung.timers.clear()
            changed[ringing[1]] = None
        elif step == "commit":
            store.show({each: _packed(each, at) for each, at in changed.items()})
            committed |= changed
            changed.clear()
        elif step == "forget":
            store.forget()
            changed.clear()
    store.forget()
    assert _take_all(store) == sorted((due, key) for key, due in committed.items() if due is not None)


def test_what_was_committed_stays_unpacked_when_a_batch_is_forgotten() -> None:
    store = Store(10)
    for key in KEYS:
        store.put_restored(key, _packed(key, None))
    kept = store.row(KEYS[0])
    store.show({})
    changed = store.row(KEYS[1])
    store.forget()
    assert store.row(KEYS[0]) is kept
    assert store.row(KEYS[1]) is not changed


def test_a_restored_record_is_newer_than_what_is_unpacked_of_its_row() -> None:
    store = Store(10)
    store.put_restored(KEYS[0], _packed(KEYS[0], 5))
    store.row(KEYS[0])
    store.show({})
    store.put_restored(KEYS[0], _packed(KEYS[0], 9))
    store.forget()
    assert store.next_due(FAR) == (9, KEYS[0])


def test_a_released_store_is_emptied_a_bit_at_a_time() -> None:
    store = Store(10)
    for number in range(25):
        key = b"c:%d" % number
        store.put_restored(key, _packed(key, number + 1))
    store.row(b"c:0")
    assert store.release(10)
    assert len(store.packed) == 15
    assert store.release(10)
    assert not store.release(10)
    assert not store.packed
    assert store.open_timers == 0


def test_a_released_store_can_be_filled_again() -> None:
    store = Store(10)
    for due in (3, 5, 4):
        store.put_restored(KEYS[0], _packed(KEYS[0], due))
    store.put_restored(KEYS[1], _packed(KEYS[1], 1))
    store.put_restored(KEYS[1], None)
    while store.release(1):
        pass
    assert store.next_due(FAR) is None
    store.put_restored(KEYS[0], _packed(KEYS[0], 7))
    assert store.next_due(FAR) == (7, KEYS[0])


@given(
    st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=8),
    st.lists(st.integers(0, 6), min_size=8, max_size=8),
)
def test_no_more_rows_stay_unpacked_than_the_store_may_keep_just_then(
    batches: list[set[int]], bounds: list[int]
) -> None:
    store, committed = Store(3), dict[bytes, bytes]()
    for touched, bound in zip(batches, bounds, strict=False):
        changed = {}
        for number in touched:
            key = f"c:{number}".encode()
            row = store.row(key) or store.new_row(key)
            row.last_seen += 1
            changed[key] = pack(row)
        store.hot_rows = bound
        store.show(changed)
        while store.cool(2):
            assert store.unpacked > bound
        committed |= changed
        assert store.unpacked <= bound
        assert store.packed == committed
