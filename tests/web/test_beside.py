"""What a form is refused for stands beside the field that it belongs to."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.web.console.drawing import TEMPLATES
from tests.fakes.gateway import RunningGateway, running
from tests.web.test_console import OWN, get, post
from tests.web.test_entrance import FORM, PASSWORD, signed_up
from tests.web.test_security_settings import Browser

TICKS = {"age": "yes", "terms": "yes"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


def beside(text: str, id: str) -> str:
    """The words that describe a refused field; its form has no others."""
    fields: list[str] = re.findall(r"<(?:input|select|textarea)[^>]*>", text)
    refused = [each for each in fields if 'aria-invalid="true"' in each]
    assert len(refused) == 1, refused
    described = re.search(r'aria-describedby="([\w-]+)"', refused[0])
    assert described is not None and described[1] == f"{id}-note", refused
    shown = re.findall(r'<p class="problem"([^>]*)>\s*(.*?)\s*</p>', text, re.S)
    [(attributes, words)] = [each for each in shown if "hidden" not in each[0]]
    assert f'id="{id}-note"' in attributes and 'role="alert"' in attributes
    return str(words)


async def test_a_refused_sign_up_keeps_what_was_typed_and_ticked(gateway: RunningGateway) -> None:
    for form, field in (
        (FORM | {"email": "nobody"}, "email"),
        (FORM | {"password": "hrmpf"}, "password"),
        ({key: value for key, value in FORM.items() if key != "terms"}, "terms"),
        ({key: value for key, value in FORM.items() if key != "age"}, "age"),
    ):
        response, text = await post(gateway, "/sign-up", form, **OWN)
        assert response.status == 422 and beside(text, field)
        assert f'value="{form["email"]}"' in text and form["password"] not in text
        for name in TICKS:
            [box] = re.findall(rf'<input name="{name}"[^>]*>', text)
            assert (" checked" in box) is (name in form), (field, name)


async def test_a_profile_names_the_field(gateway: RunningGateway) -> None:
    one = Browser(gateway, await signed_up(gateway))
    for form, field, words in (
        ({"time_zone": "Mars/Olympus"}, "time_zone", "no such time zone"),
        ({"language": "tl"}, "language", "Check the spelling"),
        ({"bio": "x" * 1_001}, "bio", "too long"),
        ({"company": "a\x07"}, "company", "Check the spelling"),
    ):
        status, text = await one.post("/settings/profile", **form)
        assert status == 422 and words in beside(text, field), field
    for form, field in (
        ({"email": "nobody", "password": PASSWORD}, "email"),
        ({"email": "new@example.com", "password": "wrong"}, "password"),
    ):
        status, text = await one.post("/settings/address", **form)
        assert status == 422 and beside(text, field) and f'value="{form["email"]}"' in text


async def test_of_several_password_fields_the_one_that_was_sent_is_named(
    gateway: RunningGateway,
) -> None:
    one = Browser(gateway, await signed_up(gateway))
    for path, form, id in (
        ("password", {"password": "wrong", "new_password": "battery staple"}, "password-present"),
        ("password", {"password": PASSWORD, "new_password": "short"}, "new-password"),
        ("totp", {"password": "wrong"}, "totp-present"),
        ("passkeys", {"password": "wrong", "name": "phone"}, "passkey-present"),
    ):
        status, text = await one.post(f"/settings/{path}", **form)
        assert status == 422 and beside(text, id), id
        if path in ("totp", "passkeys"):
            fold = re.search(rf'<details([^>]*)>(?:(?!</details>).)*id="{id}"', text, re.S)
            assert fold is not None and "open" in fold[1], id


async def test_an_invitation_names_the_field(gateway: RunningGateway) -> None:
    one = Browser(gateway, await signed_up(gateway))
    platform = gateway.gateway.platform
    me = platform.accounts.named(FORM["email"])
    firm = await platform.organisations.found(me, "Firm")
    here = f"/console/organisations/{firm.id}"
    form = {"email": "b@example.com", "part": "manager", "limit": "5"}
    for wrong, field in (({"email": "nobody"}, "email"), ({"limit": "x"}, "limit")):
        status, text = await one.post(f"{here}/invitations", **(form | wrong))
        assert status == 422 and beside(text, field)
        assert f'value="{(form | wrong)["limit"]}"' in text
    status, text = await one.post(f"{here}/members/{me.id}", part="owner", limit="x")
    assert status == 422 and beside(text, f"limit-{me.id}")


async def test_a_link_that_is_no_good_is_said_beside_its_field(gateway: RunningGateway) -> None:
    response, text = await post(gateway, "/sign-in/link", {"link": "none"}, **OWN)
    assert response.status == 403 and beside(text, "link")
    response, text = await get(gateway, "/sign-in")
    assert "aria-invalid" not in text


def test_a_page_has_one_polite_region() -> None:
    places = {
        path.relative_to(TEMPLATES).as_posix(): path.read_text().count('role="status"')
        for path in TEMPLATES.rglob("*.html")
    }
    assert {name: count for name, count in places.items() if count} == {"base.html": 1}
