"""Static files: read once, named by a digest of their content, kept by browsers for ever.

The style sheets of static/css are one file, in the order of their names. A script imports another
as `@/name.js`: the import map of the page leads to its present address. Libraries that the build
fetched stand in static/vendor; where it could not, their names are simply missing and a page goes
without them.
"""

import functools
import gzip
import hashlib
import json
from pathlib import Path
from typing import Final, NamedTuple

STYLE: Final = "console.css"
TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WORTH_PACKING: Final = 1024


class Asset(NamedTuple):
    """A static file in memory; its address holds a digest, so a browser may keep it for ever."""

    path: str
    content_type: str
    body: bytes
    packed: bytes | None  # gzip


def load_assets(folder: Path) -> dict[str, Asset]:
    """Every file of a folder by its name within it."""
    bodies: dict[str, bytes] = {}
    sheets = [file.read_bytes() for file in sorted((folder / "css").glob("*.css"))]
    bodies[STYLE] = b"\n".join(sheets)
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.suffix in TYPES and not name.startswith("css/") and file.is_file():
            bodies[name] = file.read_bytes()
    return {name: _asset(name, body) for name, body in bodies.items()}


@functools.cache  # a process may open more than one gateway, as tests do
def _asset(name: str, body: bytes) -> Asset:
    digest = hashlib.sha256(body).hexdigest()[:12]
    packed = gzip.compress(body, 9, mtime=0) if len(body) > _WORTH_PACKING else None
    return Asset(f"/static/{digest}/{name}", TYPES["." + name.rpartition(".")[2]], body, packed)


def import_map(assets: dict[str, Asset]) -> str:
    """The import map of every page, as JSON that can stand inside a script element."""
    scripts = {f"@/{name}": asset.path for name, asset in assets.items() if name.endswith(".js")}
    return json.dumps({"imports": scripts}, separators=(",", ":")).replace("<", "\\u003c")
