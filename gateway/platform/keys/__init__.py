"""API keys: issue, look up by digest, list, revoke."""

from gateway.platform.keys.keys import MAX_NAME, KeyRow, Keys
from gateway.platform.keys.ring import KEY_PREFIX, IssuedKey, Key, KeyRing, Recall, new_key_text
from gateway.platform.keys.scope import Scope, parse_scope

__all__ = [
    "KEY_PREFIX",
    "MAX_NAME",
    "IssuedKey",
    "Key",
    "KeyRing",
    "KeyRow",
    "Keys",
    "Recall",
    "Scope",
    "new_key_text",
    "parse_scope",
]
