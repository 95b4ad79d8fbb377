"""What a Host header may be: RFC 9110 section 7.2, and the operator's list; our own address.

A Host such as `h/path`, `user@h`, `a, b` or an empty one is refused before anything routes on it.
A target may name its host itself (absolute-form, RFC 9112 section 3.2.2); that one then counts.
"""

import re
from functools import lru_cache

_HOST = re.compile(
    rb"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?"
)

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(/?[^#]*)")


@lru_cache(maxsize=64)  # who calls names the same one every time
def host_is_allowed(host: bytes, allowed: frozenset[str]) -> bool:
    """Whether a Host header is one plain name or address; with a list, one of that list."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    return not allowed or match["name"].decode("ascii").lower() in allowed


def split_absolute(target: bytes) -> tuple[bytes, bytes] | None:
    """Host and origin-form of a target in absolute-form; None for any other target."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None
    rest = match[2]
    return match[1], rest if rest.startswith(b"/") else b"/" + rest


def parse_allowed(setting: str) -> frozenset[str]:
    """The setting `server.allowed_hosts`: comma-separated names; empty means any."""
    return frozenset(name.strip().lower() for name in setting.split(",") if name.strip())


def base_url(host: str, port: int) -> str:
    """The address to type into a browser on this machine."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104
    local = everywhere.get(host, host)
    if ":" in local and not local.startswith("["):
        local = f"[{local}]"
    return f"http://{local}:{port}"
