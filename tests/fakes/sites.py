"""Other sites that know who people are: Google's and GitHub's forms on a real socket."""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from gateway.web.oauth import KNOWN, Provider

CLIENT = {"oauth_google_id": "client-1", "oauth_google_secret": "secret-1"}
CLIENT |= {"oauth_github_id": "client-1", "oauth_github_secret": "secret-1"}
ACCESS = "access-token-canary"


class FakeSites:
    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
        self.claims: dict[str, Any] = {}
        self.user: dict[str, Any] = {"id": 42, "login": "ann", "name": "Ann"}
        self.emails: list[dict[str, Any]] = [
            {"email": "ann@example.com", "primary": True, "verified": True}
        ]
        self.sign_with: RSAKey | None = None
        self.fail = ""
        self.asked: list[tuple[str, str]] = []
        self._grants: dict[str, dict[str, str]] = {}

    async def start(self) -> "FakeSites":
        app = web.Application()
        app.add_routes(
            [
                web.post("/token", self._token),
                web.get("/certs", self._certs),
                web.get("/user", self._user),
                web.get("/emails", self._emails),
            ]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    def known(self) -> dict[str, Provider]:
        """Both sites with this server's endpoints."""
        return {
            "google": KNOWN["google"]._replace(
                token_url=f"{self.url}/token", keys_url=f"{self.url}/certs"
            ),
            "github": KNOWN["github"]._replace(
                token_url=f"{self.url}/token",
                user_url=f"{self.url}/user",
                emails_url=f"{self.url}/emails",
            ),
        }

    def approve(self, authorize_url: str) -> str:
        """The query a person comes back with after saying yes."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(authorize_url).query).items()}
        code = f"code-{len(self._grants)}"
        self._grants[code] = asked
        return f"code={code}&state={asked['state']}"

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self._grants.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = (
            asked is not None
            and proof == asked["code_challenge"]
            and form["redirect_uri"] == asked["redirect_uri"]
            and (form["client_id"], form["client_secret"]) == ("client-1", "secret-1")
        )
        if not right or asked is None or self.fail == "token":
            return web.json_response({"error": "invalid_grant"}, status=400)
        if self.fail == "garbage":
            return web.Response(body=b"x" * 300_000)
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": "client-1",
            "sub": "g-42",
            "iat": now,
            "exp": now + 600,
            "nonce": asked.get("nonce", ""),
            "email": "ann@example.com",
            "email_verified": True,
            "name": "Ann",
        }
        claims |= self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.sign_with or self.key
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)
        return web.json_response({"access_token": ACCESS, "id_token": token})

    async def _certs(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def _user(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.headers["Authorization"]))
        return web.json_response(self.user)

    async def _emails(self, request: web.Request) -> web.Response:
        return web.json_response(self.emails)
