"""What an operator's command can be refused for: one line of text that says what to do.

These never reach a caller of the API (those errors are in base/errors.py); the command line and
the administration socket print them. The text never holds a secret.
"""


class Refusal(ValueError):
    """The command cannot be done as asked; nothing was changed."""
