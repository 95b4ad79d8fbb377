import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.platform.catalog.address import split_base_url
from gateway.platform.catalog.document import (
    CatalogError,
    Document,
    ModelEntry,
    ProviderEntry,
    TargetEntry,
    parse,
)
from gateway.platform.catalog.presets import offered, read_presets
from gateway.platform.catalog.render import render
from gateway.platform.catalog.snapshot import ENDPOINTS, KINDS, POLICIES
from gateway.platform.pricing.prices import Price

EXAMPLE = """
[[providers]]
name = "openai"
kind = "openai"
base_url = "https://api.openai.com/v1"
api_key = "env:OPENAI_API_KEY"
allow_private_address = false
[[models]]
name = "gpt-4o-mini"
context_tokens = 128000
max_output_tokens = 16384
encoding = "o200k_base"
[[models.targets]]
provider = "openai"
model = "gpt-4o-mini"
[models.price]
input = "0.15"
cache_read = "0.075"
output = "0.60"
"""


def test_the_documented_example_is_read():
    document = parse(EXAMPLE)
    assert document.providers["openai"] == ProviderEntry(
        "openai", "openai", "https://api.openai.com/v1", "env:OPENAI_API_KEY"
    )
    model = document.models["gpt-4o-mini"]
    assert (model.context_tokens, model.max_output_tokens) == (128_000, 16_384)
    assert (model.encoding, model.targets) == (
        "o200k_base",
        (TargetEntry("openai", "gpt-4o-mini"),),
    )
    assert model.price == Price(0, 150_000, 75_000, 150_000, 600_000)


def changed(old, new):
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new)


TARGET = '[[models.targets]]\nprovider = "openai"\nmodel = "gpt-4o-mini"\n'

ERRORS = [
    ("[[providers]", "c is not valid TOML: "),
    ("providers = 1", "c: providers must be written as [[providers]]"),
    ("provider = []", "c: unknown key 'provider'; did you mean 'providers'?"),
    (changed("base_url", "base_ulr"), "c: provider 'openai': unknown key 'base_ulr'; did you mean"),
    (changed('kind = "openai"', 'kind = "opnai"'), "kind is one of openai, azure-openai"),
    (changed('name = "openai"\n', 'name = "a b"\n'), "name is not a valid name"),
    (changed('name = "openai"\nkind', "kind"), "c: provider 1: name is missing"),
    (changed("https://api.openai.com/v1", "api.openai.com"), "base_url must begin with http://"),
    (changed("https://api.", "ftp://api."), "base_url must begin with http://"),
    (changed("https://api.", "https://u:hunter2@api."), "must not hold a user name or password"),
    (changed("com/v1", "com/v1?x=1"), "must not have a query or fragment"),
    (changed("com/v1", "com:99999/v1"), "base_url is not a URL"),
    (changed("com/v1", "com:0/v1"), "base_url must name a host"),
    (changed("https://api.openai.com/v1", "https:///v1"), "base_url must name a host"),
    (changed("com/v1", "com/v1\\r\\nX: y"), "base_url must be a URL of plain ASCII"),
    (changed('"env:OPENAI_API_KEY"', '"env:"'), "after env: the name of an environment variable"),
    (changed('"env:OPENAI_API_KEY"', '""'), 'api_key is "env:NAME", a key, or left out'),
    (changed('"env:OPENAI_API_KEY"', '"hunter2\\r\\nX: y"'), "api_key must be plain ASCII"),
    (changed("= false", '= "no"'), "allow_private_address is true or false"),
    (changed("= false", '= false\nproxy = "ftp://p"'), "proxy must begin with http:// or socks5"),
    (changed("= false", '= false\ndisconnect = "x"'), "disconnect is one of abort, drain"),
    (changed("= false", '= false\nendpoints = ["chats"]'), "endpoints is a list of chat, "),
    (changed("= false", "= false\nendpoints = []"), "endpoints is a list of chat, "),
    (changed("= false", '= false\nquirks = ["odd"]'), "quirks is a list of max_tokens, "),
    (changed("= false", '= false\nquirks = "no_user"'), "quirks is a list of max_tokens, "),
    (changed("context_tokens", "contex_tokens"), "unknown key 'contex_tokens'; did you mean"),
    (changed("128000", "0"), "context_tokens is a whole number of tokens, at least 1"),
    (changed("128000", "1e3"), "context_tokens is a whole number of tokens"),
    (changed("128000", "true"), "context_tokens is a whole number of tokens"),
    (changed("context_tokens = 128000\n", ""), "context_tokens is missing"),
    (changed("max_output_tokens = 16384\n", ""), "max_output_tokens is missing"),
    (changed('provider = "openai"\n', ""), "c: model 'gpt-4o-mini': target: provider is missing"),
    (changed('"0.15"', "0.15"), 'price: input is a decimal in quotes, such as "0.15"'),
    (changed('"0.15"', '"cheap"'), "price: not an amount in USD"),
    (changed('"0.15"', '"-1"'), "price: a price cannot be negative"),
    (changed('"0.15"', '"999999999"'), "is the decimal point right?"),
    (changed('output = "0.60"', 'ouput = "0.60"'), "price: unknown key 'ouput'; did you mean"),
    (changed('output = "0.60"', ""), "price output is missing"),
    (changed('name = "gpt-4o-mini"', 'name = "../x"'), "name is not a valid name"),
    (EXAMPLE + EXAMPLE, "c: provider 'openai' is written twice"),
    (changed("= false", '= false\napi_keys = ["k"]'), "api_key or api_keys, not both"),
    (changed('api_key = "env:OPENAI_API_KEY"', "api_keys = []"), "api_keys is a list of 1 to 64"),
    (changed('api_key = "env:OPENAI_API_KEY"', 'api_keys = ["a", "a"]'), "one of them is written"),
    (changed('api_key = "env:OPENAI_API_KEY"', 'api_keys = ["a b"]'), "api_keys must be plain"),
    (changed("= false", "= false\nhealth_interval_s = 0"), "is a whole number from 1 to 86400"),
    (changed("context_tokens", 'policy = "fastest"\ncontext_tokens'), "policy is one of ordered, "),
    (changed("context_tokens", 'aliases = "x"\ncontext_tokens'), "aliases is a list of at most"),
    (changed("context_tokens", 'aliases = ["x", "x"]\ncontext_tokens'), "'x' is written twice"),
    (changed("context_tokens", 'fallbacks = ["../x"]\ncontext_tokens'), "not a valid name"),
    (changed('model = "gpt', 'weight = -1\nmodel = "gpt'), "weight is a whole number from 0"),
    (changed('model = "gpt', 'max_concurrent = 0\nmodel = "gpt'), "max_concurrent is a whole"),
    (changed('model = "gpt', 'wieght = 1\nmodel = "gpt'), "unknown key 'wieght'; did you mean"),
    (
        changed("[models.price]", '[models.targets.price]\ninput = "1"\n[models.price]'),
        "target: price: price output is missing",
    ),
    (
        changed("[models.price]", TARGET + "[models.price]"),
        "the target openai:gpt-4o-mini is written twice",
    ),
]


@pytest.mark.parametrize(("text", "words"), ERRORS)
def test_every_error_is_one_line_that_says_where_and_what(text, words):
    with pytest.raises(CatalogError) as caught:
        parse(text, "c")
    line = str(caught.value)
    assert words in line
    assert line.startswith("c") and "\n" not in line
    assert "hunter2" not in line


def test_a_model_needs_a_target():
    text = '[[models]]\nname="m"\ncontext_tokens=1\nmax_output_tokens=1\n'
    with pytest.raises(CatalogError, match="at least one"):
        parse(text)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://API.Example.com/v1/", ("https", "api.example.com", 443, "/v1")),
        ("http://127.0.0.1:9000", ("http", "127.0.0.1", 9000, "")),
        ("http://[::1]:9000/a/b", ("http", "::1", 9000, "/a/b")),
    ],
)
def test_a_base_url_is_split(url, parts):
    assert tuple(split_base_url(url)) == parts


names = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12).filter(
    lambda name: name[0] not in "._-"
)
amounts = st.integers(0, 10**9)
price_values = st.builds(
    Price,
    st.just(0),
    amounts,
    amounts,
    amounts,
    amounts,
    st.none() | amounts,
    st.integers(0, 10**6).map(lambda microusd: microusd * 10**6),
)


@st.composite
def documents(draw, literals=False):
    """Any valid document; with `literals`, credentials that are stored encrypted."""
    keys = st.none() | names.map(lambda name: "env:A" + name.replace("-", "_").replace(".", "_"))
    if literals:
        keys |= st.text(string.ascii_letters + "-_./+=", min_size=7, max_size=30)
    providers = {}
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        port = draw(st.none() | st.integers(1, 65_535))
        where = f"https://{name.lower().strip('._-')}.example" + (f":{port}" if port else "")
        kind = draw(st.sampled_from(list(KINDS)))
        spoken = ENDPOINTS if kind == "openai" else KINDS[kind]
        providers[name] = ProviderEntry(
            name,
            kind,
            where + draw(st.sampled_from(["", "/v1", "/a/b"])),
            draw(keys),
            draw(st.booleans()),
            draw(st.sampled_from([None, "socks5://proxy:1080", "http://proxy.example:3128"])),
            draw(st.sampled_from(["abort", "drain"])),
            draw(
                st.sets(st.sampled_from(spoken), min_size=1).map(
                    lambda chosen, spoken=spoken: tuple(name for name in spoken if name in chosen)
                )
            ),
            "eu-west-1" if kind == "bedrock" else None,
            draw(st.sampled_from([None, "2024-10-21"])) if kind == "azure-openai" else None,
            health_interval_s=draw(st.none() | st.integers(1, 600)),
        )
        if providers[name].api_key is None:
            pool = tuple(draw(st.lists(keys.filter(bool), max_size=3, unique=True)))
            providers[name] = replace(providers[name], api_keys=pool)
    target = st.builds(
        TargetEntry,
        st.sampled_from(list(providers)),
        names,
        st.integers(0, 100),
        st.none() | names,
        st.none() | st.integers(1, 1000),
        st.none() | price_values,
    )
    models = {}
    drawn = draw(st.lists(names, max_size=4, unique=True))
    for name in drawn:
        others = [other for other in drawn if other != name]
        models[name] = ModelEntry(
            name,
            draw(st.integers(1, 10**6)),
            draw(st.integers(0, 10**6)),
            draw(st.none() | st.integers(1, 10**6)),
            draw(st.sampled_from([None, "o200k_base", "cl100k_base"])),
            tuple(
                draw(
                    st.lists(
                        target, min_size=1, max_size=3, unique_by=lambda t: (t.provider, t.model)
                    )
                )
            ),
            draw(st.none() | price_values),
            draw(st.sampled_from(POLICIES)),
            tuple(f"{name}/{number}" for number in range(draw(st.integers(0, 2)))),
            tuple(draw(st.permutations(others)))[: draw(st.integers(0, 2))],
            draw(st.booleans()),
        )
    return Document(providers, models)


def same(first, second):
    """Equal up to price fields that mean the same."""
    assert list(first.providers.items()) == list(second.providers.items())
    assert list(first.models) == list(second.models)
    for name, model in first.models.items():
        other = second.models[name]
        assert same_price(model.price, other.price)
        for one, two in zip(model.targets, other.targets, strict=True):
            assert same_price(one.price, two.price)
            assert replace(one, price=None) == replace(two, price=None)
        assert replace(model, price=None, targets=()) == replace(other, price=None, targets=())


def same_price(first, second):
    return first is second if first is None or second is None else first.same_as(second)


@settings(max_examples=40)
@given(documents())
def test_what_is_written_is_read_back_the_same(document):
    same(parse(render(document)), document)


@settings(max_examples=40)
@given(documents(literals=True))
def test_a_literal_credential_is_never_written(document):
    text = render(document)
    for provider in document.providers.values():
        for api_key in (provider.api_key, *provider.api_keys):
            if api_key and not api_key.startswith("env:"):
                assert f'"{api_key}"' not in text
                assert '"stored"' in text


def test_the_presets_are_valid_and_complete():
    presets = read_presets()
    assert set(presets.models) >= {"sandbox/echo", "sandbox/lorem", "gpt-4o-mini"}
    for model in presets.models.values():
        assert model.price is not None, model.name
        assert all(target.provider in presets.providers for target in model.targets)
    for name, provider in presets.providers.items():
        if provider.kind == "sandbox" or provider.allow_private_address:
            continue
        assert provider.api_key.startswith("env:"), name
        assert provider.base_url.startswith("https://"), name


def test_presets_are_offered_by_the_variables_that_are_set():
    assert list(offered({}).providers) == ["sandbox"]
    assert list(offered({}, sandbox=False).providers) == []
    found = offered({"OPENAI_API_KEY": "x", "GROQ_API_KEY": " "})
    assert list(found.providers) == ["sandbox", "openai"]
    assert "gpt-4o-mini" in found.models and "claude-haiku-4-5" not in found.models


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('kind = "bedrock"', "region is missing"),
        ('kind = "bedrock"\nregion = "here"', "region is not a valid name"),
        ('kind = "gemini"\nregion = "eu-west-1"', "region belongs to kind bedrock"),
        ('kind = "openai"\napi_version = "1"', "api_version belongs to kind azure-openai"),
        ('kind = "azure-openai"', "base_url is missing"),
        ('kind = "anthropic"\nendpoints = ["chat"]', "endpoints is a list of messages"),
        ('kind = "antropic"', "kind is one of"),
    ],
)
def test_fields_belong_to_kinds(entry, words):
    with pytest.raises(CatalogError, match=words):
        parse(f'[[providers]]\nname = "p"\n{entry}')


def test_kinds_know_their_address_and_what_they_speak():
    document = parse(
        '[[providers]]\nname = "a"\nkind = "anthropic"\n'
        '[[providers]]\nname = "b"\nkind = "bedrock"\nregion = "eu-central-1"\n'
    )
    assert document.providers["a"].base_url == "https://api.anthropic.com/v1"
    assert document.providers["a"].endpoints == ("messages",)
    address = "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert document.providers["b"].base_url == address
