"""Signatures come back from a client as they went out, whatever dialect carried them."""

import base64
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.dialects.neutral import Family
from gateway.proxy.dialects.signatures import unwrap, wrap

FAMILIES = get_args(Family)


@given(st.binary(), st.sampled_from(FAMILIES), st.sampled_from(FAMILIES), st.booleans())
def test_a_signature_survives_a_foreign_dialect(
    raw: bytes, family: Family, own: Family, redacted: bool
) -> None:
    signature = base64.b64encode(raw).decode()
    carried = wrap(signature, family, own, redacted=redacted)
    assert unwrap(carried, own) == (signature, family, redacted and family != own)


def test_the_own_family_goes_bare() -> None:
    assert wrap("abc=", "gemini", "gemini") == "abc="
    assert wrap("abc=", "gemini", "openai") == "tallygate:gemini:abc="
    assert wrap("abc=", "anthropic", "openai", redacted=True) == "tallygate:anthropic:redacted:abc="


@pytest.mark.parametrize("value", ["tallygate:", "tallygate:other:abc", "tallygate", ""])
def test_what_is_not_our_mark_is_a_signature_of_the_dialect(value: str) -> None:
    assert unwrap(value, "openai") == (value, "openai", False)
