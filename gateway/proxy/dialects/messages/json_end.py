"""Tells whether a JSON object given in pieces is complete, in constant memory."""

import re

_STRUCTURE = re.compile(r'["\\{}\[\]]')


class JsonEnd:
    """Feed it the text of one object; `complete` once its last brace came.

    It trusts the text to be JSON; of other text it may say anything, but says it in bounded time.
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "complete")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = -1  # the place of a letter that a backslash escapes
        self.complete = False

    def feed(self, text: str) -> None:
        """Take the next piece."""
        for found in _STRUCTURE.finditer(text):
            place, letter = found.start(), found.group()
            if self._in_string:
                if place == self._escaped:
                    self._escaped = -1
                elif letter == "\\":
                    self._escaped = place + 1
                elif letter == '"':
                    self._in_string = False
            elif letter == '"':
                self._in_string = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    self.complete = True
        # An escape at the very end reaches into the next piece; any other is spent.
        self._escaped = 0 if self._escaped == len(text) else -1
