"""The README tells the truth: every error code, setting and make target it should list is there."""

import re
from pathlib import Path

from gateway.base.config import SETTINGS
from gateway.base.errors import CATALOGUE
from gateway.proxy.dialects.endpoints import ENDPOINTS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_every_error_is_documented_as_its_class_says() -> None:
    for error in CATALOGUE.values():
        words = " ".join((error.__doc__ or "").split())
        retry = "yes" if error.retryable else "no"
        row = f"| `{error.code}` | {error.status} | {error.source} | {retry} | {words} |"
        assert row in README, row


def test_every_setting_is_documented_with_its_default() -> None:
    for setting in SETTINGS:
        default = "empty" if setting.default == "" else setting.default
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"| `{setting.name}` | {shown} | {setting.help} |" in README, setting.name


def test_the_matrix_is_the_one_that_tests_made() -> None:
    guide = ROOT / "gateway/web/console/templates/guides/en/translation.md"
    text = guide.read_text("utf-8")
    table = text[text.index("| SDK |") :].split("\n\n")[0].strip()
    assert table.count("\n") > 3
    assert table in README


def test_every_endpoint_and_target_is_named() -> None:
    for endpoint in ENDPOINTS.values():
        assert endpoint.path in README
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`make ([a-z]+)", README))
    assert named <= targets | {"help"}
    assert {"run", "test", "check", "bench"} <= named
