"""Where a request really came from: the connection's peer, or what a trusted proxy says of it.

`X-Forwarded-For` is believed only from the operator's own proxies (`server.trusted_proxies`) and
read from the right: the last address that is not such a proxy's is the client's; what stands left
of it is the client's own word. An IPv6 client is its /64, because that is what one customer is
given (RFC 6177). An address that names nobody in particular (a proxy that is not named, a Unix
socket) is empty, and nothing is counted by it. A network is wider than a client: an IPv4 /24, the
smallest part that is routed on the Internet by itself, and an IPv6 /48, the most that one site is
given (RFC 6177), so that a new lease, a pool of translated addresses or another desk is no other.
"""

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_HOPS = 32
V4_OCTETS, V6_OCTETS = 3, 6  # of a network: /24, /48


def parse_networks(setting: str) -> tuple[Network, ...]:
    """Comma-separated addresses or networks. Raises ValueError for what is neither."""
    return tuple(
        ipaddress.ip_network(part.strip(), strict=False)
        for part in setting.split(",")
        if part.strip()
    )


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client's address as it is counted; `forwarded` are the header's lines, as they came."""
    address = _origin(peer, forwarded, trusted)
    if address is None or address.is_loopback or _is_in(address, trusted):
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def exact_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client's whole address, loopback too, for keys that are bound to some; empty: unknown."""
    address = _origin(peer, forwarded, trusted)
    return "" if address is None else str(address)


def client_network(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> bytes:
    """The first octets of the client's address; empty: unknown, or not of the Internet."""
    address = _origin(peer, forwarded, trusted)
    if address is None or _is_in(address, trusted) or _is_in(address, _INSIDE):
        return b""
    return address.packed[: V4_OCTETS if address.version == 4 else V6_OCTETS]


def _origin(
    peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]
) -> Address | None:
    address = _parse(peer or "")
    if address is not None and _is_in(address, trusted):
        hops = [hop for line in forwarded for hop in line.split(",")][-MAX_HOPS:]
        for hop in reversed(hops):
            address = _parse(hop.strip())
            if address is None or not _is_in(address, trusted):
                break
    return address


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


# This host, private and shared networks, one link: RFC 1122, 1918, 3927, 4193, 4291, 6598.
_INSIDE = parse_networks(
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12,"
    "192.168.0.0/16, ::/127, fc00::/7, fe80::/10"
)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
