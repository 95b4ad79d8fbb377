"""Policies, aliases, fallbacks, weights, prices of targets and pools of keys in the catalog."""

import pytest

from gateway.platform.catalog import CatalogError
from gateway.platform.pricing.dearest import dearest
from gateway.platform.pricing.prices import Price
from tests.platform.catalog.test_catalog import opened

__all__ = ["opened"]

ROUTED = """
[[providers]]
name = "one"
kind = "openai"
base_url = "https://one.example/v1"
api_keys = ["env:FIRST", "sk-second-hunter2", "env:THIRD", "sk-fourth-hunter2"]
health_interval_s = 30
[[providers]]
name = "two"
kind = "openai"
base_url = "https://two.example/v1"
[[models]]
name = "big"
context_tokens = 1000
max_output_tokens = 100
policy = "weighted"
aliases = ["big-latest"]
fallbacks = ["small"]
hedge = true
[[models.targets]]
provider = "one"
model = "big-1"
weight = 3
region = "eu"
max_concurrent = 10
[[models.targets]]
provider = "two"
model = "big-2"
[models.targets.price]
input = "2"
output = "3"
[models.price]
input = "1"
output = "4"
[[models]]
name = "small"
context_tokens = 1000
max_output_tokens = 100
[[models.targets]]
provider = "two"
model = "small"
[models.price]
input = "0.1"
output = "0.2"
"""


@pytest.fixture(autouse=True)
def variables(opened):
    opened.environ.update(FIRST="sk-first", THIRD="sk-third")


async def test_routes_are_in_the_snapshot_and_apply_is_idempotent(opened):
    changes = await opened.apply(ROUTED)
    assert len(changes) == 4
    assert await opened.apply(ROUTED) == []
    snapshot = opened.catalog.snapshot
    big = snapshot.models["big"]
    assert (big.policy, big.aliases, big.fallbacks, big.hedge) == (
        "weighted",
        ("big-latest",),
        ("small",),
        True,
    )
    first, second = big.targets
    assert (first.weight, first.region, first.max_concurrent) == (3, "eu", 10)
    assert (second.weight, second.region, second.max_concurrent) == (1, None, None)
    assert snapshot.named("big-latest") is big and snapshot.named("big") is big
    assert snapshot.named("latest") is None


async def test_a_targets_own_price_has_its_versions_and_the_hold_reckons_with_the_dearest(opened):
    await opened.apply(ROUTED)
    big = opened.catalog.snapshot.models["big"]
    assert big.targets[0].price is big.price
    own = big.targets[1].price
    assert (own.input, own.output) == (2_000_000, 3_000_000)
    assert (big.dearest_price.input, big.dearest_price.output) == (2_000_000, 4_000_000)
    versions = {big.price.version, own.version}
    changes = await opened.apply(ROUTED.replace('output = "3"', 'output = "9"'))
    assert len(changes) == 1 and "price input 2, output 9" in changes[0]
    again = opened.catalog.snapshot.models["big"].targets[1].price
    assert again.output == 9_000_000 and again.version not in versions
    assert opened.catalog.snapshot.models["big"].price.version == big.price.version
    without = ROUTED.replace('[models.targets.price]\ninput = "2"\noutput = "3"\n', "")
    await opened.apply(without)
    target = opened.catalog.snapshot.models["big"].targets[1]
    assert target.price is opened.catalog.snapshot.models["big"].price
    assert await opened.apply(without) == []


async def test_a_target_that_leaves_takes_its_price_along(opened):
    await opened.apply(ROUTED)
    moved = ROUTED.replace('model = "big-2"', 'model = "big-3"')
    await opened.apply(moved)
    back = ROUTED.replace('[models.targets.price]\ninput = "2"\noutput = "3"\n', "")
    await opened.apply(back)
    big = opened.catalog.snapshot.models["big"]
    assert big.targets[1].price is big.price


async def test_a_pool_of_keys_is_sealed_and_exported_without_them(opened):
    await opened.apply(ROUTED)
    provider = opened.catalog.snapshot.providers["one"]
    keys = ("sk-first", "sk-second-hunter2", "sk-third", "sk-fourth-hunter2")
    assert provider.api_keys == keys and provider.api_key == "sk-first" and provider.needs_key
    assert [provider.of_key(n).api_key for n in range(4)] == list(keys)
    assert "hunter2" not in repr(provider.of_key(1))
    exported = await opened.catalog.export()
    assert 'api_keys = ["env:FIRST", "stored", "env:THIRD", "stored"]' in exported
    assert await opened.apply(exported) == []
    fewer = exported.replace('"env:FIRST", "stored", "env:THIRD", "stored"', '"stored"')
    assert await opened.apply(fewer) == [
        "~ provider one: api_keys env:FIRST, (hidden), env:THIRD, (hidden) -> (hidden)"
    ]
    assert opened.catalog.snapshot.providers["one"].api_keys == ("sk-second-hunter2",)
    with pytest.raises(CatalogError, match=r'more "stored" keys than are stored here \(1\)'):
        await opened.apply(exported)
    stored = b"".join(path.read_bytes() for path in opened.folder.iterdir())
    assert b"hunter2" not in stored


async def test_a_pool_works_on_without_a_missing_key(opened):
    del opened.environ["FIRST"]
    await opened.apply(ROUTED)
    snapshot = opened.catalog.snapshot
    assert snapshot.providers["one"].api_key == "sk-second-hunter2"
    assert snapshot.warnings == ("provider one has fewer keys than it should: FIRST is not set",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["small"]', '["smal"]', "fallback 'smal' is no other model; did you mean 'small'"),
        ('["small"]', '["big"]', "fallback 'big' is no other model"),
        ('["big-latest"]', '["small"]', "the alias 'small' is taken by model 'small'"),
        ('["big-latest"]', '["big"]', "the alias 'big' is taken by model 'big'"),
        (
            'name = "small"\n',
            'name = "small"\naliases = ["big-latest"]\n',
            "the alias 'big-latest' is taken by model 'big'",
        ),
    ],
)
async def test_names_that_lead_nowhere_or_twice_are_refused(opened, old, new, words):
    with pytest.raises(CatalogError) as caught:
        await opened.apply(ROUTED.replace(old, new, 1))
    assert words in str(caught.value)
    assert opened.catalog.snapshot.models == {}


async def test_a_stored_models_alias_is_not_taken_by_another_document(opened):
    await opened.apply(ROUTED)
    other = ROUTED[ROUTED.rindex("[[models]]") :].replace('name = "small"', 'name = "big-latest"')
    with pytest.raises(CatalogError, match="taken by model 'big-latest'"):
        await opened.apply(other)


def test_the_dearest_price_is_nowhere_below_any():
    one = Price(1, 10, 5, 10, 20, 50)
    two = Price(2, 8, 8, 8, 30)
    assert dearest([one, two]) == Price(0, 10, 8, 10, 30, 50)
    assert dearest([one, Price(3, 1, 1, 1, 1)]) is one
    assert dearest([]) is None
    images = [
        Price(1, 0, 0, 0, 0, units=(("image", 5), ("search", 1))),
        Price(2, 0, 0, 0, 0, units=(("image", 7),), tokens=False),
    ]
    assert dearest(images) is images[1]  # a search has no price there, so it has none here
