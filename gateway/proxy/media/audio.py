"""How long an audio file plays, from its headers; used where a provider does not report it.

The file is the caller's, so its headers are not believed beyond reason: a duration shorter than
the file's size allows at the highest common data rate is raised to that, and a longer one than it
allows at the lowest rate speech is kept at (streamed WAV files claim hours) is cut to that. A file
that no parser understands is taken to play for the latter.
"""

import io
import struct
from collections.abc import Callable

from tinytag import TinyTag, TinyTagException

HIGHEST_BYTES_PER_S = 576_000  # 96 kHz, 24 bits, two channels, uncompressed
LOWEST_BYTES_PER_S = 1_000  # 8 kbit/s: AMR, Opus and Speex for speech
MAX_DURATION_MS = 7 * 24 * 3_600_000
_Read = Callable[[memoryview], float | None]


def duration_ms(file: memoryview) -> int:
    """Milliseconds, at least 1 for a file that is not empty. Blocks for some milliseconds."""
    size = len(file)
    shortest_ms = -(-size * 1000 // HIGHEST_BYTES_PER_S)
    longest_ms = min(-(-size * 1000 // LOWEST_BYTES_PER_S), MAX_DURATION_MS)
    found_s = _seconds(file)
    if found_s is None or not 0 < found_s * 1000 <= MAX_DURATION_MS:
        return longest_ms
    return min(max(round(found_s * 1000), shortest_ms), longest_ms)


def _seconds(file: memoryview) -> float | None:
    """What the file says of itself; None when it says nothing that can be read."""
    try:
        found = TinyTag.get(filename=None, file_obj=io.BytesIO(file), tags=False)
    except (TinyTagException, ValueError, ArithmeticError, LookupError, OSError, struct.error):
        return None
    except (TypeError, AttributeError, EOFError, RecursionError, MemoryError):
        return None  # a parser lost in a hostile file
    return found.duration
