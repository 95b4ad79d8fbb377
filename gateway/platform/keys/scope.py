"""What a key may be used for: which models, which endpoints, from which addresses.

A scope is a value that requests are held against in memory; None is a key without bounds. An empty
part does not bound. A model's name may end in `*`, which stands for any ending. Which models and
endpoints there are is not known here: a name that is not offered simply never matches.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from gateway.platform.refusals import Refusal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_ENTRIES = 50  # of each part
_MODEL = re.compile(r"[^\s*,\"<>]{1,199}\*?|\*")
_ENDPOINT = re.compile(r"[a-z][a-z0-9_.]{0,39}")


class Scope(NamedTuple):
    """The bounds of a key. `prefixes` are the models' names that ended in `*`, without it."""

    models: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    endpoints: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def admits_model(self, name: str) -> bool:
        """Whether a model of this name may be asked for."""
        if not self.models and not self.prefixes:
            return True
        return name in self.models or name.startswith(self.prefixes)

    def admits_endpoint(self, name: str) -> bool:
        """Whether this endpoint may be used."""
        return not self.endpoints or name in self.endpoints

    def admits_address(self, address: str) -> bool:
        """Whether a request may come from this address; what is no address may not."""
        if not self.networks:
            return True
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        place = getattr(found, "ipv4_mapped", None) or found
        return any(place in network for network in self.networks)


class _Written(msgspec.Struct, omit_defaults=True):
    models: list[str] = []
    endpoints: list[str] = []
    addresses: list[str] = []


def parse_scope(
    models: Iterable[str] = (), endpoints: Iterable[str] = (), addresses: Iterable[str] = ()
) -> Scope | None:
    """A scope of what people wrote; None where nothing bounds. Raises Refusal."""
    names = _listed(models, "models")
    kinds = _listed(endpoints, "endpoints")
    for name in names:
        if not _MODEL.fullmatch(name):
            raise Refusal(f"{name[:80]!r} is not a model's name")
    for kind in kinds:
        if not _ENDPOINT.fullmatch(kind):
            raise Refusal(f"{kind[:80]!r} is not an endpoint's name")
    networks: list[Network] = []
    for text in _listed(addresses, "addresses"):
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise Refusal(f"{text[:80]!r} is not an address or network") from None
    if not names and not kinds and not networks:
        return None
    return Scope(
        frozenset(name for name in names if not name.endswith("*")),
        tuple(sorted(name[:-1] for name in names if name.endswith("*"))),
        frozenset(kinds),
        tuple(sorted(set(networks), key=str)),
    )


def _listed(texts: Iterable[str], what: str) -> Sequence[str]:
    found = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if len(found) > MAX_ENTRIES:
        raise Refusal(f"a key is bound to at most {MAX_ENTRIES} {what}")
    return found


def listed_models(scope: Scope | None) -> list[str]:
    """The models of a scope as people write them."""
    if scope is None:
        return []
    return sorted((*scope.models, *(f"{prefix}*" for prefix in scope.prefixes)))


def write_scope(scope: Scope | None) -> str | None:
    """A scope as it is stored."""
    if scope is None:
        return None
    written = _Written(
        listed_models(scope), sorted(scope.endpoints), [str(network) for network in scope.networks]
    )
    return msgspec.json.encode(written).decode()


def read_scope(text: str | None) -> Scope | None:
    """The inverse of `write_scope`."""
    if text is None:
        return None
    written = msgspec.json.decode(text, type=_Written)
    return parse_scope(written.models, written.endpoints, written.addresses)
