"""The sandbox's pure parts: text in tokens, options, schema instances, vectors."""

import itertools
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._native.tokens import count
from gateway.proxy.providers.sandbox import options as table
from gateway.proxy.providers.sandbox.embeddings import vector
from gateway.proxy.providers.sandbox.options import OptionError, Options, parse_options
from gateway.proxy.providers.sandbox.schema import MAX_TOTAL_CHARS, instance
from gateway.proxy.providers.sandbox.text import (
    OPENERS,
    WORDS,
    cut_at_stop,
    lorem,
    pieces_of,
    scale,
)

ENCODING = "o200k_base"


def test_every_word_is_one_token() -> None:
    spaced = [" " + word for word in (*WORDS, *OPENERS)]
    for piece in (*spaced, *OPENERS, ",", "."):
        assert count(piece, ENCODING) == 1, piece


@given(st.integers(0, 2**31 - 1), st.integers(0, 5_000))
def test_so_many_tokens_asked_so_many_counted(seed: int, tokens: int) -> None:
    taken, spent, left = scale(ENCODING).take(lorem(seed), tokens)
    assert spent == len(taken) == count("".join(taken), ENCODING) == tokens
    assert left


def test_a_seed_is_a_text() -> None:
    texts = {"".join(itertools.islice(lorem(seed), 40)) for seed in range(50)}
    assert len(texts) == 50
    first = "".join(itertools.islice(lorem(0), 40))
    assert first == "".join(itertools.islice(lorem(0), 40))
    assert first.startswith("Lorem ipsum dolor sit amet")


@given(st.text(max_size=300))
def test_pieces_join_to_their_text(text: str) -> None:
    pieces = list(pieces_of(text))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= 16 for piece in pieces)


@given(st.text(alphabet="ab .", max_size=60), st.text(alphabet="ab .", min_size=1, max_size=3))
def test_a_stop_sequence_ends_the_text_before_it(text: str, stop: str) -> None:
    pieces, stopped = cut_at_stop(list(pieces_of(text)), (stop,))
    assert stopped == (stop in text)
    assert "".join(pieces) == text.partition(stop)[0]


# --- options -------------------------------------------------------------------------------------


def test_every_option_of_the_table_is_a_field() -> None:
    assert {option.name for option in table.TABLE} == set(Options.__struct_fields__)
    assert all(option.help.endswith((".", ").")) for option in table.TABLE)


@given(st.data())
def test_options_are_read_as_written(data: Any) -> None:
    wanted: dict[str, Any] = {}
    for option in table.TABLE:
        if data.draw(st.booleans()):
            numbers = st.integers(option.least, option.most)
            values = st.sampled_from(option.choices) if option.choices else numbers
            wanted[option.name] = data.draw(values)
    text = ",".join(f"{name}={value}" for name, value in wanted.items())
    assert msgspec.structs.asdict(parse_options("seed=1", text)) == {
        **msgspec.structs.asdict(Options(seed=1)),
        **wanted,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foo=1", "Unknown sandbox option 'foo'; there are: tokens, tps"),
        ("tokens", "The sandbox option tokens needs a value"),
        ("tokens=-1", "tokens is a whole number from 0 to 1000000"),
        ("tokens=1e3", "tokens is a whole number"),
        ("tokens=٣", "tokens is a whole number"),
        ("tps=99999999999999999999", "tps is a whole number"),
        ("error=418", "error is one of: 400, 401"),
        ("fault=boom", "fault is one of: reset, hang, cut, error"),
        ("tps=1,,tokens=2", "Unknown sandbox option ''"),
    ],
)
def test_a_wrong_option_is_explained(text: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_options(text)
    assert words in str(caught.value)


# --- schema and vectors --------------------------------------------------------------------------


def test_an_instance_fits_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 20, "maxLength": 24},
            "short": {"type": "string", "maxLength": 3},
            "age": {"type": "integer", "minimum": 18, "exclusiveMaximum": 19},
            "step": {"type": "integer", "multipleOf": 7},
            "share": {"type": "number", "maximum": 0.5},
            "on": {"type": "boolean"},
            "nothing": {"type": "null"},
            "day": {"type": "string", "format": "date"},
            "unit": {"enum": ["c", "f"]},
            "kind": {"const": "weather"},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "either": {"type": ["null", "integer"]},
            "list": {"type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 2},
            "tree": {"$ref": "#/$defs/tree"},
        },
        "$defs": {
            "point": {"properties": {"x": {"type": "number"}}},
            "tree": {
                "properties": {"left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}}
            },
        },
    }
    made = instance(schema)
    assert list(made) == list(schema["properties"])
    assert 20 <= len(made["name"]) <= 24 and len(made["short"]) == 3
    assert made["age"] == 18 and made["step"] == 7 and made["share"] == 0.5
    assert made["on"] is True and made["nothing"] is None and made["day"] == "2026-01-02"
    assert made["unit"] == "c" and made["kind"] == "weather"
    assert isinstance(made["maybe"], str) and isinstance(made["either"], int)
    assert made["list"] == [{"x": 1.5}, {"x": 1.5}]
    assert isinstance(made["tree"]["left"], dict)
    assert instance(schema) == made


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"type": "array", "minItems": 10**9, "items": {"$ref": "#"}},
        {"properties": {str(n): {"$ref": "#"} for n in range(50)}},
        {"properties": {"a": {"const": "x" * 50_000}, **{str(n): {"$ref": "#"} for n in range(9)}}},
        {"properties": {"x" * 50_000 + str(n): {"$ref": "#"} for n in range(9)}},
        {"anyOf": [{"$ref": "#"}] * 1000},
        {"type": "integer", "minimum": 1e308, "multipleOf": 1e-308},
        {"type": "object", "properties": []},
        {"$ref": "#/a/b", "a": 3},
        "nonsense",
    ],
)
def test_no_schema_makes_an_endless_answer(schema: Any) -> None:
    assert len(json.dumps(instance(schema))) < 4 * MAX_TOTAL_CHARS


KEYWORDS = (
    "type properties items anyOf allOf enum const $ref minimum maximum multipleOf "
    "minItems maxItems minLength maxLength format"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYWORDS.split()),
            inner
            | st.sampled_from(["object", "array", "string", "integer", "number", "#", "date"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_schema_gives_json(schema: Any) -> None:
    msgspec.json.encode(instance(schema))


@given(st.binary(max_size=20), st.integers(1, 4096))
def test_vectors_have_length_one(text: bytes, dimensions: int) -> None:
    values = vector(text, dimensions)
    assert len(values) == dimensions
    assert math.isclose(math.sqrt(sum(value * value for value in values)), 1, rel_tol=1e-9)
    assert values == vector(text, dimensions)
