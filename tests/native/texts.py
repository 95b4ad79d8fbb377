"""Random texts for holding the counter against its references.

Every plane of Unicode, tortures of white space, contractions, marks and case, runs of one
character, and real text (this repository's own sources and some sentences) with mutations.
"""

from __future__ import annotations

import random
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Characters chosen for the rules they touch.
TELLING = [
    *"abcXYZ019 ''\"/\\.,;:!?-_()[]{}<>=+*&^%$#@~`|\t\n\r\v\f",
    *["'s", "'T", "'re", "'VE", "'m", "'Ll", "'d", "'\u017f", "ll", "  ", "\r\n", "\n\n", " \n"],
    *["\x00", "\x1c", "\x1f", "\x7f", "\x85", "\u00a0", "\u2028", "\u3000", "\u200b", "\ufeff"],
    *["\u00aa", "\u02b0", "\u01c5", "\u0301", "\u0308", "\u0903", "\u20dd", "\u200d", "\ufe0f"],
    *["é", "É", "ß", "ſ", "Ω", "ж", "Ж", "א", "ع", "अ", "한", "あ", "ア", "ー", "中", "文", "字"],
    *[
        "²",
        "½",
        "٣",
        "Ⅷ",
        "〇",
        "𝟘",
        "。",
        "，",
        "“",
        "”",
        "’",
        "—",
        "€",
        "⺀",
        "々",
        "龦",
        "\u3040",
    ],
    *[
        "😀",
        "👍🏽",
        "👩‍👩‍👧",
        "🇩🇪",
        "\U00010400",
        "\U00010428",
        "\U00020000",
        "\U0010ffff",
        "\ufffd",
    ],
]
SENTENCES = """Don't you think we'll need it? I'd say they've won, it's clear; she'LL agree.
人工智能正在改变世界，大型语言模型可以理解和生成自然语言。今天的天气很好，我们一起去公园散步吧！
日本語のテキストにはカタカナやひらがなが混ざっています。한국어 문장도 여기에 있습니다.
Привет, мир! Как дела? Ça va très bien, merci. Größe, naïve façade, ¿qué tal? Ελληνικά κείμενα.
مرحبا بالعالم، كيف حالك؟ שלום עולם. हिन्दी में एक वाक्य। ภาษาไทยไม่มีช่องว่าง 123456 7.89e-10
def f(x: int) -> str:\n    return f"{x!r:>10}"  # comment\n\n\nclass CamelCaseName:\n\tpass\r\n
https://example.com/path?q=1&r=%20#frag  {"key": [1, 2.5, null], "other": "va\\nlue"} 🎉🎉🚀"""


class Texts:
    """An endless source of texts, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        files = sorted(ROOT.glob("gateway/base/*.py")) + sorted(ROOT.glob("native/c/*.c"))
        self.real = [SENTENCES * 2, *(f.read_text(encoding="utf-8") for f in files)]
        self.kinds = [self.telling, self.planes, self.runs, self.ascii, self.mutated, self.mutated]

    def telling(self) -> str:
        return "".join(self.random.choices(TELLING, k=self.random.randint(0, 60)))

    def planes(self) -> str:
        tops = self.random.choices([0x250, 0x3000, 0x10000, 0x20000, 0x110000], k=30)
        points = (self.random.randrange(top) for top in tops[: self.random.randint(0, 30)])
        return "".join(chr(p) for p in points if not 0xD800 <= p <= 0xDFFF)

    def runs(self) -> str:
        lengths = (1, 1, 2, 3, 8, 40, 130, 270, 700)
        parts = (
            self.random.choice(TELLING) * self.random.choice(lengths)
            for _ in range(self.random.randint(1, 7))
        )
        return "".join(parts)

    def ascii(self) -> str:
        return "".join(map(chr, self.random.choices(range(128), k=self.random.randint(0, 300))))

    def mutated(self) -> str:
        whole = self.random.choice(self.real)
        at = self.random.randrange(len(whole))
        text = list(whole[at : at + self.random.randint(1, 1200)])
        for _ in range(self.random.randint(0, 10)):
            place = self.random.randrange(len(text) + 1)
            match self.random.randrange(4):
                case 0:
                    text[place : place + 1] = self.random.choice(TELLING)
                case 1:
                    del text[place : place + self.random.randint(1, 4)]
                case 2:
                    text[place:place] = self.random.choice(TELLING) * self.random.randint(1, 5)
                case _:
                    text[place:place] = text[max(0, place - self.random.randint(1, 30)) : place]
        return "".join(text)

    def text(self) -> str:
        """The next text."""
        return self.random.choice(self.kinds)()

    def cuts(self, data: bytes) -> list[bytes]:
        """`data` cut at random places, in the middle of characters too."""
        least, many = self.random.choice(((1, 1), (1, 4), (1, 12), (1, 200), (64, 837)))
        parts, at, draw = [], 0, self.random.random
        while at < len(data):
            size = least + int(draw() * many)
            parts.append(data[at : at + size])
            at += size
        return parts
