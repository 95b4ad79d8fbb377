"""Passkeys: WebAuthn level 2 by the `webauthn` package; options out, verified answers in.

A challenge is derived from the browser's session and its purpose: it is as unguessable as the
session's id under our key, good for that session alone, and nothing need be written to ask. Pure
but for the library; who may register or sign in is the caller's to know.
"""

from typing import Any, NamedTuple

from gateway.platform.accounts.accounts import Account
from gateway.platform.accounts.sessions import Session
from gateway.platform.refusals import Problem
from gateway.store.secrets import Secrets

MAX_ANSWER = 12_000  # characters of JSON
NAME = "Tallygate"


class Site(NamedTuple):
    """The relying party: the host name people see, and the whole origin."""

    host: str
    origin: str


class Registered(NamedTuple):
    """A new passkey: its public name, its public key and its signature counter."""

    credential: bytes
    public_key: bytes
    counter: int


def challenge(secrets: Secrets, session: Session, purpose: str) -> bytes:
    """The 256-bit challenge of a session for a purpose."""
    return secrets.subject_digest("challenge", f"{purpose} {session.id}")


def registration_options(account: Account, site: Site, asked: bytes, existing: list[bytes]) -> str:
    """JSON for `navigator.credentials.create`; an authenticator gives one passkey only."""
    from webauthn import generate_registration_options, options_to_json  # loads half of X.509
    from webauthn.helpers import structs

    options = generate_registration_options(
        rp_id=site.host,
        rp_name=NAME,
        user_id=account.id.encode(),
        user_name=account.email,
        challenge=asked,
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in existing],
    )
    return options_to_json(options)


def registered(answer: str, site: Site, asked: bytes) -> Registered:
    """Check what `create` answered. Raises Problem."""
    from webauthn import verify_registration_response

    checked = _verified(
        verify_registration_response,
        credential=_bounded(answer),
        expected_challenge=asked,
        expected_rp_id=site.host,
        expected_origin=site.origin,
    )
    return Registered(checked.credential_id, checked.credential_public_key, checked.sign_count)


def assertion_options(site: Site, asked: bytes, existing: list[bytes]) -> str:
    """JSON for `navigator.credentials.get`."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers import structs

    options = generate_authentication_options(
        rp_id=site.host,
        challenge=asked,
        allow_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in existing],
    )
    return options_to_json(options)


def credential_of(answer: str) -> bytes:
    """Which passkey an answer claims to be of. Raises Problem."""
    from webauthn.helpers import parse_authentication_credential_json

    parsed = _verified(parse_authentication_credential_json, _bounded(answer))
    return bytes(parsed.raw_id)


def asserted(answer: str, site: Site, asked: bytes, public_key: bytes, counter: int) -> int:
    """Check what `get` answered; the passkey's new signature counter. Raises Problem."""
    from webauthn import verify_authentication_response

    checked = _verified(
        verify_authentication_response,
        credential=_bounded(answer),
        expected_challenge=asked,
        expected_rp_id=site.host,
        expected_origin=site.origin,
        credential_public_key=public_key,
        credential_current_sign_count=counter,
    )
    return int(checked.new_sign_count)


def _bounded(answer: str) -> str:
    if len(answer) > MAX_ANSWER:
        raise Problem("passkey", "wrong")
    return answer


def _verified(check: Any, *arguments: Any, **named: Any) -> Any:
    """Call the library: whatever it dislikes about foreign input is one problem."""
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return check(*arguments, **named)
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise Problem("passkey", "wrong") from None
