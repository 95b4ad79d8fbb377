"""Letters in words: every kind in every language, and in the language that its reader wishes."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from gateway.platform.mail import Kind, Letter
from gateway.web.console.i18n import LANGUAGES
from gateway.web.console.letters import Letters
from tests.fakes.gateway import running

VALUES = {
    "new_device": {"agent": "Mozilla/5.0 Firefox/140.0", "at_us": 1_700_000_000_000_000},
    "invitation": {"organisation": "Öst & Co", "by": "owner@example.com"},
    "policy_change": {"name": "2", "words": "Kürzer.", "effective_us": 1_798_761_600_000_000},
    "key_spread": {
        **{"name": "laptop", "prefix": "sk-tg-abc", "key_id": "key_1", "organisation": "Öst & Co"},
        **{"most_networks": 20, "window_hours": 24},
    },
    "low_balance": {"organisation": "", "balance_microusd": 1, "limit_microusd": 10**6},
    "guardian_asked": {"name": "Åsa", "email": "kid@example.com"},
    "guardian_confirmed": {"name": "Åsa", "email": "kid@example.com"},
    "guardian_decided": {"state": "withdrawn"},
    "age_proof": {"reason": "?", "due_us": 1_700_000_000_000_000},
}
LINKED = ("confirm", "reset", "address", "invitation", "guardian_asked", "guardian_confirmed")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_is_written_in_every_language(kind: Kind) -> None:
    letters = Letters("https://gate.example/")
    written = {
        code: letters.write(
            Letter(kind, "ann@example.com", "acc_1", code, "t0ken", VALUES.get(kind, {}))
        )
        for code in LANGUAGES
    }
    assert len({each.subject for each in written.values()}) == len(LANGUAGES)
    assert len({each.text for each in written.values()}) == len(LANGUAGES)
    for each in written.values():
        assert "\n" not in each.subject and "%(" not in each.text and "{{" not in each.text
        assert ("t0ken" in each.text) is (kind in LINKED) is bool(each.link)


async def test_a_letter_is_in_the_language_of_its_readers_profile(tmp_path: Path) -> None:
    """Whoever caused it: a stranger's reset, an operator's or the owner's own browser."""
    async with running(tmp_path / "data") as gateway:
        people = gateway.gateway.platform.people
        account = await people.accounts.create("ann@example.com")
        profile = await people.profiles.of(account)
        await people.profiles.change(account, msgspec.structs.replace(profile, language="ja"))
        heard: list[Letter] = []

        def write(letter: Letter) -> Any:
            heard.append(letter)
            return Letters("https://gate.example").write(letter)

        outbox: Any = people.mail._outbox
        for number, id in enumerate((account.id, "acc_of_nobody", "")):
            letter = Letter("reset", f"{number}@example.com", id, "fr", "t")
            await people.mail._database.write(
                lambda c, letter=letter: people.mail.queue(c, letter)  # type: ignore[misc]
            )
            items = await people.mail._database.read(lambda c: outbox.due(c, 10))
            for item in items:
                await people.mail._deliver(item, write, None)
        spoken = {letter.to: letter.locale for letter in heard}
        assert spoken == {"0@example.com": "ja", "1@example.com": "fr", "2@example.com": "fr"}
