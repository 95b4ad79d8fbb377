"""Words that must be found nowhere, and the search for them in every form they might take."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

WINDOW = 8  # of a key, every run of so many characters past the shown prefix is searched for


def word(name: str) -> str:
    """A word that occurs nowhere else; it has a letter that JSON, URLs and UTF-8 write apart."""
    return f"{name}é{secrets.token_hex(12)}"


def forms(text: str) -> set[bytes]:
    """The ways the text might stand in a file: raw, escaped, hex, base64 at each alignment."""
    raw = text.encode()
    found = {raw, text.encode("utf-16-le"), quote(text).encode(), json.dumps(text)[1:-1].encode()}
    found |= {repr(raw)[2:-1].encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        # Without the characters that depend on the neighbours before and behind.
        coded = base64.b64encode(b"\0" * shift + raw)
        inner = coded[4 if shift else 0 : -4]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def windows(secret: str, shown: int) -> set[bytes]:
    """Every run of WINDOW characters of a key past those that may be shown."""
    hidden = secret[shown:].encode()
    return {hidden[at : at + WINDOW] for at in range(len(hidden) - WINDOW + 1)}


@dataclass
class Canaries:
    """Named words and keys; `found_in` says which of them some bytes hold."""

    needles: dict[str, set[bytes]] = field(default_factory=dict)

    def word(self, name: str) -> str:
        made = word(name)
        self.needles[name] = forms(made)
        return made

    def secret(self, name: str, text: str, shown: int = 0) -> str:
        self.needles[name] = forms(text) | windows(text, shown)
        return text

    def found_in(self, data: bytes) -> set[str]:
        return {
            name
            for name, needles in self.needles.items()
            if any(needle in data for needle in needles)
        }

    def found_under(self, folder: Path) -> dict[str, set[str]]:
        """The files of a folder (sockets aside) that hold any of them."""
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        hits = {path.name: self.found_in(path.read_bytes()) for path in files}
        return {name: found for name, found in hits.items() if found}
