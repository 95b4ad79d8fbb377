"""The guide to translation lists everything that it leaves out, and nothing else."""

import re

from gateway.proxy.dialects import converse, gemini, responses
from gateway.proxy.dialects.chat import request_writer as chat_writer
from gateway.proxy.dialects.chat import shapes as chat_shapes
from gateway.proxy.dialects.messages import request_writer as messages_writer
from gateway.proxy.dialects.messages import shapes as messages_shapes
from gateway.web.console.guides import text_of

GUIDE = text_of("translation")
HEAD = "| dialect | dropped | when | why |\n|---|---|---|---|\n"


def rows() -> list[str]:
    found = []
    for dialect, reading, writing in (
        ("Chat Completions", chat_shapes.DROPPED, chat_writer.DROPPED),
        ("Messages", messages_shapes.DROPPED, messages_writer.DROPPED),
    ):
        found += [f"| {dialect} | `{name}` | reading | {why} |" for name, why in reading.items()]
        found += [f"| {dialect} | {name} | writing | {why} |" for name, why in writing.items()]
    for dialect, package in (("Responses", responses), ("Gemini", gemini), ("Converse", converse)):
        table = re.findall(r"^\| .* \|$", package.__doc__ or "", re.M)[1:]
        assert table
        found += [f"| {dialect} {row}" for row in table]
    return found


def test_the_table_of_what_is_dropped_is_the_codes_own() -> None:
    _, _, rest = GUIDE.partition(HEAD)
    assert rest.partition("\n\n")[0].splitlines() == rows()
