"""Hostile words at every door: refused in the door's own form or served, and never a failure.

Every inference endpoint, every operation of the self-service API and every page whose address holds
an id or a query is asked with the text, numbers and documents of `odd_words`.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.proxy.dialects.endpoints import BY_NAME, Endpoint
from gateway.web.api.application import OPERATIONS
from gateway.web.api.door import PREFIX, Operation
from tests.fakes.endpoints import ASKED, FILES, FORMS, catalog, provide
from tests.fakes.gateway import Answer, RunningGateway, running
from tests.fakes.media import form, wav
from tests.fakes.postgres import Server
from tests.fakes.upstream import FakeUpstream
from tests.web.odd_words import (
    NUMBERS,
    TEXTS,
    ask,
    deep,
    documents,
    encoded,
    literals,
    segments,
    texts,
    wide,
)
from tests.web.test_matrix import DECLARED, Victim

FIELDS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "stream", "temperature")
MORE = ("model", "models", "stream_options", "tools", "metadata", "user", "messages", "input")
MEDIA = ("prompt", "size", "quality", "query", "documents", "stream_format", "voice")
GEMINI = ("maxOutputTokens", "candidateCount", "temperature", "stopSequences", "responseSchema")


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    upstream.handler = provide
    async with running(tmp_path / "data", catalog=catalog(upstream.port), credit_usd="1000") as one:
        yield one


# --- what each door answers ---------------------------------------------------------------------


def assert_error_of(family: str, answer: Answer) -> None:
    """The error's shape is that of the API asked; what is no HTTP is told in OpenAI's."""
    found = answer.json
    error = found["error"]
    assert error["message"] and error["code"], found
    if family == "anthropic" and found.get("type") == "error":
        assert set(error) == {"type", "message", "code"} and found["request_id"]
    elif family == "gemini" and "details" in error:
        assert error["code"] == answer.status and error["status"] and error["details"]
    else:
        assert family == "openai" or answer.status in (400, 413, 414)
        assert set(error) == {"message", "type", "param", "code"}


async def infer(
    gateway: RunningGateway,
    endpoint: Endpoint,
    body: bytes,
    media: bytes = b"application/json",
    target: bytes | None = None,
    name: str = "",
) -> Answer:
    headers = [("Authorization", f"Bearer {gateway.key}"), ("Content-Type", media)]
    path = target or endpoint.path.replace("{m}", "by-openai").encode()
    answer = await ask(gateway, "POST", path, headers, body)
    case = (endpoint.name, name, answer.status, answer.body[:300])
    assert answer.status == 200 or 400 <= answer.status < 500, case
    if answer.status >= 400:
        assert_error_of(endpoint.family, answer)
    return answer


def base_of(endpoint: Endpoint, kind: str = "openai") -> dict[str, Any]:
    named = {} if endpoint.family == "gemini" else {"model": f"by-{kind}"}
    return named | ASKED[endpoint.name]


def with_field(base: dict[str, Any], field: str, literal: str) -> bytes:
    """The base with one field more, whose value is written as it stands."""
    kept = json.dumps({name: value for name, value in base.items() if name != field})
    return f"{kept[:-1]}{', ' if kept != '{}' else ''}{json.dumps(field)}: {literal}}}".encode()


JSON_ENDPOINTS = [BY_NAME[name] for name in ASKED]


@pytest.mark.parametrize("endpoint", JSON_ENDPOINTS, ids=lambda each: each.name)
async def test_an_endpoint_refuses_odd_documents(
    gateway: RunningGateway, endpoint: Endpoint
) -> None:
    base = base_of(endpoint)
    assert (await infer(gateway, endpoint, json.dumps(base).encode())).status == 200
    for name, media, body in documents(base):
        await infer(gateway, endpoint, body, media, name=name)
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        answer = await infer(gateway, endpoint, deep(base, opening, closing))
        assert answer.status == 400
    for coding in (b"gzip", b"br", b"zstd", b"no-such", b"\xff"):
        headers = [("Authorization", f"Bearer {gateway.key}"), ("Content-Encoding", coding)]
        path = endpoint.path.replace("{m}", "by-openai").encode()
        answer = await ask(gateway, "POST", path, headers, json.dumps(base).encode())
        assert answer.status == 415
        assert_error_of(endpoint.family, answer)
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("endpoint", JSON_ENDPOINTS, ids=lambda each: each.name)
async def test_an_endpoint_takes_or_refuses_odd_values(
    gateway: RunningGateway, endpoint: Endpoint
) -> None:
    gemini = endpoint.family == "gemini"
    fields = (*FIELDS, *MORE, *(MEDIA if endpoint.media else ()), *ASKED[endpoint.name])
    base = base_of(endpoint)
    for field in dict.fromkeys(("generationConfig", "contents") if gemini else fields):
        for name, literal in literals().items():
            await infer(gateway, endpoint, with_field(base, field, literal), name=f"{field} {name}")
    for field in GEMINI if gemini else ():
        for name, literal in NUMBERS.items():
            config = f'{{"{field}": {literal}}}'
            body = with_field(base, "generationConfig", config)
            await infer(gateway, endpoint, body, name=f"{field} {name}")
    if not gemini:
        for name, literal in (texts() | NUMBERS).items():
            answer = await infer(gateway, endpoint, with_field(base, "model", literal), name=name)
            assert answer.status in (400, 404), name
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
@pytest.mark.parametrize("name", ["chat", "messages", "responses", "gemini"])
async def test_odd_words_are_translated_or_refused(
    gateway: RunningGateway, name: str, kind: str
) -> None:
    """The model's provider speaks another API, so that the whole document is read and rewritten."""
    endpoint = BY_NAME[name]
    base = base_of(endpoint, kind)
    target = endpoint.path.replace("{m}", f"by-{kind}").encode()
    for text, literal in literals().items():
        if name == "gemini":
            bodies = [with_field({}, "contents", f'[{{"parts": [{{"text": {literal}}}]}}]')]
            bodies += [with_field(base, each, literal) for each in ("contents", "tools")]
        else:
            field = "input" if name == "responses" else "messages"
            bodies = [
                with_field(base, field, f'[{{"role": "user", "content": {literal}}}]'),
                with_field(base, field, f'[{{"role": {literal}, "content": "hi"}}]'),
                with_field(base, field, f'[{{"role": "user", "content": [{literal}]}}]'),
            ]
            bodies += [with_field(base, each, literal) for each in ("tools", "tool_choice", "stop")]
            bodies += [with_field(base, "temperature", literal)]
        for body in bodies:
            await infer(gateway, endpoint, body, target=target, name=f"{text} {body[:90]!r}")
    await gateway.assert_nothing_leaked()


async def test_a_path_that_names_an_odd_model_is_not_found(gateway: RunningGateway) -> None:
    key = [("Authorization", f"Bearer {gateway.key}")]
    for name, segment in segments().items():
        for prefix, family in ((b"/v1/models/", "openai"), (b"/v1beta/models/", "gemini")):
            answer = await ask(gateway, "GET", prefix + segment, key)
            # Nothing behind the slash is the list; a query there is no part of the name.
            assert answer.status in ((200,) if name == "empty" else (400, 404, 414)), name
            if answer.status != 200:
                assert_error_of(family, answer)
        for method in (b":generateContent", b":streamGenerateContent?alt=sse", b":countTokens"):
            target = b"/v1beta/models/" + segment + method
            body = json.dumps(ASKED["gemini"]).encode()
            answer = await infer(gateway, BY_NAME["gemini"], body, target=target, name=name)
            assert answer.status >= 400, name
        answer = await ask(gateway, "GET", b"/v1/realtime?model=" + segment, key)
        assert 400 <= answer.status < 500, name
        assert_error_of("openai", answer)


async def test_forms_with_odd_words_are_refused_or_served(gateway: RunningGateway) -> None:
    sound = wav(1)
    for endpoint in (BY_NAME[name] for name in FORMS):
        file = {FILES[endpoint.name]: ("a.wav", sound)}
        plain = {"model": FORMS[endpoint.name], "prompt": "hi"}
        body, media = form(plain, file)
        answer = await infer(gateway, endpoint, body, media.encode())
        assert answer.status == 200, answer.body
        for field in ("model", "prompt", "n", "size", "stream", "language", "response_format"):
            for name, text in (TEXTS | NUMBERS).items():
                if text.isprintable() or text.isascii():
                    body, media = form(plain | {field: text}, file)
                    await infer(gateway, endpoint, body, media.encode(), name=f"{field} {name}")
        body, media = form(plain, file)
        for name, wrong in {
            "half": body[: len(body) // 2],
            "no end": body.replace(b"--XYZ--", b""),
            "a name of bytes": body.replace(b'name="prompt"', b'name="\xff\0"'),
            "no name": body.replace(b'; name="prompt"', b""),
            "a long name": body.replace(b'name="prompt"', b'name="' + b"x" * 100_000 + b'"'),
            "a file's odd name": body.replace(b"a.wav", b"../../\0\xff%00.=1+1"),
            "twice": body.replace(b"--XYZ--", body),
            "100,000 parts": b"--XYZ\r\n\r\n\r\n" * 100_000 + body,
        }.items():
            await infer(gateway, endpoint, wrong, media.encode(), name=name)
        for _, odd, whole in documents(plain):
            assert (await infer(gateway, endpoint, whole, odd)).status in (400, 415)
    await gateway.assert_nothing_leaked()


async def test_a_million_members_are_only_large(gateway: RunningGateway) -> None:
    for name in ("chat", "gemini", "rerank"):
        await infer(gateway, BY_NAME[name], wide(base_of(BY_NAME[name])), name=name)
    await gateway.assert_nothing_leaked()


# --- the self-service API and the pages ---------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway over each kind of database: they differ in what text they take."""
    url = ""
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        url = server.database()
    async with running(tmp_path / "data", store_url=url) as one:
        yield one


class Caller:
    """An administrator with one of everything that a path can name, signed in."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.victim = Victim(gateway)

    async def make(self) -> "Caller":
        await self.victim.make()
        people = self.gateway.gateway.platform.people
        await self.gateway.command(
            "accounts.role", email=self.victim.account.email, role="administrator"
        )
        self.token = await people.sessions.open(self.victim.account)
        return self

    def headers(self) -> list[tuple[str, bytes | str]]:
        return [("Cookie", f"token={self.token}"), ("Sec-Fetch-Site", "same-origin")]

    def odd_paths(self, canonical: str) -> list[tuple[str, bytes]]:
        """The path with odd text in the place of each id, one at a time."""
        found = []
        sound = self.path(canonical).split(b"/")
        for place, part in enumerate(canonical.split("/")):
            if part.startswith("{"):
                before, after = (
                    b"/".join(sound[:place]),
                    b"".join(b"/" + s for s in sound[place + 1 :]),
                )
                found += [(name, before + b"/" + text + after) for name, text in segments().items()]
        return found

    def path(self, canonical: str) -> bytes:
        """The path with what there is in the place of each id."""
        named = canonical.replace("{digest}", "0").replace("{name}", "nothing")
        return self.victim.path(named).encode()

    async def call(
        self, method: str, target: bytes, body: bytes | None = None, media: bytes = b""
    ) -> Answer:
        headers = self.headers()
        if body is not None:
            headers.append(("Content-Type", media or b"application/json"))
        return await ask(self.gateway, method, target, headers, body)


def assert_answer_of_api(answer: Answer, case: object) -> None:
    assert 200 <= answer.status < 500, (case, answer.status, answer.body[:300])
    if answer.status == 204:
        assert answer.body == b"", case
        return
    assert answer.headers["content-type"].startswith("application/json"), (case, answer)
    if answer.status >= 400:
        error = answer.json["error"]
        assert set(error) - {"param"} == {"code", "message", "type"} and error["message"], case


def bodies_of(operation: Operation) -> list[tuple[str, bytes]]:
    """Every field of the body with every odd value, the others left out or as they should be."""
    assert operation.body is not None
    found = []
    needed = {each.name: "x" for each in msgspec.structs.fields(operation.body) if each.required}
    for each in msgspec.structs.fields(operation.body):
        for name, literal in literals().items():
            found.append((f"{each.name} {name}", with_field(needed, each.name, literal)))
    return found


async def test_the_api_answers_odd_words(either: RunningGateway) -> None:
    caller = await Caller(either).make()
    flat = wide({})[:1_000_000]
    large = (deep({}, "[", "]")[:16_000], deep({}, "[", "]"), flat[:16_000], flat)
    for each in OPERATIONS:
        canonical = PREFIX + each.path
        for name, target in caller.odd_paths(canonical):
            body = b"{}" if each.body is not None else None
            answer = await caller.call(each.method, target, body)
            assert_answer_of_api(answer, (each.name, name))
        path = caller.path(canonical)
        names = [found.name for found in msgspec.structs.fields(each.query)] or ["x"]
        for name, text in segments().items():
            if each.method != "GET":
                break
            for field in names:
                target = path + b"?" + field.encode() + b"=" + text
                assert_answer_of_api(await caller.call("GET", target), (each.name, field, name))
            answer = await caller.call("GET", path + b"?" + text)
            assert_answer_of_api(answer, (each.name, "a name", name))
        if each.body is None:
            continue
        for name, body in bodies_of(each):
            answer = await caller.call(each.method, path, body)
            assert_answer_of_api(answer, (each.name, name))
        for name, media, body in documents({}):
            answer = await caller.call(each.method, path, body, media)
            assert_answer_of_api(answer, (each.name, name))
        for body in large:
            assert_answer_of_api(await caller.call(each.method, path, body), each.name)


QUERIES = (
    "q",
    "id",
    "key",
    "model",
    "range",
    "from",
    "until",
    "before",
    "by",
    "show",
    "state",
    "actor",
)
# A stream without an end; an API's; what grows with every question.
SKIPPED = {"/console/events", "/v1/realtime", "/admin/audit/export"}
ASKING = (  # pages that read their query
    *("/console/logs", "/console/usage", "/console/usage.csv", "/console/billing", "/sign-in"),
    *("/admin/users", "/admin/organisations", "/admin/adjustments", "/admin/audit"),
    *("/admin/ledger", "/admin/drift", "/models"),
)
PAGES = [
    path
    for (method, path) in DECLARED
    if method == "GET" and path not in SKIPPED and not path.startswith(PREFIX)
]


def assert_page(answer: Answer, case: object) -> None:
    assert 200 <= answer.status < 500, (case, answer.status, answer.body[:300])
    assert "x-injected" not in answer.headers, case
    if answer.status >= 400:
        kind = answer.headers["content-type"]
        assert kind.startswith(("text/html", "application/json")), (case, kind)
        assert b"</html>" in answer.body or answer.json["error"]["message"], case
    elif "text/html" not in answer.headers.get("content-type", ""):
        return
    assert b"<script>alert(1)" not in answer.body, case


async def test_pages_answer_odd_words(either: RunningGateway) -> None:
    caller = await Caller(either).make()
    for canonical in PAGES:
        for name, target in caller.odd_paths(canonical):
            assert_page(await caller.call("GET", target), (canonical, name))
    for canonical in ASKING:
        for name, text in segments().items():
            together = b"&".join(each.encode() + b"=" + text for each in QUERIES if each != "id")
            target = canonical.encode() + b"?" + together
            assert_page(await caller.call("GET", target), (canonical, name))
    for name, text in segments().items():
        target = b"/console/logs?id=" + text
        assert_page(await caller.call("GET", target), ("id", name))
        target = b"/console/logs?id=req_" + text
        assert_page(await caller.call("GET", target), ("req_", name))


async def test_odd_headers_are_no_failure(gateway: RunningGateway) -> None:
    caller = await Caller(gateway).make()
    values = [encoded(text) for text in TEXTS.values()]
    values += [b"\xff\xfe", "é\ud800".encode("utf-8", "surrogatepass"), b"\xed\xa0\x80", b"a\tb"]
    values += [b"token=\xff", b"token=" + b"x" * 4_000, b'token="\\377\\400', b";;=;,", b"http://["]
    names = ("Cookie", "Authorization", "Accept-Language", "Origin", "Sec-Fetch-Site", "Accept")
    names += ("X-Forwarded-For", "X-Forwarded-Proto", "User-Agent", "Content-Type", "X-Any")
    for header in names:
        for value in values:
            for method, path, api in (
                ("GET", b"/console", False),
                ("POST", b"/api/v1/keys", True),
            ):
                headers = [each for each in caller.headers() if each[0] != header]
                body = b"{}" if method == "POST" else None
                answer = await ask(gateway, method, path, [*headers, (header, value)], body)
                case = (header, value[:60], method, path)
                (assert_answer_of_api if api else assert_page)(answer, case)


async def test_odd_fields_of_public_forms_are_no_failure(either: RunningGateway) -> None:
    either.gateway.platform.people.passwords.cost = 4
    for path in (b"/sign-in", b"/sign-in/link", b"/sign-up", b"/reset", b"/preferences"):
        for name, text in segments().items():
            fields = ("email", "password", "language", "theme", "back", "code")
            body = b"&".join(field.encode() + b"=" + text for field in fields)
            media = b"application/x-www-form-urlencoded"
            headers = [("Sec-Fetch-Site", b"same-origin"), ("Content-Type", media)]
            assert_page(await ask(either, "POST", path, headers, body), (path, name))
