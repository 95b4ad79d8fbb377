"""Sessions for browsers under test."""

from tests.fakes.gateway import EMAIL, RunningGateway

OWN = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(gateway: RunningGateway, email: str = EMAIL) -> str:
    """A session's token, by a sign-in link."""
    platform = gateway.gateway.platform
    link = await platform.sign_in.create(platform.accounts.named(email))
    async with gateway.session.post(
        f"{gateway.url}/sign-in/{link}", headers=OWN, allow_redirects=False
    ) as response:
        return str(response.cookies["token"].value)
