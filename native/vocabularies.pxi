# Part of gateway._native.tokens: the vocabularies, each loaded once a process, when it is first asked
# for, and verified. It must know nothing of how text comes.

DATA = Path(__file__).parent / "data"


class VocabularyError(RuntimeError):
    """A vocabulary file is missing, altered, malformed, or memory is short."""


@cython.final
cdef class _Vocabulary:
    cdef tg_vocab *tables
    cdef tg_vocab *twin  # for counters that are lent; NULL until one may be

    def __dealloc__(self):
        tg_vocab_free(self.twin)
        tg_vocab_free(self.tables)


# Families without a public vocabulary: name -> base vocabulary, numerator, denominator. The count is
# the base's times the fraction, rounded up. Measured over 60 samples of 2,000 characters each,
# median error (5th to 95th percentile) of the estimate:
#   estimate_gemini against the vocabulary of Gemma 3, which Google says Gemini shares: English
#     0 % (-7..+4), source code -7 % (-18..+1), Chinese +11..28 %.
#   estimate_claude against Anthropic's last public vocabulary (Claude 2): English +4 % (0..+10),
#     source code +6 % (-7..+24), Chinese -17..-8 %. For Claude 3 and later nothing public exists
#     to measure against.
#   estimate_other (Doubao, MiniMax, Llama, unknown): o200k_base as it stands. Against Llama 3:
#     English 0 % (-1..+1), source code +1 % (0..+3), Chinese -4 %; others unmeasured.
ESTIMATES = {
    "estimate_claude": ("o200k_base", 11, 10),
    "estimate_gemini": ("o200k_base", 15, 14),
    "estimate_other": ("o200k_base", 1, 1),
}

# Names that share another's ranks (tiktoken_ext/openai_public.py): they differ in special tokens.
ALIASES = {"o200k_harmony": "o200k_base", "gpt2": "r50k_base", "p50k_edit": "p50k_base"}

# Families whose tokenizer brings the text to NFC first (dashscope/tokenizers/qwen_tokenizer.py, and
# "normalizer" in Qwen's tokenizer.json). A character with over 256 bytes of marks is cut there.
NORMALIZED = frozenset({"qwen"})

# By code point: not a plain character, see normal.h. Filled when such a vocabulary is loaded.
cdef uint8_t _marks[TG_NORMAL_BYTES]

cdef dict _loaded = {}
_loading = threading.RLock()  # a provided vocabulary may be made of another
cdef dict _provided = {}


def _read(str file not None):
    """The content of a packaged file, verified against SHA256SUMS."""
    try:
        sums = dict(line.split()[::-1] for line in (DATA / "SHA256SUMS").read_text().splitlines())
        packed = (DATA / file).read_bytes()
    except OSError as error:
        raise VocabularyError(f"vocabulary file {file} cannot be read: {error}") from error
    if hashlib.sha256(packed).hexdigest() != sums.get(file):
        raise VocabularyError(f"vocabulary file {file} does not have its recorded sha256")
    return zlib.decompress(packed)


def vocabularies():
    """Names of the exact encodings: the vocabularies in the package, sorted."""
    return sorted(path.stem for path in DATA.glob("*.tgv"))


def encodings():
    """Names a Counter takes: the vocabularies, then the estimates."""
    exact = {*vocabularies(), *_provided}
    exact.update(name for name, base in ALIASES.items() if base in exact)
    return [*sorted(exact), *sorted(ESTIMATES)]


def provide(str name not None, make not None):
    """Add an encoding: `make()` gives its uncompressed vocabulary when it is first used."""
    _provided[name] = make


def splitter(str name not None):
    """The packaged splitter of that name, for a vocabulary that is not packaged."""
    return _read(name + ".tgp")


cpdef load(str encoding):
    """Load an encoding's vocabulary now rather than at first use; ValueError for an unknown name.

    From any thread: other threads run meanwhile (it takes 0.1 to 0.2 s), and of two that ask for
    the same one the second waits.
    """
    encoding = ESTIMATES.get(encoding, (encoding,))[0]
    encoding = ALIASES.get(encoding, encoding)
    if encoding not in _loaded:
        with _loading:
            _load(encoding)
    return _loaded[encoding]


cdef _load(str encoding):
    if encoding in _loaded:
        return
    if encoding in _provided:
        data = _provided[encoding]()
    elif encoding in vocabularies():
        data = _read(encoding + ".tgv")
    else:
        raise ValueError(f"unknown encoding {encoding!r}; known: {', '.join(encodings())}")
    if encoding in NORMALIZED:
        _find_marks()
    _loaded[encoding] = _build(_read("unicode.tgu"), data)


cdef _mark(Py_ssize_t point):
    _marks[point >> 3] |= 1 << (point & 7)


cdef _find_marks():
    """The bit set of normal.h, by the Unicode tables of this Python."""
    # What is left out here is plain: ideographs, Hangul syllables, surrogates and private use.
    for low, high in ((0x300, 0x3400), (0xA000, 0xAC00), (0xF900, 0x20000), (0x2F800, 0x2FA20)):
        for point in range(low, high):
            character = chr(point)
            if unicodedata.combining(character):
                _mark(point)
    for low, high in ((0xA0, 0x3400), (0xF900, 0x20000), (0x2F800, 0x2FA20)):
        for point in range(low, high):
            parts = unicodedata.decomposition(chr(point)).split()
            if not parts or parts[0].startswith("<"):
                continue
            # One that is not its own form is no plain character; else its second part composes.
            if unicodedata.normalize("NFC", chr(point)) != chr(point):
                _mark(point)
            elif len(parts) == 2:
                _mark(int(parts[1], 16))
    for point in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)):  # Hangul vowels and finals
        _mark(point)


cdef _Vocabulary _build(bytes classes, bytes data):
    cdef _Vocabulary vocabulary = _Vocabulary()
    cdef const uint8_t *table = <const uint8_t *>PyBytes_AS_STRING(classes)
    cdef const uint8_t *packed = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef size_t table_size = len(classes), size = len(data)
    cdef tg_vocab *tables
    with nogil:
        tables = tg_vocab_load(table, table_size, packed, size)
    vocabulary.tables = tables
    if tables is NULL:
        raise VocabularyError("a vocabulary is malformed, or memory is short")
    return vocabulary
