"""Asking another site who somebody is: OAuth 2.0 authorization code with PKCE (RFC 6749, 7636).

Google answers with an ID token, whose signature, issuer, audience, time and nonce are checked
(OpenID Connect Core 3.1.3.7); GitHub with its users' API. Only a verified address and the public
profile are asked for. Tokens live in one function and are dropped there. Endpoints: Google's
discovery document (accounts.google.com/.well-known/openid-configuration) and GitHub's "Authorizing
OAuth apps".
"""

import asyncio
import logging
import secrets as tokens
from typing import Any, NamedTuple

import aiohttp
import msgspec

from gateway.base.config import Settings
from gateway.platform.accounts.identities import Person
from gateway.platform.refusals import Problem

log = logging.getLogger("tallygate.oauth")
TIMEOUT_S = 15
MAX_ANSWER_BYTES = 256 * 1024
LEEWAY_S = 60


class Provider(NamedTuple):
    """A site that can be asked. `issuers` is empty where there are no ID tokens."""

    name: str
    title: str
    scope: str
    authorize_url: str
    token_url: str
    issuers: tuple[str, ...] = ()
    keys_url: str = ""
    user_url: str = ""
    emails_url: str = ""
    client_id: str = ""
    client_secret: str = ""


class Errand(NamedTuple):
    """What must be remembered while somebody is elsewhere."""

    provider: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str


KNOWN = {
    "google": Provider(
        name="google",
        title="Google",
        scope="openid email profile",
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 (an address)
        issuers=("https://accounts.google.com", "accounts.google.com"),
        keys_url="https://www.googleapis.com/oauth2/v3/certs",
    ),
    "github": Provider(
        name="github",
        title="GitHub",
        scope="read:user user:email",
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",  # noqa: S106 (an address)
        user_url="https://api.github.com/user",
        emails_url="https://api.github.com/user/emails",
    ),
}


def title_of(name: str) -> str:
    """What a site is called; one that is known no more by its name."""
    return KNOWN[name].title if name in KNOWN else name


def configured(settings: Settings) -> dict[str, Provider]:
    """The sites whose client id and secret are set."""
    found = {}
    for name, provider in KNOWN.items():
        id, secret = settings.get(f"oauth.{name}_id"), settings.get(f"oauth.{name}_secret")
        if id and secret:
            found[name] = provider._replace(client_id=id, client_secret=secret)
    return found


def send_off(provider: Provider, redirect_uri: str) -> tuple[str, Errand]:
    """Where to send somebody, and what to remember meanwhile."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    errand = Errand(
        provider.name,
        tokens.token_urlsafe(32),
        tokens.token_urlsafe(32),
        tokens.token_urlsafe(48),  # 64 characters; RFC 7636 4.1 asks for 43 to 128
        redirect_uri,
    )
    more = {"nonce": errand.nonce} if provider.issuers else {}
    url = prepare_grant_uri(
        provider.authorize_url,
        provider.client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=provider.scope,
        state=errand.state,
        code_challenge=create_s256_code_challenge(errand.verifier),
        code_challenge_method="S256",
        **more,
    )
    return str(url), errand


async def welcome_back(provider: Provider, errand: Errand, query: str, now_s: int) -> Person:
    """Who somebody is, from the query they came back with. Raises Problem."""
    from authlib.common.errors import AuthlibBaseError
    from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response

    try:
        answer = parse_authorization_code_response(f"{errand.redirect_uri}?{query}", errand.state)
    except AuthlibBaseError:
        raise Problem("elsewhere", "refused") from None
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            granted = await _redeem(session, provider, errand, answer["code"])
            if provider.issuers:
                return await _by_id_token(session, provider, errand, granted, now_s)
            return await _by_api(session, provider, granted)
    except Problem:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError, KeyError) as error:
        # The kind only: a message may hold what was exchanged.
        kind = type(error).__name__
        log.warning("sign-in elsewhere failed", extra={"f": {"site": provider.name, "error": kind}})
        raise Problem("elsewhere", "failed") from None


async def _redeem(
    session: aiohttp.ClientSession, provider: Provider, errand: Errand, code: str
) -> dict[str, Any]:
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    body = prepare_token_request(
        "authorization_code",
        redirect_uri=errand.redirect_uri,
        code=code,
        code_verifier=errand.verifier,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    async with session.post(
        provider.token_url, data=body, headers=headers, allow_redirects=False
    ) as response:
        return dict(await _json(response))


async def _by_id_token(
    session: aiohttp.ClientSession,
    provider: Provider,
    errand: Errand,
    granted: dict[str, Any],
    now_s: int,
) -> Person:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    async with session.get(provider.keys_url, allow_redirects=False) as response:
        keys = await _json(response)
    try:
        token = jwt.decode(granted["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
        jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=LEEWAY_S,
            iss={"essential": True, "values": list(provider.issuers)},
            aud={"essential": True, "value": provider.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": errand.nonce},
        ).validate(token.claims)
    except JoseError:
        raise ValueError("the ID token does not verify") from None
    claims = token.claims
    if claims.get("email_verified") is not True:
        raise Problem("elsewhere", "unverified")
    name = str(claims.get("name") or "")
    return Person(provider.name, str(claims["sub"]), str(claims["email"]), name)


async def _by_api(
    session: aiohttp.ClientSession, provider: Provider, granted: dict[str, Any]
) -> Person:
    headers = {
        "Authorization": f"Bearer {granted['access_token']}",
        "Accept": "application/vnd.github+json",
    }
    async with session.get(provider.user_url, headers=headers, allow_redirects=False) as response:
        user = await _json(response)
    async with session.get(provider.emails_url, headers=headers, allow_redirects=False) as response:
        emails = await _json(response)
    for each in emails:
        if each.get("primary") is True and each.get("verified") is True:
            name = str(user.get("name") or "")
            return Person(provider.name, str(int(user["id"])), str(each["email"]), name)
    raise Problem("elsewhere", "unverified")


async def _json(response: aiohttp.ClientResponse) -> Any:
    """A bounded JSON answer of status 200. Raises ValueError."""
    body = await response.content.read(MAX_ANSWER_BYTES + 1)
    while len(body) <= MAX_ANSWER_BYTES and not response.content.at_eof():
        body += await response.content.read(MAX_ANSWER_BYTES + 1 - len(body))
    if response.status != 200 or len(body) > MAX_ANSWER_BYTES:
        raise ValueError("not the answer that was expected")
    return msgspec.json.decode(body)
