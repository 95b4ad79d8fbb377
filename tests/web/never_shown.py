"""What the rooms refuse that no page shows in their words: `x` stands for each value.

A page either has words of its own for it, or cannot be refused so. Anything else that a room says
needs words in every language, see `test_spoken`.
"""

from typing import Final

# Pages of one-time links say that the link is no good, whatever was wrong with it.
LINKS: Final = (
    "the link is unknown, expired or already used; ask for a new one",
    "the link is unknown, expired or already used; sign up again",
    "the sign-in link is unknown, expired or already used; ask for a new one",
    "nobody signs in as an organisation; its members sign in as themselves",
    "the link is unknown or was used already",
)
# The form of a key says at each field what may stand there; a key that is not there is no page.
KEYS: Final = (
    "a key's name is 1 to 'x' printable characters",
    "a revoked key stays as it is",
    "a key is bound to at most 'x' 'x'",
    "'x' is not a model's name",
    "'x' is not an endpoint's name",
    "'x' is not an address or network",
    "'x' must be from 'x' to 'x'",
    "no key 'x'; see: tallygate keys list",
)
# Nothing of a page leads there: of the command line, of the start, and of programs.
ELSEWHERE: Final = (
    "a ground is one of 'x', not 'x'",
    "an organisation's account is nobody's to purge",
    "'x' keys match 'x'; name one by its id",
    "a key works on for at most 'x' days",
    "answers are cached for 1 to 'x' seconds",
    "setting 'x': 'x'",
    "setting server.trusted_proxies: 'x'",
    "no tier 'x'; see: tallygate limits tiers list",
    "a tier's name is letters, digits, dots and dashes, at most 64",
    "'x' accounts have the tier 'x'; give them another first",
    "there is no organisation 'x'",
    "there is no breach 'x'",
    "there is no incident 'x'",
    "there is no version in force yet; start the server first",
    "no class of change: 'x'; they are 'x'",
    "there is a version 'x' already; give this one another name",
    "'x' takes effect on 'x' at the earliest",
    "there is no review case 'x'",
    "what is taken back goes where it came from",
)
# What would be a fault of ours: a form checks it before, or no form says it.
INVARIANTS: Final = (
    "a cost cannot be negative and a remainder is below one micro-dollar",
    "cost exceeds 2^53 micro-dollars",
    "a charge names a credit lot that is not stored",
    "a charge names a wallet that is not stored",
    "credit is taken back from a lot that is not stored",
    "credit is taken back from a wallet that is not stored",
    "there is no credit lot 'x'",
    "there is no room for another cash account",
    "credit comes from promotion, adjustment or cash:NAME, not 'x'",
    "credit from 'x' is not 'x'",
    "a settlement reached into credit that other requests hold",
    "more was released than was held",
    "the hold was settled or released before",
    "a hold wants at least its least amount, and neither is negative",
    "the lots of a wallet do not add up to its balance",
    "a transfer moves a positive amount",
    "'x' must be 1 to 'x' printable characters",
    "there is no transaction 'x' to correct",
    "a grant is a positive amount",
    "ids that start with 'x' belong to requests",
    "the transaction 'x' exists with other fields",
    "the charge was submitted before",
    "a usage cannot be negative, nor reasoning exceed output",
    "a usage cannot be negative",
    "a quantity is negative or absurd",
    "price 'x' is not known",
    "price 'x' must be a whole number of picousd, at least 0",
    "'x' has no price",
)
NEVER_SHOWN: Final = frozenset((*LINKS, *KEYS, *ELSEWHERE, *INVARIANTS))
