"""Which network addresses a provider may be reached at: the deny list and name resolution.

A provider's name is resolved here and every address checked before it is dialled, so a name that
turns to a private address between two look-ups (DNS rebinding) connects nowhere. The operator may
allow private addresses by provider. Sources: RFC 6890 and its registries (through `ipaddress`),
RFC 6052 (NAT64), RFC 4291 (IPv4-mapped), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from gateway.base.errors import UpstreamUnreachable

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
MAX_ADDRESSES = 8


def is_public(address: str) -> bool:
    """Whether an IP address (text) is globally reachable unicast, looking through every disguise.

    An IPv6 address that embeds an IPv4 one is judged by the inner address as well.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner: list[ipaddress.IPv4Address | None] = [ip.ipv4_mapped, ip.sixtofour]
        if ip.teredo is not None:
            inner.extend(ip.teredo)
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if ip in _NAT64_LOCAL:
            return False
        if int(ip) >> 32 == 0 and int(ip) > 1:  # IPv4-compatible, deprecated by RFC 4291
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(v4 is not None and not is_public(str(v4)) for v4 in inner):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast and not ip.is_unspecified


async def resolve(
    loop: asyncio.AbstractEventLoop, host: str, port: int, *, allow_private: bool
) -> Sequence[tuple[int, tuple[str, int]]]:
    """(family, (ip, port)) to try in order; at most MAX_ADDRESSES.

    Raises UpstreamUnreachable when the name has no address, or none that may be dialled.
    """
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UpstreamUnreachable("The provider's name could not be resolved.") from None
    allowed = [
        (family, (sockaddr[0], sockaddr[1]))
        for family, _, _, _, sockaddr in found
        if isinstance(sockaddr[0], str) and (allow_private or is_public(sockaddr[0]))
    ]
    if not allowed:
        raise UpstreamUnreachable("The provider's address is not allowed.")
    return allowed[:MAX_ADDRESSES]
