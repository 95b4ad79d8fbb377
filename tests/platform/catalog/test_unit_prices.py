"""Prices of units in a catalog: applied once, exported as written, changed as a new version."""

from gateway.platform.catalog.document import CatalogError
from tests.platform.catalog.test_catalog import opened

__all__ = ["opened"]

TEXT = """
[[providers]]
name = "p"
kind = "openai"
base_url = "http://media.example.com/v1"

[[models]]
name = "painter"
context_tokens = 4000
max_output_tokens = 8000
[[models.targets]]
provider = "p"
model = "painter"
[models.price]
image = "0.04"
image_hd_1024x1792 = "0.12"
"""


async def test_unit_prices_are_stored_and_written_back(opened):
    assert (await opened.apply(TEXT))[
        1
    ] == "+ model painter: image 0.04, image_hd_1024x1792 0.12 USD"
    assert await opened.apply(TEXT) == []
    assert await opened.apply(await opened.catalog.export()) == []
    price = opened.catalog.snapshot.models["painter"].price
    assert not price.tokens
    assert price.units == (("image", 40 * 10**9), ("image_hd_1024x1792", 120 * 10**9))
    fresh = opened.again()
    await fresh.load()
    assert fresh.snapshot.models["painter"].price == price


async def test_another_unit_price_is_another_version(opened):
    await opened.apply(TEXT)
    first = opened.catalog.snapshot.models["painter"].price
    [change] = await opened.apply(TEXT.replace('"0.12"', '"0.10"'))
    assert change.endswith("-> image 0.04, image_hd_1024x1792 0.10 USD")
    assert opened.catalog.snapshot.models["painter"].price.version == first.version + 1


async def test_an_unknown_unit_names_the_nearest(opened):
    try:
        await opened.apply(TEXT.replace("image =", "images ="))
    except CatalogError as error:
        assert "unknown key 'images'; did you mean 'image'?" in str(error)
    else:
        raise AssertionError("an unknown unit was accepted")
