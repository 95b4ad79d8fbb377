"""The playground: a page that speaks to our own `/v1` as any client does.

It gets a short-lived key of its session (`platform.keys.short`), so what it asks is limited, held,
charged and logged like everything else. Conversations never pass through here: they stay in the
browser's storage.
"""

from typing import Any

from aiohttp import web

from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.assembly import Platform
from gateway.platform.catalog import Model
from gateway.platform.keys.short import PLAYGROUND_NO
from gateway.web.console.meanings import MEANINGS
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import desk, trial_model
from gateway.web.guard import SESSION, Guard, profile_of


class PlaygroundPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/console/playground", OWN_READ, self.page),
            guard.post("/console/playground/key", OWN_WRITE, self.key),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """The page; the model may stand in the address."""
        platform = self._platform
        models = platform.catalog.snapshot.models
        wished = (request.query.get("model", ""), profile_of(request).default_model)
        chosen = next((name for name in wished if name in models), trial_model(platform))
        return self._pages.render(
            request,
            "console/playground.html",
            models=[_offer(model) for model in models.values() if _chats(model)],
            chosen=chosen,
            errors=MEANINGS,
        )

    async def key(self, request: web.Request) -> web.Response:
        """A short-lived key for this session, as JSON: the only answer that holds one."""
        at, session, platform = desk(request), request[SESSION], self._platform
        if session is None:
            raise web.HTTPForbidden
        number, payer = PLAYGROUND_NO, at.account
        if at.person.holds:  # the key is refused, and its error says why
            payer = at.person
        elif at.organisation is not None:  # what a member asks is theirs, by a key of theirs
            number = await platform.organisations.playground_key(at.organisation, at.person)
        short = platform.short_keys.issue(payer, session.id, number=number)
        return web.json_response({"key": short.text, "expires_ms": short.expires_us // 1_000})


def _chats(model: Model) -> bool:
    return model.price is not None and model.price.tokens and model.max_output_tokens > 0


def _offer(model: Model) -> dict[str, Any]:
    """What the page knows of a model; prices in picousd a token, for a first estimate."""
    price = model.price
    assert price is not None
    return {
        "name": model.name,
        "max_output_tokens": model.max_output_tokens,
        "price": {
            "input": price.input,
            "cache_read": price.cache_read,
            "cache_write": price.cache_write,
            "output": price.output,
            "reasoning": price.reasoning,
            "request": price.request,
        },
    }
