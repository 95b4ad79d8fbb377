"""What people do with the console, in a browser: from an account without a request to its usage."""

import pytest
from playwright.async_api import Page, expect

from gateway.platform.accounts.profiles import Profile
from tests.fakes.gateway import EMAIL
from tests.web.browser.conftest import SCREENSHOTS, Visitor
from tests.web.browser.looks import OVERFLOW, access
from tests.web.browser.newcomers import NEW

XSS = (
    "<script>window.ran=1</script>",
    '<img src=x onerror="window.ran=1">',
    '"><svg onload="document.title=\'ran\'">',
    "javascript:window.ran=1",
    '{{7*7}}</textarea><b onmouseover="window.ran=1">',
)
RAN = "() => 'ran' in window"
ANSWER = (
    '**bold** <script>window.ran=1</script><img src=x onerror="window.ran=1">'
    ' [a](javascript:document.title=\'ran\') <a href="https://a.example" style="color:red">b</a>'
    " <form action=/x><input></form> | a | b |"
)


async def ask(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Message").fill(text)
    await page.keyboard.press("Enter")
    await expect(page.locator("#send")).to_be_visible(timeout=20_000)
    await expect(page.locator("#live")).to_contain_text("complete")


async def test_from_a_key_to_a_streamed_answer_to_log_and_usage(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    url = visitor.gateway.url
    await page.goto(url + "/console/keys/new")
    await page.get_by_label("Name").fill("browser")
    await page.get_by_text("Bind it to models").click()
    await page.get_by_label("Models").fill("sandbox/*")
    await page.get_by_role("button", name="Create the key").click()
    secret = await page.locator(".secret code").inner_text()
    assert (
        secret.startswith("sk-tg-") and secret in await page.locator(".tabs pre").first.inner_text()
    )
    await page.goto(url + "/console/playground?model=sandbox/echo")
    await ask(page, "Say this")
    await expect(page.locator(".answer .said")).to_contain_text("Say this")
    line = await page.locator(".facts-line").inner_text()
    assert "tokens in" in line and "first token after" in line and "$" in line
    await page.get_by_label("Beside it").select_option("sandbox/lorem")
    await page.get_by_text("More parameters").click()
    await page.get_by_label("Longest answer").fill("12")
    await page.get_by_label("API").select_option("messages")
    await ask(page, "Twice")
    await expect(page.locator(".turn.answers").last.locator(".answer")).to_have_count(2)
    await page.screenshot(path=SCREENSHOTS / "flow-playground.png", full_page=True)
    await page.get_by_role("button", name="Show code").click()
    await expect(page.locator("#code pre").first).to_contain_text("/v1/messages")
    await page.keyboard.press("Escape")
    await page.locator(".facts-line a").first.click()
    await expect(page.locator("main")).to_contain_text("Price version")
    await expect(page.locator("main")).to_contain_text("Playground")
    await page.goto(url + "/console/usage?by=key&show=requests&range=24h")
    await expect(page.locator("main")).to_contain_text("Playground")
    rows = await visitor.gateway.rows()
    assert [row["endpoint"] for row in rows][:3] == ["messages", "messages", "chat"]
    assert visitor.faults == []


async def test_history_stays_in_the_browser_and_full_storage_is_said(visitor: Visitor) -> None:
    page = await visitor.open("dark", 360, token=visitor.token)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    await page.goto(visitor.gateway.url + "/console/playground?model=sandbox/echo")
    await ask(page, "Remember me")
    await expect(page.locator("#past li")).to_have_count(1)
    posts = [line for line in sent if line.startswith("POST")]
    assert [line.rsplit("/", 2)[1:] for line in posts] == [
        ["playground", "key"],
        ["chat", "completions"],
    ]
    await page.reload()
    await page.locator("#past button").first.click()
    await expect(page.locator("#turns")).to_contain_text("Remember me")
    await page.evaluate(
        """() => { let part = "x".repeat(2 ** 20);
        for (let n = 0; part.length > 8; n++)
          try { localStorage.setItem(`fill${n}`, part); }
          catch { part = part.slice(part.length / 2); } }"""
    )
    await ask(page, "No room " * 50)
    await expect(page.locator("#full")).to_be_visible()
    await page.evaluate(
        """() => { for (const key of Object.keys(localStorage))
        if (key.startsWith("fill")) localStorage.removeItem(key); }"""
    )
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Export").click()
    assert "Remember me" in (await (await download.value).path()).read_text()
    await page.get_by_role("button", name="Delete all").first.click()
    await page.locator("#sure button.danger").click()
    await expect(page.locator("#past li")).to_have_count(0)
    kept = await page.evaluate(
        "() => Object.keys(localStorage).filter((key) => key.startsWith('playground'))"
    )
    assert kept == [] and visitor.faults == []


async def test_an_answer_is_stopped(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console/playground")
    await page.evaluate(
        """() => { const o = document.createElement("option");
        o.textContent = "sandbox/lorem:tps=5,tokens=500"; o.selected = true;
        document.getElementById("model").append(o); }"""
    )
    await page.get_by_role("textbox", name="Message").fill("Go on")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .said")).not_to_be_empty()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator(".answer")).to_contain_text("Stopped.")
    rows = await visitor.gateway.rows()
    assert rows[0]["outcome"] == "client_gone" and visitor.faults == []


async def test_the_first_request_is_seen_to_arrive(visitor: Visitor) -> None:
    platform = visitor.gateway.gateway.platform
    account = await platform.accounts.create(NEW)
    await platform.ledger.grant(account.no, 10**6, reason="test", transaction_id="grant:new")
    page = await visitor.open("light", 1280, token=await platform.people.sessions.open(account))
    await page.goto(visitor.gateway.url + "/console")
    await expect(page.locator("main")).to_contain_text("Waiting for the first request")
    issued = await platform.keys.issue(account, "k")
    visitor.gateway.key = issued.text
    await visitor.gateway.post(
        {"model": "sandbox/echo", "messages": [{"role": "user", "content": "x"}]}
    )
    await expect(page.locator("main")).to_contain_text("Today (UTC)", timeout=20_000)
    await expect(page.locator("main")).not_to_contain_text("Three steps")
    assert visitor.faults == []


async def test_what_is_stored_is_never_run(visitor: Visitor) -> None:
    """Hostile text in every field a person, a client or a provider can fill."""
    platform = visitor.gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    for number, text in enumerate(XSS):
        await platform.keys.issue(account, text)
        await platform.ledger.grant(
            account.no, 1, reason=text, transaction_id=f"grant:{number}:{text}"
        )
        visitor.gateway.key = (await platform.keys.issue(account, text)).text
        for model in (text, "sandbox/echo"):
            await visitor.gateway.post(
                {"model": model, "messages": [{"role": "user", "content": text}]}
            )
    page = await visitor.open("light", 1280, token=visitor.token)
    url = visitor.gateway.url
    fields = dict.fromkeys(("display_name", "company", "bio", "billing_address"), XSS[1])
    await platform.people.profiles.change(account, Profile(**fields, default_model=XSS[2]))
    [first, *_] = await visitor.gateway.rows()
    [key, *_] = await platform.keys.listing(account)
    for path in (
        *(
            "",
            "/keys",
            f"/keys/{key.id}",
            "/logs",
            f"/logs/{first['id']}",
            "/billing",
            "/playground",
        ),
        *("/usage?by=key", "/usage?by=model", "/logs?model=%3Cscript%3Ealert(1)%3C/script%3E"),
        *("/settings/profile", "/settings/security"),
        "/usage?by=%22%3E%3Cscript%3E&from=%22onload=&until=%3C",
    ):
        await page.goto(f"{url}{path if path.startswith('/settings') else '/console' + path}")
        assert await page.evaluate(RAN) is False, path
    await page.goto(url + "/console/playground?model=sandbox/echo")
    await ask(page, ANSWER)
    said = page.locator(".answer .said")
    await expect(said).to_contain_text("bold")
    assert (
        await said.locator(
            "script, img, form, input, [style], [onerror], a[href^='javascript']"
        ).count()
        == 0
    )
    await page.evaluate(
        """(text) => {
        const name = Object.keys(localStorage).find((key) => key.startsWith("playground"));
        const all = JSON.parse(localStorage.getItem(name)); all[0].title = text;
        const [answer] = all[0].turns[1].answers; answer.model = text;
        answer.tools = [{name: text, arguments: text}];
        localStorage.setItem(name, JSON.stringify(all)); }""",
        XSS[1],
    )
    await page.reload()
    await page.locator("#past button").first.click()
    await expect(page.locator(".tool")).to_be_visible()
    assert await page.evaluate(RAN) is False
    assert visitor.faults == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_answers_are_accessible(visitor: Visitor, theme: str, width: int) -> None:
    """A wide answer, and the code that would ask for it."""
    page = await visitor.open(theme, width, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console/playground?model=sandbox/echo")
    await ask(page, f"| a | b |\n|--|--|\n| {'x' * 80} | 2 |\n\n```\n{'y' * 200}\n```")
    assert await page.evaluate(OVERFLOW) == []
    assert await access(page) == []
    await page.get_by_role("button", name="Show code").click()
    assert await access(page) == []
    assert visitor.faults == []
