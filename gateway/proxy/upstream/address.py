"""Which network addresses a provider may be reached at: the deny list and name resolution.

A provider's name is resolved here and every address checked before it is dialled, so a name that
turns to a private address between two look-ups (DNS rebinding) connects nowhere. The operator may
allow private addresses by provider. Of IPv6 only what IANA has given out as global unicast is
public, and what stands for a public IPv4 address. Sources: RFC 6890 and its registries (through
`ipaddress`, whose own list is older than RFC 9602 and RFC 9637), RFC 6052 (NAT64), RFC 4291
(IPv4-mapped, site-local), RFC 2765 (IPv4-translated), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214
(ISATAP).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from gateway.base.errors import UpstreamUnreachable

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Inside it: benchmarks and identifiers that are no addresses, and documentation.
_NOT_ROUTED = tuple(map(ipaddress.ip_network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_ISATAP = (0x00005EFE, 0x02005EFE)  # the first half of an interface's identifier
# Azure's host answers its virtual machines at this address, which looks like any other.
_HOSTS = frozenset((ipaddress.ip_address("168.63.129.16"),))
_RELAYS = ipaddress.ip_network("192.88.99.0/24")  # of 6to4, RFC 7526
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
        low = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return is_public(str(low))
        if ip not in _GLOBAL_UNICAST or any(ip in network for network in _NOT_ROUTED):
            return False
        if ip.sixtofour is not None and not is_public(str(ip.sixtofour)):
            return False
        if int(ip) >> 32 & 0xFFFFFFFF in _ISATAP and not is_public(str(low)):
            return False
    elif ip in _HOSTS or ip in _RELAYS:
        return False
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
