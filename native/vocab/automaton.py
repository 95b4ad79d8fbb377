"""Compile a family's pre-tokenizer pattern into the small automaton the C splitter runs.

A pattern is an ordered alternation over sets of characters, with Perl's leftmost-first meaning.
Characters that no set of the pattern tells apart fall in one class; the automaton's states are the
ordered thread lists of a backtracking-free simulation, so the table decides exactly as the regular
expression engine does. The only look-ahead is one character (`Follow`), which is why a transition
may say "a match ended before this character". Knows nothing of vocabularies or file formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

# A character as the patterns see it; `code` is -1 for the non-ASCII atoms.
Atom = tuple[str, int, bool, bool]  # (category, code, is Han script, is DeepSeek's CJK range)
Test = Callable[[Atom], bool]

MATCH = 0x80  # flag of a transition: the piece may end before the character just read
DEAD = 0x7F  # no thread survives: the piece ends at the last match
EOF = "EOF"


@dataclass(frozen=True)
class Char:
    """One character of a set."""

    test: Test


@dataclass(frozen=True)
class Follow:
    """Zero-width: the next character is in the set, or the text ends (if `at_end`)."""

    test: Test
    at_end: bool


@dataclass(frozen=True)
class Seq:
    """Parts one after another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Alt:
    """Ordered alternatives: the first that matches wins."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Star:
    """Greedy repetition, zero or more."""

    part: Node


Node = Char | Follow | Seq | Alt | Star


def seq(*parts: Node) -> Node:
    """Parts one after another."""
    return Seq(parts)


def alt(*parts: Node) -> Node:
    """The first alternative that matches."""
    return Alt(parts)


def opt(part: Node) -> Node:
    """Greedy `?`."""
    return Alt((part, Seq(())))


def plus(part: Node) -> Node:
    """Greedy `+`."""
    return Seq((part, Star(part)))


def up_to(part: Node, times: int) -> Node:
    """Greedy `{1,times}`."""
    return part if times == 1 else Seq((part, opt(up_to(part, times - 1))))


@dataclass
class Automaton:
    """Transitions by state, then class; the last class is the end of the text."""

    rows: list[list[int]]
    class_of: dict[Atom, int]


Program = list[tuple[str, object, object]]


def _emit(node: Node, program: Program) -> None:
    match node:
        case Char(test):
            program.append(("char", test, None))
        case Follow(test, at_end):
            program.append(("follow", test, at_end))
        case Seq(parts):
            for part in parts:
                _emit(part, program)
        case Alt(parts):
            exits = []
            for part in parts[:-1]:
                fork = len(program)
                program.append(("fork", fork + 1, None))
                _emit(part, program)
                exits.append(len(program))
                program.append(("jump", None, None))
                program[fork] = ("fork", fork + 1, len(program))
            _emit(parts[-1], program)
            for place in exits:
                program[place] = ("jump", len(program), None)
        case Star(part):
            fork = len(program)
            program.append(("fork", fork + 1, None))
            _emit(part, program)
            program.append(("jump", fork, None))
            program[fork] = ("fork", fork + 1, len(program))


def _classes(program: Program, atoms: Iterable[Atom]) -> dict[Atom, int]:
    tests = [arg for kind, arg, _ in program if kind in ("char", "follow")]
    numbers: dict[tuple[bool, ...], int] = {}
    return {
        atom: numbers.setdefault(tuple(bool(test(atom)) for test in tests), len(numbers))  # type: ignore[operator]
        for atom in atoms
    }


def _threads(program: Program, state: tuple[int, ...], atom: Atom | None) -> tuple[list[int], bool]:
    """Open a state before reading `atom` (None: the end): its live threads, and whether it ends."""
    live: list[int] = []
    seen: set[int] = set()
    stack = list(reversed(state))
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        kind, one, two = program[at]
        if kind == "match":
            return live, True  # every later thread has lower priority
        if kind == "jump":
            stack.append(one)  # type: ignore[arg-type]
        elif kind == "fork":
            stack += [two, one]  # type: ignore[list-item]
        elif kind == "char":
            live.append(at)
        elif two if atom is None else one(atom):  # type: ignore[operator]
            stack.append(at + 1)
    return live, False


def compile_pattern(pattern: Node, atoms: Iterable[Atom]) -> Automaton:
    """Build the table of `pattern` over `atoms`. State 0 is the start of a piece."""
    program: Program = []
    _emit(pattern, program)
    program.append(("match", None, None))
    class_of = _classes(program, atoms)
    samples: dict[int, Atom] = {}
    for atom, number in class_of.items():
        samples.setdefault(number, atom)
    states: dict[tuple[int, ...], int] = {(0,): 0}
    queue = [(0,)]
    rows = []
    for state in queue:
        row = []
        for atom in [*(samples[number] for number in range(len(samples))), None]:
            live, ends = _threads(program, state, atom)
            following = tuple(
                dict.fromkeys(at + 1 for at in live if atom is not None and program[at][1](atom))  # type: ignore[operator]
            )
            if following and following not in states:
                states[following] = len(states)
                queue.append(following)
            row.append((states[following] if following else DEAD) | (MATCH if ends else 0))
        rows.append(row)
    if len(rows) >= DEAD or len(samples) > 31:
        raise ValueError(f"automaton too large: {len(rows)} states, {len(samples)} classes")
    return Automaton(rows, class_of)
