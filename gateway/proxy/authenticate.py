"""Phase 2, authenticate: the key in the Authorization header names its account, from memory.

No SQL, and the same answer for every way a key can be wrong. Nothing here knows the request.
"""

from gateway.base.errors import AccountSuspended, InvalidKey
from gateway.proxy.exchange import Exchange


def authenticate(x: Exchange) -> None:
    """Set `x.key`. Raises InvalidKey or AccountSuspended."""
    scheme, _, token = x.authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidKey("Send your API key as `Authorization: Bearer sk-tg-...`.")
    key = x.plane.keys.find(token.strip())
    if key is None or key.revoked:
        raise InvalidKey()
    if key.expires_us is not None and key.expires_us <= x.started_us:
        raise InvalidKey()
    if key.account.state != "active":
        raise AccountSuspended()
    x.key = key
