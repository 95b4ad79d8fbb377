"""Hostile text in every stored field, on every page there is: nothing of it becomes an element.

That nothing runs is the policy's doing as well (a nonce, no inline script); that no element comes
of it, and that the policy was never even needed, is the pages' own.
"""

import pytest

from gateway.platform.accounts.profiles import LIMITS, Profile
from gateway.platform.refusals import Refusal
from tests.fakes.gateway import EMAIL, RunningGateway
from tests.fakes.upstream import FakeUpstream
from tests.web.browser import places
from tests.web.browser.conftest import Visitor
from tests.web.browser.sessions import sign_in

RUN = "window.ran=1"
PAYLOADS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f'"><script>{RUN}</script>',
    f"'><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f'"><img src=x onerror={RUN}>',
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>",
    f'" autofocus onfocus="{RUN}" x="',
    f"' onmouseover='{RUN}' x='",
    f"javascript:{RUN}",
    f"java\tscript:{RUN}",
    f"[a](javascript:{RUN})",
    f"![a](x){{onerror={RUN}}}",
    f'<a href="javascript:{RUN}">a</a>',
    f'<iframe srcdoc="<script>{RUN}</script>">',
    f'<meta http-equiv="refresh" content="0;url=javascript:{RUN}">',
    f'<base href="//evil.example/"><link rel=stylesheet href=data:,{RUN}>',
    f'<form action="javascript:{RUN}"><button>b</button></form>',
    f"{{{{7*7}}}}${{{RUN}}}<%= 7*7 %>",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"＜script＞{RUN}＜/script＞",
    f"<style>*{{background:url(x)}}</style><b style=color:red>{RUN}</b>",
)
RAN = "() => 'ran' in window"
# Elements and attributes that no page of ours has, and every payload would make.
MADE = """() => [...document.querySelectorAll(
    'img[src="x"], iframe, math, base, [srcdoc], [onerror], [onload], [onfocus], [onmouseover], '
    + '[ontoggle], svg script, meta[http-equiv="refresh"], [href^="javascript" i], '
    + '[action^="javascript" i], script:not([nonce]), b[style], details[ontoggle]'
)].map((each) => each.outerHTML)"""


async def poison(gateway: RunningGateway, part: tuple[str, ...]) -> dict[str, str]:
    """Some payloads into each field that somebody can fill; what addresses name of them."""
    platform = gateway.gateway.platform
    me = platform.accounts.named(EMAIL)
    fields = ("display_name", "username", "phone", "company", "billing_address", "tax_id")
    fields += ("bio", "default_model")
    for number, text in enumerate(part):
        line = text.replace("\t", " ")
        said = {name: line[: LIMITS[name]] for name in fields}
        victim = await platform.accounts.create(f"poisoned{number}-{len(part[0])}@example.com")
        for account in (victim, me):
            await platform.people.profiles.change(account, Profile(**said))
            await platform.people.sessions.open(account, agent=text)
            key = await platform.keys.issue(account, line)
            await platform.ledger.grant(
                account.no, 1, reason=line, transaction_id=f"grant:{account.no}:{line}"
            )
        gateway.key = key.text
        for model in (text, f"sandbox/{text}", "sandbox/echo"):
            asked = {"model": model, "messages": [{"role": "user", "content": text}]}
            await gateway.post(asked, **{"X-Title": text, "HTTP-Referer": text})
        try:
            shared = await platform.organisations.found(victim, text)
        except Refusal:  # most of them hold what no name of one may
            shared = await platform.organisations.found(victim, f"Firm {number}")
        await platform.organisations.put(None, shared, me, "manager", None)
        await platform.organisations.issue_key(shared, me, line)
        guest = f"guest{number}@example.com"
        waiting = await platform.invitations.invite(victim, shared, guest)
        clerk = platform.accounts.named("finance@example.com")
        await platform.adjustments.request(clerk, victim, 5_000_000_000, "adjustment", line)
        await platform.people.audit.record(me.id, "administrator", "accounts.read", text, text)
    await platform.organisations.put(None, shared, me, "owner", None)  # who may do all in it
    session = (await platform.people.sessions.listing(me))[0]
    rows = await gateway.rows(3)
    mine = (await platform.keys.listing(me))[0]
    found = {"user": victim.id, "key": mine.id, "organisation": shared.id}
    found |= {"waiting": waiting.id, "session": session.id}
    return found | {"request": rows[0]["id"], "failed": rows[1]["id"]}


@pytest.mark.timeout(600)
async def test_no_stored_text_becomes_an_element(visitor: Visitor, upstream: FakeUpstream) -> None:
    gateway = visitor.gateway
    shop = await places.prepare(gateway, upstream)
    page = await visitor.open("light", 1280, token=shop.tokens[places.STAFF])
    seen = 0
    for at in range(0, len(PAYLOADS), 10):
        filled = shop.filled | await poison(gateway, PAYLOADS[at : at + 10])
        # So many sessions were opened, each with a hostile agent, that the first has given way.
        await visitor.choose(page.context, token=await sign_in(gateway))
        opened = [path for some in places.PAGES.values() for who, path in some if who == "staff"]
        for path in dict.fromkeys(opened):
            answer = await page.goto(gateway.url + path.format(**filled))
            assert answer is not None and answer.status == 200 and "/sign-in" not in page.url
            assert await page.evaluate(RAN) is False, (at, path)
            assert await page.evaluate(MADE) == [], (at, path)
            seen += RUN in await page.content()
    assert seen > 36  # it was there
    assert visitor.faults == []
