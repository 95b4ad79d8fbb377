"""Client addresses: a proxy's word counts, a client's does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.client_address import client_address, client_network, parse_networks

PROXY = parse_networks("10.0.0.0/8, 127.0.0.1, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, nonsense"], ""),
        ("127.0.0.1", ["nonsense, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], ""),
        ("127.0.0.1", [], ""),
        ("::1", ["203.0.113.9"], ""),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("", [], ""),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_the_last_address_no_proxy_added_is_the_clients(peer, forwarded, found):
    assert client_address(peer, forwarded, PROXY) == found


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("198.51.100.7", [], bytes((198, 51, 100))),
        ("198.51.100.250", ["203.0.113.9"], bytes((198, 51, 100))),
        ("10.1.2.3", ["203.0.113.9"], bytes((203, 0, 113))),
        ("2001:db8:1:2:3:4:5:6", [], bytes.fromhex("20010db80001")),
        ("::ffff:198.51.100.7", [], bytes((198, 51, 100))),
        ("10.1.2.3", ["10.9.9.9"], b""),
        ("192.168.1.1", ["203.0.113.9"], b""),
        ("::1", [], b""),
        ("fe80::1%eth0", [], b""),
        ("fc00::1", [], b""),
        ("100.127.0.1", [], b""),
        ("0.0.0.0", [], b""),
        ("nonsense", [], b""),
        (None, [], b""),
    ],
)
def test_a_network_is_the_beginning_of_an_address_of_the_internet(peer, forwarded, found):
    assert client_network(peer, forwarded, PROXY) == found


@given(st.text(max_size=200), st.lists(st.text(max_size=100), max_size=5))
def test_no_header_is_an_error_and_none_is_believed_from_a_stranger(peer, forwarded):
    client_address(peer, forwarded, PROXY)
    assert client_address("198.51.100.7", forwarded, PROXY) == "198.51.100.7"


def test_a_setting_that_is_no_network_is_refused():
    assert parse_networks(" ") == ()
    with pytest.raises(ValueError, match="does not appear"):
        parse_networks("10.0.0.0/8, proxy.example")
