"""Addresses in the catalog: base URLs of providers and proxies, checked and split.

Only what can be told from the text is checked here; where an address leads is checked when it is
dialled. Errors are a few words that follow the key's name, and never quote the URL: a proxy's may
hold a password.
"""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

MAX_URL = 2_000
_HOST = re.compile(r"[a-z0-9][a-z0-9._-]{0,252}")


class Address(NamedTuple):
    """The parts of a base URL; `host` lower case and without brackets, `path` without a slash."""

    scheme: str
    host: str
    port: int
    path: str


def split_base_url(url: str) -> Address:
    """Check and split a base URL. Raises ValueError with a few words of what is wrong."""
    parts = split_url(url, ("http", "https"))
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password; use api_key")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("must not have a query or fragment")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Address(parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"))


def split_url(url: str, schemes: tuple[str, ...]) -> SplitResult:
    """Check a URL of any of these schemes and that it names a host. Raises ValueError."""
    if (
        not url.isascii()
        or not url.isprintable()
        or " " in url
        or "\\" in url
        or len(url) > MAX_URL
    ):
        raise ValueError("must be a URL of plain ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme not in schemes:
        raise ValueError(f"must begin with {' or '.join(s + '://' for s in schemes)}")
    if not (_HOST.fullmatch(host) or (":" in host and "[" in parts.netloc)) or port == 0:
        raise ValueError("must name a host")
    return parts
