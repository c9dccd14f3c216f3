"""Identifiers of a row in the form of keys."""

from schemas.customer import Customer, Identity
from streams.serving.layout import Layout, identifiers


def test_every_identifier_has_the_prefix_of_its_kind_and_the_own_key_is_left_out() -> None:
    identity = Identity("42", "77", "e" * 64, "f" * 64, "phone", ["x", "y"])
    assert identifiers(Customer(key="c:42", identity=identity)) == {
        "l:77",
        f"e:{'e' * 64}",
        f"t:{'f' * 64}",
        "d:phone",
        "a:x",
        "a:y",
    }
    assert "c:42" in identifiers(Customer(key="l:77", identity=identity))


def test_the_patterns_cover_all_keys_but_the_progress() -> None:
    names = Layout("shop")
    found = {names.row("c:1"), names.decisions("c:1"), names.pointer("a:1"), names.progress}
    covered = {each for each in found for pattern in names.patterns if each.startswith(pattern.rstrip("*"))}
    assert covered == found - {names.progress}
