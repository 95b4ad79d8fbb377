"""What differs between two states of the legal texts, and which material changes that is.

A state is the policy's numbers, a digest of each part of the texts, and the third parties that
receive data. What a part is about is the class of its change, so that no change of it can pass as a
minor one; a third party that falls away is none. Pure values: it knows no database and no page.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.base.policy import CLASSES, NUMBERS


class State(NamedTuple):
    """What the texts say: `numbers` by name, digests of `texts` by what they are about."""

    numbers: Mapping[str, int]
    texts: Mapping[str, str]
    parties: tuple[str, ...]


class Changed(NamedTuple):
    """A number that is another; None where one of the states does not have it."""

    name: str
    before: int | None
    after: int | None


class Changes(NamedTuple):
    """What is different, and the classes of material change that it is, in their order."""

    numbers: tuple[Changed, ...] = ()
    texts: tuple[str, ...] = ()
    new_parties: tuple[str, ...] = ()
    gone_parties: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return bool(self.numbers or self.texts or self.new_parties or self.gone_parties)


def changes(before: State, after: State) -> Changes:
    """The differences of two states."""
    about = {number.name: number.about for number in NUMBERS}
    numbers = tuple(
        Changed(name, before.numbers.get(name), after.numbers.get(name))
        for name in {**before.numbers, **after.numbers}
        if before.numbers.get(name) != after.numbers.get(name)
    )
    texts = tuple(
        part
        for part in {**before.texts, **after.texts}
        if before.texts.get(part) != after.texts.get(part)
    )
    new = tuple(sorted(set(after.parties) - set(before.parties)))
    gone = tuple(sorted(set(before.parties) - set(after.parties)))
    found = {about.get(each.name, "") for each in numbers} | set(texts)
    if new:
        found.add("parties")
    return Changes(numbers, texts, new, gone, ordered(found))


def ordered(classes: Iterable[str]) -> tuple[str, ...]:
    """The classes of material change among some words, in their order."""
    given = set(classes)
    return tuple(each for each in CLASSES if each in given)
