"""What the catalog refuses in a document, a provider, a model or a price, and what it warns of.

Sentences of `refusals`, which takes a refusal apart by them: `what` in one holds another sentence,
`entry` a quoted name or an entry's number, `key` the name of a field, `names` several. An earlier
sentence wins. Where a refusal ends in words of Python's or of the system's, other languages leave
those out.
"""

from typing import Final

from gateway.web.spoken import spoken

SHAPES: Final = {
    "entry": r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+""",
    "key": r"\w+",
    "names": r"[\w.:/@+, -]+",
}

SENTENCES: Final = (
    # Of any key of an entry.
    spoken("must be a table"),
    spoken("unknown key %(entry)s"),
    spoken('price %(key)s is missing; write %(same)s = "0" if it is free'),
    spoken("%(key)s is missing"),
    spoken("%(key)s is not a valid name: letters, digits and a few marks"),
    spoken("%(key)s: not a valid name: letters, digits and a few marks"),
    spoken("%(key)s: %(entry)s is written twice"),
    spoken("%(key)s is one of %(names)s"),
    spoken("%(key)s is a list of 1 to %(count)s keys"),
    spoken("%(key)s is a list of at most %(count)s names"),
    spoken("%(key)s is a list of %(names)s"),
    spoken("%(key)s is true or false"),
    spoken("%(key)s is a whole number of tokens, at least %(count)s"),
    spoken("%(key)s is a whole number from %(least)s to %(most)s"),
    spoken("%(key)s must be written as [[%(same)s]]"),
    spoken("%(key)s must be a URL in quotes"),
    # Of addresses.
    spoken("%(key)s must not hold a user name or password; use api_key"),
    spoken("%(key)s must not have a query or fragment"),
    spoken("%(key)s must be a URL of plain ASCII characters"),
    spoken("%(key)s is not a URL"),
    spoken("%(key)s must begin with %(first)s or %(second)s"),
    spoken("%(key)s must name a host"),
    # Of providers and their keys.
    spoken("provider %(entry)s is written twice"),
    spoken("%(key)s belongs to kind %(kind)s"),
    spoken("api_key or api_keys, not both"),
    spoken("api_keys: one of them is written twice"),
    spoken('%(key)s is "env:NAME", a key, or left out'),
    spoken("%(key)s: after env: the name of an environment variable is expected"),
    spoken("%(key)s must be plain ASCII without spaces"),
    spoken('api_key = "stored", but none is stored here; write the value itself or "env:NAME"'),
    spoken('proxy = "stored", but none is stored here; write the value itself'),
    spoken(
        'api_keys has more "stored" keys than are stored here (%(count)s); write the key itself '
        'or "env:NAME"'
    ),
    spoken("no preset %(entry)s"),
    spoken(
        "no agreement with it is in force; enter one first, at /admin/agreements or with: "
        "tallygate agreements add"
    ),
    spoken("providers are tested by a server that runs"),
    # Of models and their targets.
    spoken("model %(entry)s is written twice"),
    spoken("at least one [[models.targets]] is needed"),
    spoken("the target %(name)s is written twice"),
    spoken("no provider %(entry)s"),
    spoken("the alias %(entry)s is taken by model %(other)s"),
    spoken("fallback %(entry)s is no other model"),
    spoken("unknown encoding %(entry)s"),
    spoken(
        "encoding %(name)s is not packaged: set %(variable)s to a directory that holds its "
        "rank file %(file)s"
    ),
    spoken(
        "encoding %(name)s: %(file)s in the directory that %(variable)s names does not "
        "have the sha256 tiktoken publishes"
    ),
    # Of prices.
    spoken('%(key)s is a decimal in quotes, such as "0.15"'),
    spoken("a price cannot be negative"),
    spoken("amount is not an integer within 2^53 micro-dollars"),
    spoken("price %(key)s is above %(what)s; is the decimal point right?"),
    spoken("100000 USD per million"),
    spoken("1000 USD per request"),
    spoken("1000 USD"),
    # Warnings: what is there and cannot be used as it stands.
    spoken("provider %(name)s has no credentials: %(key)s is not set"),
    spoken("provider %(name)s has fewer keys than it should: %(key)s is not set"),
    spoken("model %(name)s has no price: requests for it are refused"),
    spoken("model %(name)s is counted as %(other)s: no %(encoding)s"),
    # Where it is, and what was meant.
    spoken("%(what)s; did you mean %(entry)s?"),
    spoken("%(what)s; known: none"),
    spoken("%(what)s; known: %(names)s"),
    spoken("the form: %(what)s"),
    spoken("the preset: %(what)s"),
    spoken("provider %(entry)s: %(what)s"),
    spoken("model %(entry)s: %(what)s"),
    spoken("target: %(what)s"),
    spoken("price: %(what)s"),
)

_TOML: Final = "the form is not valid TOML: .+"
REWORDED: Final = (
    (
        _TOML + r" \(at line (?P<line>\d+), column (?P<column>\d+)\)",
        spoken("the form is not valid TOML: see line %(line)s, column %(column)s"),
    ),
    (
        _TOML + r" \(at end of document\)",
        spoken("the form is not valid TOML: it ends before it is complete"),
    ),
    (
        r"encoding (?P<name>\S+): its rank file (?P<file>\S+) cannot be read in the directory that "
        r"(?P<variable>\w+) names: .+",
        spoken(
            "encoding %(name)s: its rank file %(file)s cannot be read in the directory that "
            "%(variable)s names"
        ),
    ),
)
