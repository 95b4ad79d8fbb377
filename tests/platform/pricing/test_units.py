"""Prices of units beside text tokens: reading, writing, rating, and which image costs what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.money import MoneyError
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price, known_fields, parse, render
from gateway.platform.pricing.rating import rate
from gateway.platform.pricing.units import MAX_QUANTITY, image_unit

USD = 10**12
IMAGES = {
    "image": "0.02",
    "image_1024x1792": "0.03",
    "image_hd": "0.05",
    "image_hd_1024x1792": "0.12",
    "image_input": "10",
}


def test_units_alone_need_no_token_prices_and_give_none() -> None:
    price = parse({"audio_hour": "0.36"})
    assert not price.tokens and price.units == (("audio_hour", 36 * USD // 100),)
    assert render(price) == {"audio_hour": "0.36"}
    assert parse({"input": "0", "output": "0"}).tokens


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"input": "1", "image": "0.1"}, "output is missing"),
        ({"image": "-0.1"}, "at least 0"),
        ({"image": "1001"}, "decimal point"),
        ({"character": "100001"}, "decimal point"),
        ({"audio_hour": "1e3"}, "not an amount"),
    ],
)
def test_wrong_prices_are_refused(table: dict[str, str], words: str) -> None:
    with pytest.raises(MoneyError, match=words):
        parse(table)


def test_a_price_knows_only_real_units() -> None:
    with pytest.raises(MoneyError, match="not known"):
        Price(0, 0, 0, 0, 0, units=(("image_HD_1x1", 1),))
    names = known_fields({"image_hd_1024x1024": "1", "image_hd_0x0": "1", "seconds": "1"})
    assert "image_hd_1024x1024" in names
    assert not {"image_hd_0x0", "seconds"} & set(names)


@pytest.mark.parametrize(
    ("units", "cost_picousd"),
    [
        ((("audio_hour", 3_600_000),), 36 * USD // 100),
        ((("audio_hour", 1),), 100_000),
        ((("character", 1_000_000),), 15 * USD),
        ((("search", 3),), 6 * USD // 1000),
        ((("image_hd_1024x1792", 2), ("image", 1)), 26 * USD // 100),
        ((("audio_input", 10), ("audio_output", 5)), 10 * 32_000_000 + 5 * 64_000_000),
    ],
)
def test_units_cost_the_printed_price(
    units: tuple[tuple[str, int], ...], cost_picousd: int
) -> None:
    price = parse(
        {
            **IMAGES,
            "audio_hour": "0.36",
            "character": "15",
            "search": "0.002",
            "audio_input": "32",
            "audio_output": "64",
        }
    )
    assert rate(Usage(units=units), price) == cost_picousd


@given(st.integers(0, 10**10), st.integers(0, 10**9))
def test_audio_is_rounded_up_by_less_than_a_picodollar(quantity_ms: int, microusd: int) -> None:
    price = Price(0, 0, 0, 0, 0, units=(("audio_hour", microusd * 10**6),))
    cost = rate(Usage(units=(("audio_hour", quantity_ms),)), price)
    exact = quantity_ms * microusd * 10**6
    assert 0 <= cost * 3_600_000 - exact < 3_600_000


@pytest.mark.parametrize("quantity", [-1, MAX_QUANTITY + 1])
def test_an_impossible_quantity_is_refused(quantity: int) -> None:
    with pytest.raises(MoneyError, match="negative or absurd"):
        rate(Usage(units=(("image", quantity),)), parse({"image": "0.01"}))


def test_a_unit_without_a_price_is_never_free() -> None:
    with pytest.raises(MoneyError, match="no price"):
        rate(Usage(units=(("image", 1),)), parse({"input": "1", "output": "1"}))


@pytest.mark.parametrize(
    ("quality", "size", "unit"),
    [
        ("hd", "1024x1792", "image_hd_1024x1792"),
        ("standard", "1024x1792", "image_1024x1792"),
        ("hd", "512x512", "image_hd"),
        ("standard", "512x512", "image"),
        ("", "512x512", "image_hd"),  # unknown: the dearest it could be
        ("standard", "auto", "image_1024x1792"),
        ("auto", "", "image_hd_1024x1792"),
        ("\u00e9", "1x", "image_hd_1024x1792"),
    ],
)
def test_the_most_exact_price_of_an_image_wins(quality: str, size: str, unit: str) -> None:
    assert image_unit(parse(IMAGES).units, quality, size) == unit


def test_an_image_that_no_price_fits_has_none() -> None:
    only = parse({"image_hd_1024x1024": "1", "image_input": "3"}).units
    assert image_unit(only, "standard", "1024x1024") is None
    assert image_unit(only, "hd", "512x512") is None
    assert image_unit(only, "hd", "auto") == "image_hd_1024x1024"
