import asyncio
import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from gateway.base.clock import ManualClock
from gateway.platform.catalog import Catalog, CatalogError
from gateway.platform.catalog.document import parse
from gateway.platform.catalog.render import render
from gateway.platform.catalog.snapshot import KINDS
from gateway.store.database import Database
from gateway.store.schema.catalog import prices
from gateway.store.secrets import Secrets
from tests.fakes.folder import new_database

from .test_document import EXAMPLE, documents

LITERAL = EXAMPLE.replace("env:OPENAI_API_KEY", "sk-literal-hunter2")


class Opened:
    """A catalog over a fresh database."""

    def __init__(self, folder, environ=None):
        self.folder = folder
        self.clock = ManualClock()
        self.database = Database.open(new_database(folder / "tallygate.db"), clock=self.clock)
        self.secrets = Secrets.open(folder, {})
        self.environ = {} if environ is None else environ
        self.catalog = self.again()

    def again(self):
        return Catalog(self.database, self.secrets, self.clock, environ=self.environ)

    async def apply(self, text, **options):
        return [str(change) for change in await self.catalog.apply(text, "c", **options)]


@pytest.fixture
async def opened(tmp_path):
    made = Opened(tmp_path, {"OPENAI_API_KEY": "sk-from-env"})
    yield made
    await made.database.close()


async def test_apply_is_idempotent_and_swaps_the_snapshot(opened):
    before = opened.catalog.snapshot
    assert await opened.apply(EXAMPLE) == [
        "+ provider openai: https://api.openai.com/v1",
        "+ model gpt-4o-mini: input 0.15, cache_read 0.075, output 0.6 USD per million tokens",
    ]
    assert before.models == {}
    model = opened.catalog.snapshot.models["gpt-4o-mini"]
    provider = model.targets[0].provider
    assert (provider.scheme, provider.host, provider.port, provider.path) == (
        "https",
        "api.openai.com",
        443,
        "/v1",
    )
    assert provider.api_key == "sk-from-env" and "sk-from-env" not in repr(opened.catalog.snapshot)
    assert model.price.version == 1 and model.output_reserve_tokens is None
    assert await opened.apply(EXAMPLE) == []
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.version == 1


async def test_no_request_meets_a_vocabulary_that_is_not_loaded(opened, monkeypatch):
    loaded = []

    def load(names):
        assert threading.current_thread() is not threading.main_thread()
        loaded.append((set(names), set(opened.catalog.snapshot.models)))

    monkeypatch.setattr("gateway.platform.catalog.catalog.preload", load)
    await opened.apply(EXAMPLE)
    assert loaded == []  # a command that counts nothing waits for nothing
    await opened.catalog.preload()
    await opened.apply(EXAMPLE.replace("gpt-4o-mini", "other").replace("o200k", "cl100k"))
    assert loaded == [
        ({"o200k_base"}, {"gpt-4o-mini"}),
        ({"o200k_base", "cl100k_base"}, {"gpt-4o-mini"}),
    ]
    assert "other" in opened.catalog.snapshot.models


async def test_a_snapshot_is_immutable(opened):
    await opened.apply(EXAMPLE)
    with pytest.raises(TypeError):
        opened.catalog.snapshot.models["x"] = None
    with pytest.raises(AttributeError):
        opened.catalog.snapshot.models["gpt-4o-mini"].name = "x"


async def test_a_dry_run_says_the_same_and_changes_nothing(opened):
    said = await opened.apply(EXAMPLE, dry_run=True)
    assert opened.catalog.snapshot.models == {}
    assert await opened.apply(EXAMPLE) == said


CHANGES = [
    ("128000", "64000", "~ model gpt-4o-mini: context_tokens 128000 -> 64000"),
    (
        '"0.60"',
        '"0.70"',
        "~ model gpt-4o-mini: price input 0.15, cache_read 0.075, output 0.6 USD per million "
        "tokens -> input 0.15, cache_read 0.075, output 0.7 USD per million tokens",
    ),
    (
        "= false",
        "= true",
        "~ provider openai: allow_private_address false -> true",
    ),
    (
        "https://api.",
        "http://api.",
        "~ provider openai: base_url https://api.openai.com/v1 -> http://api.openai.com/v1",
    ),
    (
        "env:OPENAI_API_KEY",
        "sk-new-hunter2",
        "~ provider openai: api_key env:OPENAI_API_KEY -> (hidden)",
    ),
    (
        "= false",
        '= false\nproxy = "http://u:hunter2@p:1"',
        "~ provider openai: proxy none -> (hidden)",
    ),
    (
        "= false",
        '= false\nendpoints = ["chat"]',
        f"~ provider openai: endpoints {', '.join(KINDS['openai'])} -> chat",
    ),
    (
        "= false",
        '= false\nquirks = ["no_user", "max_tokens"]',
        "~ provider openai: quirks none -> max_tokens, no_user",
    ),
    (
        'model = "gpt-4o-mini"\n',
        'model = "mini"\n',
        "~ model gpt-4o-mini: targets openai:gpt-4o-mini -> openai:mini",
    ),
    ('encoding = "o200k_base"\n', "", "~ model gpt-4o-mini: encoding o200k_base -> none"),
]


@pytest.mark.parametrize(("old", "new", "line"), CHANGES)
async def test_a_changed_key_is_one_line_without_secrets(opened, old, new, line):
    await opened.apply(EXAMPLE)
    text = EXAMPLE.replace(old, new)
    assert await opened.apply(text) == [line]
    assert await opened.apply(text) == []
    assert (await opened.apply(EXAMPLE)) != []
    assert await opened.apply(EXAMPLE, dry_run=True) == []


async def test_a_changed_price_is_a_new_version_and_the_old_one_stays(opened):
    await opened.apply(EXAMPLE)
    await opened.apply(EXAMPLE.replace("0.60", "0.70"))
    await opened.apply(EXAMPLE)
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.version == 3

    def read(connection):
        found = connection.execute(sa.select(prices.c.no, prices.c.output_picousd))
        return [tuple(row) for row in found]

    assert await opened.database.read(read) == [(1, 600_000), (2, 700_000), (3, 600_000)]


@pytest.mark.parametrize(
    "statement", [sa.update(prices).values(output_picousd=0), sa.delete(prices)]
)
async def test_price_versions_cannot_be_changed(opened, statement):
    await opened.apply(EXAMPLE)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        await opened.database.write(lambda connection: connection.execute(statement))


async def test_a_clock_that_steps_back_does_not_bring_an_old_price_back(opened):
    await opened.apply(EXAMPLE)
    opened.clock.advance(-3600)
    await opened.apply(EXAMPLE.replace("0.60", "0.70"))
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.output == 700_000
    opened.clock.advance(7200)
    await opened.catalog.load()
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.output == 700_000


async def test_a_scheduled_price_takes_effect_at_its_time(opened):
    await opened.apply(EXAMPLE)
    now_us = opened.clock.now_us()
    later = {
        "no": 2,
        "model": "gpt-4o-mini",
        "effective_us": now_us + 7 * 86_400 * 10**6,
        "created_us": now_us,
        "withdrawn": 0,
        "input_picousd": 1,
        "cache_read_picousd": 1,
        "cache_write_picousd": 1,
        "output_picousd": 2,
        "request_picousd": 0,
    }
    await opened.database.write(lambda c: c.execute(sa.insert(prices).values(**later)))
    await opened.catalog.load()
    assert opened.catalog.snapshot.next_price_us == later["effective_us"]
    opened.clock.advance(7 * 86_400 - 1)
    assert not await opened.catalog.refresh_due()
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.version == 1
    opened.clock.advance(1)
    assert await opened.catalog.refresh_due()
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.version == 2
    assert opened.catalog.snapshot.next_price_us is None


async def test_a_model_without_a_price_is_listed_unpriced_and_warned_of(opened):
    text = EXAMPLE[: EXAMPLE.index("[models.price]")]
    await opened.apply(EXAMPLE)
    changes = await opened.apply(text)
    assert changes[0].endswith("-> no price (requests are refused)")
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price is None
    assert opened.catalog.snapshot.warnings == (
        "model gpt-4o-mini has no price: requests for it are refused",
    )
    await opened.apply(EXAMPLE)
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.output == 600_000


async def test_what_the_file_does_not_name_stays_unless_pruned(opened):
    await opened.apply(EXAMPLE)
    other = EXAMPLE.replace("openai", "other").replace('"other"\nbase', '"openai"\nbase')
    other = other.replace("gpt-4o-mini", "m")
    assert len(await opened.apply(other)) == 2
    assert set(opened.catalog.snapshot.models) == {"gpt-4o-mini", "m"}
    assert await opened.apply(other, prune=True) == ["- model gpt-4o-mini", "- provider openai"]
    assert set(opened.catalog.snapshot.models) == {"m"}
    assert set(opened.catalog.snapshot.providers) == {"other"}
    await opened.apply(EXAMPLE)  # the price of a model that comes back is in effect again
    assert opened.catalog.snapshot.models["gpt-4o-mini"].price.output == 600_000


async def test_a_target_may_name_a_stored_provider_but_not_an_unknown_one(opened):
    models = EXAMPLE[EXAMPLE.index("[[models]]") :]
    with pytest.raises(CatalogError, match="no provider 'openai'"):
        await opened.apply(models)
    await opened.apply(EXAMPLE)
    assert await opened.apply(models) == []
    with pytest.raises(CatalogError, match="no provider 'openai'"):
        await opened.apply(models, prune=True)
    wrong = models.replace('provider = "openai"', 'provider = "opnai"')
    with pytest.raises(CatalogError, match="did you mean 'openai'"):
        await opened.apply(wrong)


async def test_a_missing_variable_leaves_the_provider_listed_with_one_warning(opened, caplog):
    del opened.environ["OPENAI_API_KEY"]
    await opened.apply(EXAMPLE)
    await opened.catalog.load()
    assert len(caplog.records) == 1
    provider = opened.catalog.snapshot.providers["openai"]
    assert (provider.api_key, provider.needs_key) == (None, True)
    assert opened.catalog.snapshot.warnings == (
        "provider openai has no credentials: OPENAI_API_KEY is not set",
    )
    opened.environ["OPENAI_API_KEY"] = "sk-late"
    await opened.catalog.load()
    assert opened.catalog.snapshot.providers["openai"].api_key == "sk-late"
    assert opened.catalog.snapshot.warnings == ()


async def test_a_provider_without_a_key_needs_none(opened):
    await opened.apply(EXAMPLE.replace('api_key = "env:OPENAI_API_KEY"\n', ""))
    provider = opened.catalog.snapshot.providers["openai"]
    assert (provider.api_key, provider.needs_key) == (None, False)


async def test_a_literal_key_is_sealed_kept_and_never_exported(opened):
    text = LITERAL.replace("= false", '= false\nproxy = "http://u:pass-hunter2@p:1"')
    await opened.apply(text)
    exported = await opened.catalog.export()
    assert 'api_key = "stored"' in exported and 'proxy = "stored"' in exported
    assert await opened.apply(exported) == []
    again = opened.again()
    await again.load()
    assert again.snapshot.providers["openai"].api_key == "sk-literal-hunter2"
    assert again.snapshot.providers["openai"].proxy == "http://u:pass-hunter2@p:1"
    stored = b"".join(path.read_bytes() for path in opened.folder.iterdir())
    assert b"hunter2" not in stored and b"hunter2" not in exported.encode()


async def test_an_encoding_that_cannot_be_counted_is_refused(opened):
    with pytest.raises(CatalogError, match="unknown encoding 'o200k_bas'; did you mean 'o200k_ba"):
        await opened.apply(EXAMPLE.replace("o200k_base", "o200k_bas"))


async def test_stored_without_anything_stored_is_an_error(opened):
    with pytest.raises(CatalogError, match="none is stored here"):
        await opened.apply(EXAMPLE.replace("env:OPENAI_API_KEY", "stored"))


async def test_a_failed_apply_changes_nothing(opened):
    await opened.apply(EXAMPLE)
    snapshot = opened.catalog.snapshot
    broken = EXAMPLE.replace("128000", "64000") + "\n[[models]]\nname = 'x'\n"
    with pytest.raises(CatalogError):
        await opened.apply(broken)
    assert opened.catalog.snapshot is snapshot
    assert await opened.apply(EXAMPLE) == []


async def test_the_sandbox_can_be_switched_off(opened):
    text = '[[providers]]\nname = "s"\nkind = "sandbox"\n' + EXAMPLE[
        EXAMPLE.index("[[models]]") :
    ].replace('"openai"', '"s"')
    await opened.apply(text)
    assert "gpt-4o-mini" in opened.catalog.snapshot.models
    off = Catalog(opened.database, opened.secrets, opened.clock, sandbox=False, environ={})
    await off.load()
    assert off.snapshot.models == {} == off.snapshot.providers


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=documents(literals=True), second=documents(literals=True))
def test_any_catalog_can_become_any_other_and_exports_to_itself(tmp_path_factory, first, second):
    async def check():
        opened = Opened(tmp_path_factory.mktemp("catalog"))
        try:
            for document in (first, second):
                await opened.catalog.apply_document(document, prune=True)
                snapshot = opened.catalog.snapshot
                assert list(snapshot.providers) == sorted(
                    document.providers, key=list(snapshot.providers).index
                )
                assert set(snapshot.models) == set(document.models)
                assert await opened.catalog.apply_document(document, prune=True) == []
                exported = await opened.catalog.export()
                assert await opened.catalog.apply(exported, "export", prune=True) == []
                assert render(parse(exported)) == exported
        finally:
            await opened.database.close()

    asyncio.run(check())
