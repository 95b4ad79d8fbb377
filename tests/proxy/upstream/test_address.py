"""Every spelling of a private address must be recognised as private."""

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import UpstreamUnreachable
from gateway.proxy.upstream.address import is_public, resolve

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1"),
    *("127.8.8.8", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
    *("192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fd12::1", "fe80::1"),
    *("fe80::1%eth0", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::"),
    *("2001:0:0:0:0:0:80ff:fffe", "100::1", "100:0:0:1::1", "fec0::1", "5f00::1", "3fff::1"),
    *("2001:20::1", "2001:2::1", "4000::1", "::ffff:0:127.0.0.1", "::ffff:0:a00:1", "::8.8.8.8"),
    *("2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:7f00:1", "2001:0:808:808::f7f7:f7f7"),
    *("168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "192.88.99.1"),
    *("not-an-address", "", "1.2.3", "0x7f.1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    *("2606:4700::5efe:8.8.8.8", "2a00:1450:4001:800::200e", "2400:cb00::1"),
]

# What a person may write as a host; the resolver turns some of them into addresses.
HOSTS = [
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001"),
    *("0", "0.0.0.0", "localhost", "LOCALHOST", "127.000.000.001", "::1", "::ffff:127.0.0.1"),
    *("0x7f.1", "10.1", "192.168.257", "169.254.43518", "0xa9fea9fe", "2852039166", "::"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_recognised(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_embedding_an_address_hides_nothing(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    plain = is_public(str(address))
    for disguise in (
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x0064FF9B << 96) | number)),
    ):
        assert not is_public(disguise) or plain


@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_of_a_private_host_resolves(host: str) -> None:
    with pytest.raises(UpstreamUnreachable):
        await resolve(asyncio.get_running_loop(), host, 80, allow_private=False)


async def test_the_operator_may_allow_private_addresses() -> None:
    found = await resolve(asyncio.get_running_loop(), "127.0.0.1", 80, allow_private=True)
    assert found[0][1] == ("127.0.0.1", 80)
