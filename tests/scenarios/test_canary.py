"""What passes through is kept nowhere: words and keys sent along every path, then searched for.

The gateway runs as a process at log level debug with a log line a request, in front of a provider
that answers, fails and breaks off in every way, always with words of its own in what it sends.
Afterwards no file of the data folder, no output and no metric may hold any of it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.canary import Canaries
from tests.fakes.process import COMMAND, EMAIL, Process
from tests.fakes.upstream import (
    DONE,
    SSE_HEAD,
    FakeUpstream,
    Handler,
    answering,
    chunk,
    completion,
    event,
    framed,
    raw,
    streaming,
    usage_event,
)
from tests.proxy.test_faults import BEFORE, INSIDE

CATALOG = """
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "{upstream_key}"
allow_private_address = true
[[models]]
name = "m"
context_tokens = 100000
max_output_tokens = 10000
encoding = "o200k_base"
[[models.targets]]
provider = "up"
model = "up-model"
[models.price]
input = "1"
output = "2"
"""
SHOWN = len("sk-tg-") + 6
SETTINGS = {
    "TALLYGATE_LOG_LEVEL": "debug",
    "TALLYGATE_LOG_REQUESTS": "true",
    "TALLYGATE_UPSTREAM_FIRST_BYTE_TIMEOUT_S": "0.3",
    "TALLYGATE_UPSTREAM_IDLE_TIMEOUT_S": "0.3",
    "TALLYGATE_SERVER_HEADER_TIMEOUT_S": "0.5",
    "TALLYGATE_SERVER_BODY_TIMEOUT_S": "0.5",
    "TALLYGATE_SERVER_KEEPALIVE_TIMEOUT_S": "0.5",
    "TALLYGATE_SERVER_SHUTDOWN_TIMEOUT_S": "0.5",
}


def said_by_provider(said: str, key: str) -> dict[str, Handler]:
    """Answers and failures with the provider's words in every place that has room for some."""
    error = {"error": {"message": f"{said} {key}", "type": said, "param": said, "code": said}}
    plain = {"error": {**error["error"], "message": said}}  # a stream's events pass byte-exact
    marks = {"id": said, "model": said, "system_fingerprint": said}
    tool = {"index": 0, "id": said, "function": {"name": said, "arguments": said}}
    words = [event({**marks, "choices": [{"index": 0, "delta": {"content": said}}]})]
    words += [chunk(said, reasoning_content=said), chunk(None, tool_calls=[tool]), chunk(said)]
    whole = answering(completion(said, **marks), headers=f"X-Said: {key}\r\n".encode())
    vector = [{"object": "embedding", "index": 0, "embedding": [0.5], "note": said}]
    handlers: dict[str, Handler] = {
        "json": whole,
        "no usage": answering({**completion(said), "usage": {"total_tokens": said}}),
        "embeddings": answering({"object": "list", "data": vector, "usage": {"prompt_tokens": 3}}),
        "stream": streaming(*words, usage_event(3, 3), DONE),
        "finish": streaming(chunk(said, finish=said), usage_event(said, said), DONE),
        "comments": streaming(f": {said}\n\nevent: {said}\nid: {said}\n\n".encode(), DONE),
        "error in stream": streaming(*words, event(plain)),
        "error at once": streaming(event(plain)),
        "error in 200": answering(error),
        "html": answering(f"<html>{said}{key}".encode()),
        "broken json": answering(f'{{"id": "{said}'.encode()),
        "not http": raw(f"{said}\r\n\r\n".encode()),
        "status line": raw(f"HTTP/1.1 200 {said}\r\n{said}\r\n\r\n".encode()),
        "bad chunk": raw(SSE_HEAD, framed(words[0]), f"{said}\r\n".encode()),
        "half": raw(SSE_HEAD, framed(words[0]), framed(words[0])[:60]),
        "reset": raw(SSE_HEAD, framed(words[0]), then="reset"),
        "hang": raw(SSE_HEAD, framed(words[0]), then="hang"),
        "redirect": answering(b"", 302, f"Location: http://{key}/\r\n".encode()),
    }
    for status in (400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504):
        handlers[str(status)] = answering(error, status)
    return handlers


@dataclass
class Scene:
    """The process, the provider, the words, and everything that came out anywhere else."""

    process: Process
    upstream: FakeUpstream
    session: aiohttp.ClientSession
    canaries: Canaries
    words: dict[str, str]
    key: str = ""
    outputs: dict[str, bytes] = field(default_factory=dict)
    private: list[bytes] = field(default_factory=list)  # answers to the client who sent the words

    def headers(self, **more: str) -> dict[str, str]:
        secret = self.words["password"].encode().decode("latin-1")
        return {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "X-Password": secret,
            "User-Agent": secret,
            "Cookie": f"session={secret}",
            "X-Forwarded-For": secret,
            "Referer": f"http://{secret}/",
            "HTTP-Referer": f"https://app.example/{secret}?{secret}#{secret}",
            "X-Title": "An application",
            **more,
        }

    def payload(self, **more: Any) -> dict[str, Any]:
        prompt, user = self.words["prompt"], self.words["user"]
        tool = {"type": "function", "function": {"name": "f", "description": prompt}}
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": prompt}]
        base = {"model": "m", "messages": messages, "user": user, "tools": [tool]}
        return {**base, "input": prompt, "metadata": {prompt: prompt}, **more}

    async def post(self, body: Any, path: str = "/v1/chat/completions", **headers: str) -> int:
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        with contextlib.suppress(aiohttp.ClientPayloadError):
            async with self.session.post(
                self.process.url + path, data=data, headers=self.headers(**headers)
            ) as response:
                self.private.append(await response.read())
                return response.status
        return 0

    async def send(self, data: bytes, size: int = -1) -> bytes:
        """Raw bytes; what comes back, or with a size so many bytes of it, then an abort."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.process.port)
        writer.write(data)
        try:
            async with asyncio.timeout(10):
                return await reader.read() if size < 0 else await reader.readexactly(size)
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""
        except TimeoutError:
            raise AssertionError(f"still open: {data[:200]!r}") from None
        finally:
            writer.transport.abort()

    async def command(self, *words: str) -> None:
        """A command of the operator's, whatever becomes of it; its output is kept."""
        child = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            "--data",
            str(self.process.data_dir),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.outputs[" ".join(words[:2])] = (await child.communicate())[0]

    async def look(self, path: str, **headers: str) -> bytes:
        async with self.session.get(self.process.url + path, headers=headers) as response:
            return await response.read()

    def leaks(self) -> dict[str, Any]:
        """Everything that is found where it must not be."""
        log = (self.process.data_dir.parent / "stderr.log").read_bytes()
        outputs = {**self.outputs, "stderr": log, "stdout": self.process.banner.encode()}
        hits = {name: self.canaries.found_in(data) for name, data in outputs.items()}
        return {name: found for name, found in hits.items() if found} | self.canaries.found_under(
            self.process.data_dir
        )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path / "data", environ=SETTINGS)
    yield one
    if one._process is not None and not one.ended():
        one.terminate()


@pytest.fixture
async def scene(process: Process) -> AsyncIterator[Scene]:
    canaries = Canaries()
    names = ("prompt", "said", "user", "password", "model", "path", "admin")
    words = {name: canaries.word(name) for name in names}
    words["upstream key"] = canaries.secret("upstream key", "AIza" + words["said"][-16:][::-1])
    upstream = await FakeUpstream().start()
    await asyncio.to_thread(process.start)
    catalog = process.data_dir.parent / "catalog.toml"
    catalog.write_text(CATALOG.format(port=upstream.port, upstream_key=words["upstream key"]))
    await asyncio.to_thread(process.run, "catalog", "apply", str(catalog))
    fresh = aiohttp.TCPConnector(force_close=True)  # the server closes idle ones very soon
    async with aiohttp.ClientSession(connector=fresh) as session:
        one = Scene(process, upstream, session, canaries, words)
        one.key = canaries.secret("key", await asyncio.to_thread(process.fund, "10"), SHOWN)
        yield one
    await upstream.stop()


async def answered_and_failed(scene: Scene) -> None:
    """Every answer and fault of the provider, streamed and not."""
    handlers = said_by_provider(scene.words["said"], scene.words["upstream key"])
    handlers |= {name: handler for name, (handler, *_) in (BEFORE | INSIDE).items()}
    for handler in handlers.values():
        scene.upstream.handler = handler
        for stream in (False, True):
            await scene.post(scene.payload(stream=stream, max_tokens=50))
    seen = scene.upstream.requests
    assert sum(scene.words["prompt"].encode() in request.body for request in seen) > 50
    assert all(scene.words["user"].encode() not in request.body for request in seen)
    assert all(scene.words["password"].encode() not in request.head for request in seen)
    assert all(scene.key.encode() not in request.head + request.body for request in seen)
    for path, answer in (
        ("/v1/completions", "json"),
        ("/v1/completions", "stream"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/responses", "json"),
        ("/v1/responses", "stream"),
        ("/v1/responses", "400"),
    ):
        scene.upstream.handler = handlers[answer]
        await scene.post(scene.payload(prompt=scene.words["prompt"]), path)
        await scene.post(scene.payload(stream=True, prompt=scene.words["prompt"]), path)


async def refused(scene: Scene) -> None:
    """Requests that never reach the provider, with the words wherever a client can put them."""
    prompt, name, path = (scene.words[word] for word in ("prompt", "model", "path"))
    where = path.encode().decode("latin-1")
    for model in (
        name,
        f"sandbox/{name}",
        f"sandbox/lorem:{name}=1",
        f"sandbox/lorem:error={name}",
    ):
        assert await scene.post(scene.payload(model=model + name)) >= 400
    for options in ("error=400", "error=500", "fault=error,at=2", "fault=reset,at=2", "tokens=3"):
        await scene.post(scene.payload(model=f"sandbox/echo:{options}"))
        await scene.post(scene.payload(model=f"sandbox/echo:{options}", stream=True))
    bad: list[Any] = [
        prompt.encode(),
        json.dumps(scene.payload())[:-9].encode(),
        json.dumps({"model": "m", prompt: 1, "stream": prompt}).encode(),
        f'{{"model": "m", "{prompt}": 1, "{prompt}": 2, "n": "{prompt}"}}'.encode(),
        f'{{"model": "m", "model": "{prompt}"}}'.encode(),
        scene.payload(max_tokens=prompt),
        scene.payload(stream_options=prompt, stream=True),
        scene.payload(model={prompt: prompt}),
        prompt.encode("utf-16"),
    ]
    for body in bad:
        assert 400 <= await scene.post(body) < 500
    await scene.post(scene.payload(), **{"Content-Type": where})
    await scene.post(scene.payload(), **{"Content-Encoding": where})
    for wrong in (where, f"Bearer {where}", f"Basic {where}", f"Bearer {scene.key}x"):
        assert await scene.post(scene.payload(), Authorization=wrong) == 401
    for target in ("/v1/", "/v1/models/", "/v1/images/", "/", "/sign-in/", "/sign-in?token="):
        await scene.look(target + path, Authorization=f"Bearer {scene.key}")
        await scene.post(path.encode(), target + path)
    await scene.post(scene.payload(), f"/v1/chat/completions?key={scene.key}&q={path}")
    key, word = scene.key.encode(), path.encode()
    for head in (
        b"GET /%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (key, word),
        b"GET /%b HTTP/1.1\r\nHost h\r\n%b\r\n\r\n" % (key, word),
        b"%b %b\r\n\r\n" % (key, word),
        b"POST /v1/%b HTTP/1.1\r\nHost: h\r\n%b: %b\r\n\r\n" % (key, word, key),
        b"POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: %b\r\n\r\n" % key,
        b"POST /v1/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: %b\r\n\r\n" % key,
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %b\r\n\r\n" % key,
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n" % key,
        b"GET /v1/models HTTP/1.1\r\nHost: h\r\nX: " + key + word * 9000 + b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: h\r\nX: " + key,  # runs into its deadline
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n" + word,
    ):
        scene.private.append(await scene.send(head))


async def without_credit(scene: Scene) -> None:
    """402: an account that has nothing, and one that runs out inside a stream."""
    mine = scene.key
    process = scene.process
    scene.key = await asyncio.to_thread(process.fund, "0.0002", "poor@example.com")
    scene.canaries.secret("poor key", scene.key, SHOWN)
    scene.upstream.handler = streaming(*[chunk(scene.words["said"])] * 60, DONE)
    await scene.post(scene.payload(stream=True))
    assert await scene.post(scene.payload()) == 402
    scene.key = mine


def streamed_request(scene: Scene) -> bytes:
    body = json.dumps(scene.payload(stream=True)).encode()
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (scene.key.encode(), len(body), body)
    )


async def left_early(scene: Scene) -> None:
    """Clients that leave before, within and during the answer."""
    words = [chunk(scene.words["said"])] * 200
    scene.upstream.handler = streaming(*words, DONE, pause_s=0.01)
    request = streamed_request(scene)
    await scene.send(request[:-20], 0)
    for size in (0, 1, 200, 1500):
        await scene.send(request, size)


async def operated(scene: Scene) -> None:
    """The operator's commands, also ones that fail with a secret in their words."""
    word, folder = scene.words["admin"], scene.process.data_dir.parent
    scene.upstream.handler = answering(completion(scene.words["said"]))
    broken = folder / "broken.toml"
    for text in (f'api_key = "{word}', f'[[providers]]\nname = "x"\nbase_url = "{word}"\n'):
        broken.write_text(text)
        await scene.command("catalog", "apply", str(broken))
    for words in (
        ("catalog", "export"),
        ("catalog", "list"),
        ("accounts", "list"),
        ("keys", "list"),
        ("keys", "list", "--json"),
        ("requests", "list", "--limit", "1000"),
        ("requests", "list", "--limit", "1000", "--json"),
        ("ledger", "verify"),
        ("credits", "balance", EMAIL),
    ):
        await scene.command(*words)
    connector = aiohttp.UnixConnector(str(scene.process.data_dir / "admin.sock"))
    async with aiohttp.ClientSession(connector=connector) as socket:
        for name, body in (
            (word, b"{}"),
            ("keys.create", json.dumps({"email": word, word: word}).encode()),
            ("keys.revoke", json.dumps({"key": scene.key + "x"}).encode()),
            ("credits.grant", word.encode()),
            ("credits.grant", json.dumps({"email": EMAIL, "usd": word, "reason": word}).encode()),
            ("catalog.apply", json.dumps({"toml": f'x = "{word}'}).encode()),
        ):
            async with socket.post(f"http://h/commands/{name}", data=body) as response:
                assert response.status >= 400


async def looked_at(scene: Scene) -> None:
    """What others are shown: metrics, health, pages, and errors and answers of another client."""
    for path in ("/metrics", "/healthz", "/readyz", "/", "/v1/models", "/v1/x"):
        scene.outputs[path] = await scene.look(path)
    key = {"Authorization": f"Bearer {scene.process.key}", "Content-Type": "application/json"}
    for number, body in enumerate((b"{", b'{"model":"none"}', b'{"model":"m","messages":[]}')):
        for handler in (raw(then="reset"), raw(SSE_HEAD[:50], then="hang"), answering({}, 400)):
            scene.upstream.handler = handler
            url = scene.process.url + "/v1/chat/completions"
            async with scene.session.post(url, data=body, headers=key) as response:
                scene.outputs[f"other {number}"] = await response.read()
                assert response.status >= 400


async def test_nothing_that_passes_through_is_kept_anywhere(scene: Scene) -> None:
    process = scene.process
    scene.canaries.secret("first key", process.key, SHOWN)
    process.banner = ""  # it shows the first key, once
    for act in (answered_and_failed, refused, without_credit, left_early, operated, looked_at):
        await act(scene)
        assert scene.leaks() == {}, act.__name__
    told = b"\n".join(scene.private)
    assert scene.words["said"].encode() in told  # the words did pass through
    assert "upstream key" not in scene.canaries.found_in(told)
    words = [chunk(scene.words["said"])] * 500
    scene.upstream.handler = streaming(*words, DONE, pause_s=0.005)
    for stop in (process.kill, process.terminate):
        request = streamed_request(scene)
        running = [asyncio.create_task(scene.send(request)) for _ in range(5)]
        await scene.send(request, 2000)
        await asyncio.to_thread(stop)
        await asyncio.gather(*running)
        assert scene.leaks() == {}
        if stop == process.kill:
            await asyncio.to_thread(process.start)
    lines = (process.data_dir.parent / "stderr.log").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    requests = [line for line in events if line["event"] == "request"]
    rows = await asyncio.to_thread(process.run, "requests", "list", "--limit", "1000")
    logged = {line["id"]: line for line in requests}
    assert len(logged) == len(requests)  # one line a request at most
    assert {line["model"] for line in requests} <= {"", "m", "sandbox/echo", "sandbox/lorem"}
    for row in rows:
        line = logged[row["id"]]
        assert (line["status"], line["model"]) == (row["status"], row["model"])
        assert line["cost_microusd"] == row["cost_microusd"]
        assert line["output_tokens"] == row["output_tokens"]
    applications = [row["application"] for row in rows if row["application"] is not None]
    assert {"title": "An application", "site": "https://app.example"} in applications
