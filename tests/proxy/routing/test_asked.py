"""Fallback models listed by a client: read, and taken out of the body whatever it looks like."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._native.jsonscan import scan_request
from gateway.base.errors import InvalidRequest
from gateway.proxy.routing.asked import from_body, from_header

names = st.lists(st.text(min_size=1, max_size=5), max_size=8)
others = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key not in ("models", "model")),
    st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2),
    max_size=4,
)


@given(others, names, st.booleans(), st.integers(0, 4), st.none() | st.integers(0, 3))
def test_the_body_is_the_same_without_the_member(other, listed, named, place, indent):
    members = list(other.items())
    members.insert(min(place, len(members)), ("models", listed))
    if named:
        members.append(("model", "first"))
    body = json.dumps(dict(members), indent=indent).encode()
    found, stripped = from_body(body, scan_request(body))
    expected = {key: value for key, value in members if key != "models"}
    if named or not listed:
        assert list(found) == listed
    else:
        assert list(found) == listed[1:]
        expected["model"] = listed[0]
    assert json.loads(stripped) == expected
    assert scan_request(stripped).error is None


def test_an_escaped_key_is_found_too():
    body = b'{"model":"a" , "m\\u006fdels" : ["b"] }'
    assert from_body(body, scan_request(body)) == (("b",), b'{"model":"a"  }')


@pytest.mark.parametrize("value", ['"a"', "[1]", '[""]', "{}", '["a"' + ',"a"' * 8 + "]"])
def test_anything_else_is_refused(value):
    body = b'{"models": %b}' % value.encode()
    with pytest.raises(InvalidRequest, match="models"):
        from_body(body, scan_request(body))


def test_the_header_is_a_list_of_names():
    assert from_header(b" a/b , c:1,, ") == ("a/b", "c:1")
    with pytest.raises(InvalidRequest):
        from_header(b"a," * 9)
