"""Refusals on the administration's pages: in the reader's language, and said by some room."""

import re
from pathlib import Path

import pytest

import gateway
from gateway.platform.refusals import Refusal
from gateway.web.console import i18n
from gateway.web.console.refusals import SENTENCES, VALUE, said

SOURCES = Path(gateway.__file__).parent


def test_every_sentence_is_said_by_a_room() -> None:
    here = SOURCES / "web/console/refusals.py"
    files = [
        path for path in SOURCES.rglob("*.py") if path != here and "dialects" not in path.parts
    ]
    text = " ".join(path.read_text("utf-8") for path in files)
    text = re.sub(r'"\s+f?"', "", text)  # a sentence over several lines
    for sentence in SENTENCES:
        longest = max(VALUE.sub("\0", sentence).split("\0"), key=len)
        assert longest.strip("; :") in text, sentence


@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_it_is_said_in_the_readers_language(code: str) -> None:
    with i18n.speaking(i18n.LANGUAGES[code]):
        told = said("the account a@b.example exists already")
        assert "a@b.example" in told.text and not told.english
        assert ("exists already" in told.text) == (code == "en")
        assert said("no such thing as 100% of it") == ("no such thing as 100% of it", code != "en")


def test_values_stay_as_they_are() -> None:
    with i18n.speaking(i18n.LANGUAGES["ru"]):
        assert "'50% <b>'" in said(str(Refusal("not an e-mail address: '50% <b>'"))).text
