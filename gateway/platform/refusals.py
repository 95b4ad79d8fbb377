"""What an operator's command can be refused for: one line of text that says what to do.

These never reach a caller of the API (those errors are in base/errors.py); the command line and
the administration socket print them. The text never holds a secret.
"""


class Refusal(ValueError):
    """The command cannot be done as asked; nothing was changed."""


class Problem(ValueError):
    """What a person filled in cannot be used. `field` names it, `code` says why; pages have words.

    The code is the whole message: it never holds what was filled in.
    """

    def __init__(self, field: str, code: str) -> None:
        super().__init__(f"{field}: {code}")
        self.field = field
        self.code = code

    def __reduce__(self) -> tuple[type["Problem"], tuple[str, str]]:
        """Made again from its two parts, where a page is drawn by another process."""
        return type(self), (self.field, self.code)
