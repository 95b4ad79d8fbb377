"""The Date line of an answer (RFC 9110, 6.6.1), made anew twice a second for all answers.

Formatting a date costs more than all else a sweep does, so it is done once a minute.
"""

from email.utils import formatdate

_SECOND = b"00 GMT"  # how a whole minute's date ends (RFC 9110, 5.6.7)


class DateLine:
    """Makes the line; remembers the minute it made it for."""

    def __init__(self) -> None:
        self._minute = -1
        self._start = b""

    def at(self, now_s: int) -> bytes:
        """The line for a moment, in whole seconds since the epoch."""
        minute = now_s // 60
        if minute != self._minute:
            whole = f"Date: {formatdate(minute * 60, usegmt=True)}".encode()
            self._minute, self._start = minute, whole.removesuffix(_SECOND)
        return b"%b%02d GMT\r\n" % (self._start, now_s % 60)
