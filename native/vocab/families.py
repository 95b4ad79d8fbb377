"""The pre-tokenizer patterns of the model families, as automaton patterns.

Each function transcribes one published regular expression; the expression stands in its
docstring. Knows nothing of vocabularies.
"""

from __future__ import annotations

from automaton import Alt, Atom, Char, Follow, Node, Seq, Star, Test, alt, opt, plus, seq, up_to

# Flags of the bulk (SIMD) splitter, which handles the ASCII part of these shapes.
MASKS, CASE_SPLIT, ATTACHED, SEPARATE, SLASH_TAIL, ONE_DIGIT = 1, 2, 4, 8, 16, 32


def cat(names: str) -> Test:
    """Characters whose category letter is in `names`."""
    return lambda atom: atom[0] in names


def code(characters: str) -> Test:
    """The ASCII characters named."""
    codes = {ord(character) for character in characters}
    return lambda atom: atom[1] in codes


# Category letters: U upper or title, l lower, o other or modifier letter, M mark, N number,
# P punctuation, S symbol, w white space, n CR or LF, x everything else; f is U+017F, a lower-case
# letter that folds to "s".
LETTER = "Ulfo"
SPACE = "wn"


def not_cat(names: str) -> Test:
    """Characters whose category letter is not in `names`."""
    return lambda atom: atom[0] not in names


def _folded(characters: str) -> Char:
    codes = {ord(c) for c in characters.lower() + characters.upper()}
    return Char(lambda atom: atom[1] in codes or (atom[0] == "f" and "s" in characters))


def _contraction() -> Node:
    """Case-insensitive 's 't 're 've 'm 'll 'd."""
    quote = Char(code("'"))
    return Alt(
        (
            seq(quote, _folded("stmd")),
            seq(quote, _folded("rv"), _folded("e")),
            seq(quote, _folded("l"), _folded("l")),
        )
    )


def _tail(newlines: Node, spaces: Char) -> tuple[Node, ...]:
    r"""White space: `newlines`, then \s+(?!\S), then \s+."""
    more = Follow(cat(SPACE), at_end=True)
    return newlines, seq(plus(spaces), more), plus(spaces)


def cased(*, contractions: bool, digits: int, slash: bool, han: bool) -> Node:
    r"""o200k_base (tiktoken), Mistral Tekken and Kimi K2.

    [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|...)?
    |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|...)?
    |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
    Tekken has no contractions and single digits. Kimi puts [\p{Han}]+ first, takes Han characters
    out of the two word classes, and its punctuation swallows no slash.
    """
    prefix = opt(Char(not_cat("n" + LETTER + "N")))
    upper = Char(lambda a: a[0] in "UoM" and not (han and a[2]))
    lower = Char(lambda a: a[0] in "lfoM" and not (han and a[2]))
    ending = opt(_contraction()) if contractions else Seq(())
    newline = Char(cat("n"))
    spaces = Char(cat(SPACE))
    parts: list[Node] = [plus(Char(lambda a: a[2]))] if han else []
    parts += [
        seq(prefix, Star(upper), plus(lower), ending),
        seq(prefix, plus(upper), Star(lower), ending),
        up_to(Char(cat("N")), digits),
        seq(
            opt(Char(code(" "))),
            plus(Char(not_cat(SPACE + LETTER + "N"))),
            Star(Char(code("\r\n/")) if slash else newline),
        ),
        *_tail(seq(Star(spaces), plus(newline)), spaces),
    ]
    return alt(*parts)


def plain(*, digits: int, all_space_at_end: bool) -> Node:
    r"""cl100k_base (tiktoken), Qwen 2 to 3, GLM-4.

    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
    |\s*[\r\n]+|\s+(?!\S)|\s+   (Qwen: \p{N}; cl100k: \s++$ before \s*[\r\n], then \s for \s+)
    """
    newline = Char(cat("n"))
    spaces = Char(cat(SPACE))
    ending = seq(plus(spaces), Follow(lambda a: False, at_end=True))
    parts: list[Node] = [
        _contraction(),
        seq(opt(Char(not_cat("n" + LETTER + "N"))), plus(Char(cat(LETTER)))),
        up_to(Char(cat("N")), digits),
        seq(
            opt(Char(code(" "))),
            plus(Char(not_cat(SPACE + LETTER + "N"))),
            Star(newline),
        ),
        *([ending] if all_space_at_end else []),
        *_tail(seq(Star(spaces), plus(newline)), spaces),
    ]
    return alt(*parts)


def spaced() -> Node:
    r"""r50k_base and p50k_base (tiktoken), GPT-2's.

    '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+$|\s+(?!\S)|\s
    """
    space = opt(Char(code(" ")))
    spaces = Char(cat(SPACE))
    quote = Char(code("'"))
    return alt(
        seq(quote, Char(code("sdmt"))),
        seq(quote, Char(code("l")), Char(code("l"))),
        seq(quote, Char(code("vr")), Char(code("e"))),
        seq(space, plus(Char(cat(LETTER)))),
        seq(space, plus(Char(cat("N")))),
        seq(space, plus(Char(not_cat(SPACE + LETTER + "N")))),
        seq(plus(spaces), Follow(cat(SPACE), at_end=True)),
        plus(spaces),
    )


def deepseek() -> Node:
    r"""DeepSeek V3: three successive splits, each isolating its matches.

    1. \p{N}{1,3}   2. [一-龥\u3040-ゟ゠-ヿ]+
    3. [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
       | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
    The first two cut the text before the third sees it, so a number or a CJK character is the end
    of the text for the third. What nothing matches stays as one piece between its neighbours.
    """

    def cut(atom: Atom) -> bool:
        return atom[0] == "N" or atom[3]

    def rest(test: Test) -> Test:
        return lambda a: not cut(a) and test(a)

    newline = Char(cat("n"))
    spaces = Char(cat(SPACE))
    ascii_mark = Char(code("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
    ascii_letter = Char(lambda a: a[1] >= 0 and chr(a[1]).isalpha())
    word = Char(rest(cat(LETTER + "M")))
    more = Follow(lambda a: cut(a) or a[0] in SPACE, at_end=True)
    gap = seq(
        Char(rest(cat("x"))),
        Follow(lambda a: cut(a) or a[0] not in LETTER + "M", at_end=True),
    )
    return alt(
        up_to(Char(cat("N")), 3),
        plus(Char(lambda a: a[3])),
        seq(ascii_mark, plus(ascii_letter)),
        seq(opt(Char(rest(not_cat("n" + LETTER + "PS")))), plus(word)),
        seq(opt(Char(code(" "))), plus(Char(rest(cat("PS")))), Star(newline)),
        seq(Star(spaces), plus(newline)),
        seq(plus(spaces), more),
        plus(spaces),
        plus(gap),
    )


FAMILIES: dict[str, tuple[Node, int]] = {
    "o200k_base": (
        cased(contractions=True, digits=3, slash=True, han=False),
        MASKS | CASE_SPLIT | ATTACHED | SLASH_TAIL,
    ),
    "tekken": (
        cased(contractions=False, digits=1, slash=True, han=False),
        MASKS | CASE_SPLIT | SLASH_TAIL | ONE_DIGIT,
    ),
    "kimi_k2": (
        cased(contractions=True, digits=3, slash=False, han=True),
        MASKS | CASE_SPLIT | ATTACHED,
    ),
    "cl100k_base": (plain(digits=3, all_space_at_end=True), MASKS | SEPARATE),
    "glm4": (plain(digits=3, all_space_at_end=False), MASKS | SEPARATE),
    "qwen": (plain(digits=1, all_space_at_end=False), MASKS | SEPARATE | ONE_DIGIT),
    "deepseek_v3": (deepseek(), 0),
}

# Patterns of vocabularies that are not packaged: an operator's own rank files.
PATTERNS: dict[str, tuple[Node, int]] = {"spaced": (spaced(), 0)}
