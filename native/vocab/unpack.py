"""Write the packaged vocabularies uncompressed, and a seed corpus, for the C fuzzer."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (
    "Don't you think we'll need it? I'd say THEY'VE won 12345 times;\n\n  \n//next CamelCase'LLx",
    "人工智能正在改变世界，大型语言模型可以理解和生成自然语言。日本語カタカナ한국어 123",
    " \t\n \r\n  x\n   \n;\n/\n  (a ((b 'tis '' x'll'll ſ's ªABC ªABCd 🎉👍🏽 e\u0301",
    "=" * 300 + "a" * 300 + " " * 300 + "\n" + " " * 300 + "x",
)


def main() -> None:
    """Unpack to build/vocab/raw and build/fuzz/tokens."""
    raw, corpus = ROOT / "build" / "vocab" / "raw", ROOT / "build" / "fuzz" / "tokens"
    raw.mkdir(parents=True, exist_ok=True)
    corpus.mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "gateway" / "_native" / "data").glob("*.tg[uv]"):
        (raw / path.name).write_bytes(zlib.decompress(path.read_bytes()))
    for number, seed in enumerate(SEEDS):
        for family in range(7):
            (corpus / f"seed-{number}-{family}").write_bytes(bytes([family, 7]) + seed.encode())
    sys.stdout.write(f"{raw}\n")


if __name__ == "__main__":
    main()
