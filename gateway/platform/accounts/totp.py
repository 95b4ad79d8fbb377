"""Time-based one-time passwords: RFC 6238 over RFC 4226, SHA-1, six digits, thirty seconds.

Pure. A code is good for its step and one on either side (RFC 6238 5.2), and a step is used once:
the caller keeps the last step and hands it in.
"""

import base64
import hmac
from collections.abc import Callable
from urllib.parse import quote

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20  # RFC 4226 4, R6: as long as the hash
DRIFT_STEPS = 1


def new_secret(random: Callable[[int], bytes]) -> str:
    """A secret in base32, as authenticator apps take it."""
    return base64.b32encode(random(SECRET_BYTES)).decode("ascii")


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    """The code of a step (RFC 4226 5.3). Raises ValueError for a secret that is not base32."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: str, code: str, now_us: int, last_step: int) -> int | None:
    """The step a code belongs to, if that is near now and later than the last one used."""
    now = now_us // (STEP_S * 1_000_000)
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        same = hmac.compare_digest(code_at(secret, step).encode(), code.encode(errors="replace"))
        if same and step > last_step:
            found = step
    return found


def uri(secret: str, label: str, issuer: str) -> str:
    """What an authenticator app reads: otpauth, the Key URI Format."""
    name = quote(f"{issuer}:{label}")
    return f"otpauth://totp/{name}?secret={secret}&issuer={quote(issuer)}"
