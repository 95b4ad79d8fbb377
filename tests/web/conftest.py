"""Every page that a test of the web asks for is drawn of values that went to another process."""

import pickle
from typing import Any

import pytest

from gateway.web.console.render import Pages


@pytest.fixture(autouse=True)
def values_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Pages.text

    def text(pages: Pages, template: str, language: Any, /, **values: Any) -> str:
        return draw(pages, template, language, **pickle.loads(pickle.dumps(values)))

    monkeypatch.setattr(Pages, "text", text)
