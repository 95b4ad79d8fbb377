"""Phase 1, authenticate: the key in the Authorization header names its account, from memory.

No SQL, and the same answer for every way a key can be wrong. Nothing here knows the request.
"""

from gateway.base.errors import AccountSuspended, InvalidKey
from gateway.platform.keys import Key
from gateway.proxy.exchange import Exchange, Plane


def authenticate(x: Exchange) -> None:
    """Set `x.key`. Raises InvalidKey or AccountSuspended."""
    key = key_of(x.plane, x.authorization)
    if key is None:
        if not x.authorization:
            raise InvalidKey("Send your API key as `Authorization: Bearer sk-tg-...`.")
        raise InvalidKey()
    if key.account.state != "active":
        raise AccountSuspended()
    x.key = key


def key_of(plane: Plane, authorization: str) -> Key | None:
    """The live key of an Authorization header; None when missing, unknown, revoked or expired."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    key = plane.keys.find(token.strip())
    if key is None or key.revoked:
        return None
    if key.expires_us is not None and key.expires_us <= plane.clock.now_us():
        return None
    return key
