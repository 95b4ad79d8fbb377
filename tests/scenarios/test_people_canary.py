"""What people type and hold is found nowhere: not in the data folder, not in any output.

The gateway runs as a process at log level debug; somebody signs up, signs in, errs, adds an app,
resets the password and fills in a profile, with letters leaving through a real SMTP server.
"""

import asyncio
import re
from pathlib import Path

import aiohttp
from aiosmtpd.controller import Controller

from gateway.platform.accounts import totp
from tests.fakes.canary import Canaries
from tests.fakes.process import serving
from tests.platform.mail.test_mail import Mailbox, free_port

OWN = {"Sec-Fetch-Site": "same-origin"}


class Visitor:
    def __init__(self, url: str, session: aiohttp.ClientSession, canaries: Canaries) -> None:
        self.url = url
        self.session = session
        self.canaries = canaries
        self.token = ""
        self.tokens = 0

    async def send(self, method: str, path: str, **fields: str) -> str:
        headers = OWN | ({"Cookie": f"token={self.token}"} if self.token else {})
        headers["User-Agent"] = self.agent
        async with self.session.request(
            method, self.url + path, data=fields or None, headers=headers, allow_redirects=False
        ) as response:
            if "token" in response.cookies:
                self.token = response.cookies["token"].value
                self.tokens += 1
                if self.token:
                    self.canaries.secret(f"token {self.tokens}", self.token)
            return await response.text()


async def letters(mailbox: Mailbox, number: int) -> None:
    """Wait until that many have come."""
    async with asyncio.timeout(20):
        while len(mailbox.received) < number:
            await asyncio.sleep(0.05)


async def link_in(mailbox: Mailbox, number: int) -> str:
    await letters(mailbox, number)
    [path] = re.findall(r"http://[^/]+(/\S+)", mailbox.received[number - 1].get_content())[:1]
    return str(path)


async def test_nothing_typed_or_held_is_kept_in_plain(tmp_path: Path) -> None:
    mailbox, canaries = Mailbox(), Canaries()
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    server.start()
    settings = {
        "TALLYGATE_LOG_LEVEL": "debug",
        "TALLYGATE_MAIL_SMTP_HOST": "127.0.0.1",
        "TALLYGATE_MAIL_SMTP_PORT": str(server.port),
        "TALLYGATE_MAIL_SMTP_TLS": "none",
    }
    email = f"{canaries.word('address')}@example.com"
    canaries.secret("address", email.lower())
    passwords = [canaries.word(name) for name in ("first password", "wrong", "second password")]
    try:
        with serving(tmp_path / "data", **settings) as process:
            async with aiohttp.ClientSession() as session:
                one = Visitor(process.url, session, canaries)
                one.agent = canaries.word("agent").encode("ascii", "ignore").decode()
                canaries.secret("agent", one.agent)
                await live_through(one, mailbox, email, passwords)
            metrics = await read(process.url + "/metrics")
            assert process.terminate() == 0
            printed = process.banner.encode() + metrics
    finally:
        server.stop()
    assert one.tokens >= 4
    assert canaries.found_in(printed) == set()
    assert canaries.found_under(tmp_path) == {}


async def live_through(one: Visitor, mailbox: Mailbox, email: str, passwords: list[str]) -> None:
    """Everything somebody does with an account."""
    first, wrong, second = passwords
    canaries = one.canaries
    terms = {"terms": "yes", "age": "yes", "born": "1960"}
    await one.send("POST", "/sign-up", email=email, password=first, **terms)
    confirm = await link_in(mailbox, 1)
    canaries.secret("confirm link", confirm.rpartition("/")[2])
    await one.send("POST", confirm, password=wrong)
    await one.send("POST", confirm, password=first)
    await one.send("POST", "/sign-in", email=email, password=wrong)
    await one.send("POST", "/sign-in", email=email, password=first)
    names = ("display_name", "phone", "company", "billing_address", "tax_id", "bio")
    await one.send("POST", "/settings/profile", **{name: canaries.word(name) for name in names})
    text = await one.send("POST", "/settings/totp", password=first)
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", text)
    canaries.secret("app", secret)
    import time

    code = totp.code_at(secret, int(time.time()) // 30)
    text = await one.send("POST", "/settings/totp/confirm", code=code)
    codes = re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", text)
    assert len(codes) == 10
    for number, each in enumerate(codes):
        canaries.secret(f"code {number}", each)
    await one.send("POST", "/sign-in", email=email, password=first)
    await one.send("POST", "/sign-in/code", code=codes[0])
    await one.send("POST", "/reset", email=email)
    reset = await link_in(mailbox, 3)
    assert reset.startswith("/reset/")
    canaries.secret("reset link", reset.rpartition("/")[2])
    await one.send("POST", reset, password=second)
    await one.send("POST", "/sign-in", email=email, password=second)
    await letters(mailbox, 4)  # that the password was changed


async def read(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()
