import stat

import pytest
import sqlalchemy as sa

from gateway.base.clock import ManualClock
from gateway.base.config import load
from gateway.platform import assembly
from gateway.platform.assembly import FIRST_ADMIN, open_platform, verify_ledger
from gateway.platform.ledger.ledger import LedgerDamaged
from gateway.platform.refusals import Refusal
from gateway.store.lock import DataFolderInUse
from gateway.store.secrets import KEY_FILE, SecretsError

SETTINGS = load(environ={})


async def start(folder, **options):
    options.setdefault("environ", {})
    return await open_platform(SETTINGS, folder, ManualClock(), **options)


async def test_a_first_start_offers_no_provider_that_lacks_its_agreement(tmp_path):
    asked = load(environ={}, flags={"catalog.require_agreements": True})
    keys = {"OPENAI_API_KEY": "x", "GROQ_API_KEY": "y"}
    early = await open_platform(asked, tmp_path, ManualClock(), first_start=False, environ=keys)
    signed = {"provider": "groq", "title": "DPA", "signed_by": "Ann", "signed": "1970-01-01"}
    await early.agreements.enter(None, signed)
    await early.close()
    platform = await open_platform(asked, tmp_path, ManualClock(), environ=keys)
    assert platform.first_start.providers == ("sandbox", "groq")
    served = {
        each.provider.name for m in platform.catalog.snapshot.models.values() for each in m.targets
    }
    assert served == {"sandbox", "groq"}
    await platform.close()


async def test_the_first_start_gives_everything_once(tmp_path):
    folder = tmp_path / "data"
    platform = await start(folder, environ={"OPENAI_API_KEY": "sk-openai-hunter2"})
    first = platform.first_start
    assert (first.email, first.credit_microusd) == (FIRST_ADMIN, 10_000_000)
    assert first.providers == ("sandbox", "openai")
    key = platform.keys.ring.find(first.key)
    assert key.account is platform.accounts.named(FIRST_ADMIN)
    assert key.account.role == "administrator"
    assert platform.bank.wallets[key.account.no].balance_microusd == 10_000_000
    assert set(platform.catalog.snapshot.models) >= {"sandbox/echo", "gpt-4o-mini"}
    assert (await platform.sign_in.redeem(first.sign_in_token)) is key.account
    await platform.first_start_shown()
    assert first.key not in repr(platform) and first.sign_in_token not in repr(first)
    await platform.close()

    again = await start(folder, environ={"OPENAI_API_KEY": "x", "GROQ_API_KEY": "y"})
    assert again.first_start is None
    assert again.keys.ring.find(first.key).no == key.no
    assert again.ledger.balance(key.account.no) == 10_000_000
    assert len(again.accounts) == 1 == len(again.keys.ring)
    assert "groq" not in again.catalog.snapshot.providers
    await again.close()

    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    for secret in (first.key, first.key[12:], first.sign_in_token, "hunter2"):
        assert secret.encode() not in stored


async def test_the_data_folder_is_private(tmp_path):
    platform = await start(tmp_path / "data")
    await platform.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for path in (tmp_path / "data").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_a_command_before_the_first_start_leaves_it_to_come(tmp_path):
    platform = await start(tmp_path, first_start=False)
    assert platform.first_start is None and len(platform.accounts) == 0
    await platform.accounts.create("ann@example.com")
    await platform.close()
    served = await start(tmp_path)
    assert served.first_start is not None and len(served.accounts) == 2
    await served.close()


async def test_what_the_operator_declared_before_the_first_start_is_kept(tmp_path):
    platform = await start(tmp_path, first_start=False)
    await platform.catalog.apply(
        '[[providers]]\nname = "openai"\nbase_url = "http://mine.example"\n', "c"
    )
    await platform.close()
    served = await start(tmp_path, environ={"OPENAI_API_KEY": "x"})
    assert served.catalog.snapshot.providers["openai"].host == "mine.example"
    await served.close()


@pytest.mark.parametrize("step", ["Keys.issue", "SignInLinks.create", "_welcome"])
async def test_a_first_start_that_was_cut_short_is_taken_up_again(tmp_path, monkeypatch, step):
    class Killed(Exception):
        pass

    async def dies(*_, **__):
        raise Killed

    holder, _, name = step.rpartition(".")
    target = getattr(assembly, holder) if holder else assembly
    with monkeypatch.context() as patch:
        patch.setattr(target, name, dies)
        with pytest.raises(Killed):
            await start(tmp_path)
    platform = await start(tmp_path)
    first = platform.first_start
    account = platform.accounts.named(FIRST_ADMIN)
    assert platform.ledger.balance(account.no) == 10_000_000
    assert len(platform.keys.ring) == 1 and platform.keys.ring.find(first.key) is not None
    await platform.first_start_shown()
    await platform.close()
    again = await start(tmp_path)
    assert again.first_start is None
    await again.close()


async def test_a_start_that_showed_nothing_leaves_the_first_start_to_the_next(tmp_path):
    unseen = await start(tmp_path)
    await unseen.close()
    platform = await start(tmp_path)
    assert platform.keys.ring.find(unseen.first_start.key) is None
    key = platform.keys.ring.find(platform.first_start.key)
    assert platform.ledger.balance(key.account.no) == 10_000_000
    await platform.close()


async def test_a_second_process_is_refused_and_a_failed_start_gives_the_folder_up(tmp_path):
    platform = await start(tmp_path)
    with pytest.raises(DataFolderInUse, match="is in use by process"):
        await start(tmp_path)
    await platform.close()
    (tmp_path / KEY_FILE).rename(tmp_path / "elsewhere")
    for _ in range(2):  # not locked by the attempt before
        with pytest.raises(SecretsError, match="restore it from your backup"):
            await start(tmp_path)
    (tmp_path / "elsewhere").rename(tmp_path / KEY_FILE)
    await (await start(tmp_path)).close()


async def test_another_installations_key_is_refused(tmp_path):
    await (await start(tmp_path / "a")).close()
    await (await start(tmp_path / "b")).close()
    (tmp_path / "a" / KEY_FILE).write_bytes((tmp_path / "b" / KEY_FILE).read_bytes())
    with pytest.raises(SecretsError, match="this database belongs to master key"):
        await start(tmp_path / "a")


async def test_altered_books_are_not_served(tmp_path):
    platform = await start(tmp_path)

    def alter(connection):
        connection.exec_driver_sql("DROP TRIGGER ledger_entries_no_update")
        connection.execute(sa.text("UPDATE ledger_entries SET amount_microusd = 20000000"))

    await platform.database.write(alter)
    await platform.close()
    with pytest.raises(LedgerDamaged, match="ledger entry 1 was altered"):
        await start(tmp_path)
    report = await verify_ledger(SETTINGS, tmp_path)
    assert "ledger entry 1 was altered" in report.findings[0]


async def test_a_bad_welcome_credit_names_its_setting(tmp_path):
    settings = load(environ={}, flags={"sandbox.welcome_credit_usd": "lots"})
    with pytest.raises(Refusal, match=r"setting sandbox\.welcome_credit_usd"):
        await open_platform(settings, tmp_path, environ={})
