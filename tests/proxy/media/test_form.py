"""Multipart forms at any content: found, bounded, and written anew without the caller's traces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.base.errors import InvalidRequest
from gateway.proxy.media.form import MAX_PARTS, boundary_of, parse_form

names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
values = st.binary(max_size=2_000).filter(lambda value: b"--BOUND" not in value)


def body_of(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    pieces = []
    for name, filename, value in parts:
        shown = f'; filename="{filename}"' if filename is not None else ""
        head = f'--BOUND\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'
        pieces.append(head.encode() + value + b"\r\n")
    return b"".join(pieces) + b"--BOUND--\r\n"


@settings(deadline=None)
@given(st.lists(st.tuples(names, st.sampled_from([None, "a.wav", "b", "x.tar.GZ"]), values)))
def test_every_part_is_found_and_survives_being_written_anew(parts):
    form = parse_form(body_of(parts[:MAX_PARTS]), b"BOUND")
    for _ in range(2):
        found = [(part.name, bytes(form.value(part))) for part in form.parts]
        assert found == [(name, value) for name, _, value in parts[:MAX_PARTS]]
        form = parse_form(form.render("own", {}), b"own")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_no_bytes_break_the_parser(data):
    for body in (data, b"--BOUND\r\n" + data, body_of([("a", "b.c", data)])[:-3]):
        try:
            parse_form(body, b"BOUND")
        except InvalidRequest:
            continue


def test_only_an_extension_is_left_of_a_files_name():
    for name, shown in (("Ann Miller.WAV", b"file.wav"), ("a/b", b"file"), ('x.a"b', b"file")):
        sent = parse_form(body_of([("file", name.replace('"', '\\"'), b"x")]), b"BOUND")
        assert b'filename="%b"' % shown in sent.render("own", {})


def test_values_are_replaced():
    form = parse_form(body_of([("model", None, b"a"), ("file", "f.mp3", b"x")]), b"BOUND")
    again = parse_form(form.render("own", {"model": "b"}), b"own")
    assert again.text("model") == "b" and form.text("model") == "a" and form.text("no") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--BOUND--\r\n"[:5],
        body_of([("a", None, b"x")] * (MAX_PARTS + 1)),
        b'--BOUND\r\nContent-Disposition: form-data; name="a b"\r\n\r\nx\r\n--BOUND--\r\n',
        b"--BOUND\r\nContent-Type: text/plain\r\n\r\nx\r\n--BOUND--\r\n",
        b'--BOUND\r\nContent-Disposition: form-data; name="a"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nx\r\n--BOUND--\r\n",
        b"--BOUND\r\nX: " + b"y" * 10_000 + b"\r\n\r\nx\r\n--BOUND--\r\n",
    ],
)
def test_malformed_forms_are_refused(body):
    with pytest.raises(InvalidRequest):
        parse_form(body, b"BOUND")


@pytest.mark.parametrize("value", [b"\xff", b"x" * 70_000])
def test_what_is_no_short_text_is_refused(value):
    with pytest.raises(InvalidRequest):
        parse_form(body_of([("model", None, value)]), b"BOUND").text("model")
    with pytest.raises(InvalidRequest, match="twice"):
        parse_form(body_of([("n", None, b"1"), ("n", None, b"2")]), b"BOUND").text("n")


def test_boundaries():
    assert boundary_of(b"multipart/form-data; boundary=abc") == b"abc"
    assert boundary_of(b'Multipart/Form-Data; charset=x; boundary="a b"') == b"a b"
    for other in (b"", b"multipart/form-data", b"multipart/mixed; boundary=a", b"x/y; boundary=a"):
        assert boundary_of(other) is None
    assert boundary_of(b"multipart/form-data; boundary=" + b"a" * 71) is None
