"""Two states of the legal texts: what differs, and that nothing material passes as minor."""

import pytest

from gateway.base.policy import CLASSES, NUMBERS
from gateway.platform.policy.changes import Changed, State, changes, ordered

BASE = State(
    {number.name: number.strict for number in NUMBERS},
    {"data": "a", "purposes": "b", "parties": "c", "retention": "d", "rights": "e"},
    ("DeepSeek", "OpenAI"),
)


def test_equal_states_change_nothing() -> None:
    found = changes(BASE, BASE)
    assert not found.any and found.classes == ()


def test_longer_retention_is_material() -> None:
    found = changes(BASE, BASE._replace(numbers={**BASE.numbers, "session_days": 30}))
    assert found.numbers == (Changed("session_days", 7, 30),)
    assert found.classes == ("retention",)


def test_a_new_third_party_is_material_and_a_gone_one_is_not() -> None:
    more = changes(BASE, BASE._replace(parties=("DeepSeek", "MiniMax", "OpenAI")))
    assert (more.new_parties, more.classes) == (("MiniMax",), ("parties",))
    fewer = changes(BASE, BASE._replace(parties=("OpenAI",)))
    assert fewer.gone_parties == ("DeepSeek",) and fewer.any and fewer.classes == ()


@pytest.mark.parametrize("part", BASE.texts)
def test_other_words_of_a_part_are_the_change_it_is_about(part: str) -> None:
    found = changes(BASE, BASE._replace(texts={**BASE.texts, part: "other"}))
    assert (found.texts, found.classes) == ((part,), (part,))


def test_a_number_that_is_new_or_gone_is_seen() -> None:
    fewer = BASE._replace(numbers={k: v for k, v in BASE.numbers.items() if k != "minimum_age"})
    assert changes(fewer, BASE).numbers == (Changed("minimum_age", None, 18),)
    assert changes(BASE, fewer).classes == ("rights",)


def test_what_a_reference_promises_to_people_is_never_minor() -> None:
    """Every number that a known policy states has a class, but those of how things are sealed."""
    without = {number.name for number in NUMBERS if number.stated and not number.about}
    assert without == {"bcrypt_cost", "encryption_bits"}
    assert ordered(["rights", "no class", "data"]) == ("data", "rights")
    assert {number.about for number in NUMBERS} <= {"", *CLASSES}
