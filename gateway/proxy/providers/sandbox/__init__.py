"""The built-in provider: deterministic answers at a set pace, with faults on request.

It serves a person without any account (try, teach, load-test) through the very path of a real
provider: a request is bytes, the answer is bytes that arrive over time. Its models:

- `sandbox/echo` answers with the text of the last user message.
- `sandbox/lorem` answers with lorem ipsum; every word and mark is one token of o200k_base.

Options follow the model's name after a colon, `sandbox/lorem:tps=50,tokens=200`; `options` holds
their table. An unknown option is an error 400 that names those there are.
"""

from gateway.proxy.providers.sandbox.upstream import SandboxUpstream

__all__ = ["SandboxUpstream"]
