"""The policy table: what each known policy states, which is the strictest, who goes before whom."""

from pathlib import Path

import pytest

from gateway.base.config import SETTINGS, ConfigError, load
from gateway.base.money import MICROUSD_PER_USD
from gateway.base.policy import NUMBERS, POLICIES, PRESETS, STRICT, presets_of, strict

# As the policies say it, read once more: age, days of a sign-in, cost of a hash.
SAID = {
    "strict": ("18", 7, 12),
    "tokenmix": ("13", 7, 12),
    "tokensmind": ("13", 7, 12),
    "ainexus": ("18", 30, 12),
    "alltoken": ("18", 7, 12),
}
SET_BY = ("accounts.minimum_age", "accounts.session_days", "accounts.bcrypt_cost")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_the_numbers_of_its_policy(preset: str) -> None:
    settings = load(environ={"TALLYGATE_POLICY_PRESET": preset})
    assert tuple(settings.get(name) for name in SET_BY) == SAID[preset]
    values = {setting.name: value for setting, value in settings.rows()}
    for name in SET_BY:
        assert (values[name].source, values[name].given) == (f"preset {preset}", False)
    assert values["cache.max_ttl_s"].source == "default"  # the software's own: no preset's


def test_without_a_choice_the_strictest_holds() -> None:
    assert load(environ={}).policy_preset == STRICT
    fixed = {"choice_days": 365, "cookies": 3, "encryption_bits": 256, "price_notice_days": 7}
    fixed |= {"breach_hours": 72, "microusd_per_usd": MICROUSD_PER_USD, "languages": 6}
    assert {name: strict(name) for name in fixed} == fixed


def test_what_the_operator_gives_goes_before_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "tallygate.toml"
    file.write_text('[policy]\npreset = "ainexus"\n[accounts]\nminimum_age = "13"\n', "utf-8")
    variable = {"TALLYGATE_ACCOUNTS_SESSION_DAYS": "7"}
    values = {
        setting.name: (value.value, value.source, value.given)
        for setting, value in load(file, variable, {"accounts.bcrypt_cost": 13}).rows()
    }
    assert values["policy.preset"] == ("ainexus", str(file), True)
    assert values["accounts.minimum_age"] == ("13", str(file), True)
    # The same as the strictest, and yet the operator's: the preset's 30 does not replace it.
    assert values["accounts.session_days"] == (7, "TALLYGATE_ACCOUNTS_SESSION_DAYS", True)
    assert values["accounts.bcrypt_cost"] == (13, "flag", True)


def test_another_preset_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"policy\.preset is one of strict, tokenmix"):
        load(environ={}, flags={"policy.preset": "lax"})


def test_the_strictest_is_the_defaults_value() -> None:
    """The table of settings in the README names defaults; they are those of `strict`."""
    defaults = {setting.name: setting.default for setting in SETTINGS}
    for name, value in presets_of(STRICT).items():
        assert str(defaults[name]) == str(value), name


def test_no_policy_is_stricter_than_the_strictest() -> None:
    for number in NUMBERS:
        for each in number.stated:
            assert each.policy in POLICIES, number.name
            for value in (number.strict, number.of(each.policy)):
                assert value == each.value or number.loosens(each.value), number.name
        assert not number.loosens(number.strict)


def test_what_no_setting_changes_is_one_number_everywhere() -> None:
    """A policy that states another needs a setting first: the software has one value only."""
    for number in NUMBERS:
        if not number.setting:
            assert {number.of(preset) for preset in PRESETS} == {number.strict}, number.name
            assert bool(number.stated) != bool(number.own), number.name


def test_names_and_settings_are_told_once() -> None:
    names = [number.name for number in NUMBERS]
    settings = [number.setting for number in NUMBERS if number.setting]
    assert len(set(names)) == len(names) and len(set(settings)) == len(settings)
    assert set(settings) <= {setting.name for setting in SETTINGS}
