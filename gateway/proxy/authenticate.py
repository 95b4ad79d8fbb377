"""Phase 1, authenticate: the key in the Authorization header names its account, from memory.

No SQL, and the same answer for every way a key can be wrong. A key that is bound to endpoints or
addresses is held to them here; to models, by `permit`, as soon as the body has named them. Where a
key is used from is counted after that, once for each connection and not for each request.
"""

from gateway.base.errors import (
    AccountSuspended,
    AgeUnproven,
    ConsentMissing,
    InvalidKey,
    KeyNotAllowed,
)
from gateway.platform.keys.ring import Key, Recall
from gateway.proxy.exchange import HOPS, Exchange, Plane


def authenticate(x: Exchange) -> None:
    """Set `x.key`. Raises InvalidKey, AccountSuspended, AgeUnproven, ConsentMissing or
    KeyNotAllowed."""
    key = key_of(x.plane, x.authorization, x.recall)
    if key is None:
        if not x.authorization:
            raise InvalidKey("Send your API key as `Authorization: Bearer sk-tg-...`.")
        raise InvalidKey()
    if key.account.state != "active":
        raise AccountSuspended()
    if key.account.holds:
        raise AgeUnproven() if "proof" in key.account.holds else ConsentMissing()
    x.key = key
    scope = key.scope
    if scope is not None:
        if not scope.admits_endpoint(x.endpoint.name):
            raise KeyNotAllowed("This API key may not be used for this endpoint.")
        if scope.networks and not scope.admits_address(x.plane.origin(x)):
            raise KeyNotAllowed("This API key may not be used from this address.")
    recall = x.recall
    if recall is None or not recall.is_placed(x.headers.get(HOPS), x.started_us):
        x.plane.place(x)


def permit(x: Exchange) -> None:
    """Hold a bound key to its models, by whatever name they are asked for. Raises KeyNotAllowed.

    A name that is not offered is left to `admit`. The model's own fallbacks are its operator's
    choice for that model; those that the request lists are asked for like the model.
    """
    scope = x.key.scope if x.key is not None else None
    if scope is None:
        return
    snapshot = x.plane.catalog.snapshot
    for name in (x.model_name, *x.fallback_names):
        model = snapshot.named(name)
        if model is None and name.startswith("sandbox/"):
            model = snapshot.named(name.partition(":")[0])
        if model is not None and not scope.admits_model(model.name):
            raise KeyNotAllowed("This API key may not be used for this model.", param="model")


def key_of(plane: Plane, authorization: str, recall: Recall | None = None) -> Key | None:
    """The live key of an Authorization header; None when missing, unknown, revoked or expired."""
    key = recall.key_of(plane.keys, authorization) if recall is not None else None
    if key is None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        key = plane.keys.find(token.strip())
        if key is None or key.revoked:
            return None
        if recall is not None:
            recall.keep(authorization, key)
    if key.expires_us is not None and key.expires_us <= plane.clock.now_us():
        return None
    return key
