"""Signatures in Gemini's `thoughtSignature`, whose type is bytes: base64, in either alphabet.

Gemini's own stand there as they came. Another family's mark (see `dialects.signatures`) is put into
base64, so that the official SDKs, which decode and encode the field, bring it back whole.
"""

import base64
import binascii

from gateway.proxy.dialects.neutral import Family
from gateway.proxy.dialects.signatures import unwrap, wrap

MARKED = base64.b64encode(b"tallygate").decode()  # nine bytes: ends on a boundary of base64


def carried(signature: str, family: Family | None, *, redacted: bool = False) -> str:
    """A signature as `thoughtSignature`."""
    value = wrap(signature, family, "gemini", redacted=redacted)
    if value is signature:
        return value
    return base64.b64encode(value.encode()).decode()


def read_signature(value: str) -> tuple[str, Family, bool]:
    """The signature, its family and whether it was marked redacted."""
    if value.startswith(MARKED):
        plain = value.replace("-", "+").replace("_", "/")
        try:
            text = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return value, "gemini", False
        signature, family, redacted = unwrap(text, "gemini")
        if signature != text:
            return signature, family, redacted
    return value, "gemini", False
