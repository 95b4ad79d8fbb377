import pytest

from gateway.cli.output import Column, print_table
from gateway.cli.serve import banner, base_url, sign_in_url
from gateway.platform.assembly import FirstStart


def test_a_table_is_aligned_and_safe(capsys):
    rows = [
        {"name": "a", "n": 5, "tags": ["x", "y"]},
        {"name": "日本", "n": None, "tags": []},
        {"name": "evil\x1b[2J\n", "n": 12345},
    ]
    columns = (Column("name", "NAME"), Column("n", "N", number=True), Column("tags", "TAGS"))
    print_table(rows, columns, "none")
    assert capsys.readouterr().out.splitlines() == [
        "NAME           N  TAGS",
        "a              5  x, y",
        "日本           -",
        "evil?[2J?  12345  -",
    ]
    print_table([], columns, "none at all")
    assert capsys.readouterr().out == "none at all\n"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("gate.example", "http://gate.example:80"),
    ],
)
def test_the_address_shown_can_be_typed(host, shown):
    assert base_url(host, 80) == shown


def test_the_banner_of_a_first_start_shows_each_secret_and_a_curl_line():
    first = FirstStart("admin@localhost", 10_000_000, "sk-tg-KEY", "TOKEN", ("sandbox", "openai"))
    text = banner("127.0.0.1", 8080, first)
    assert sign_in_url("127.0.0.1", 8080, "TOKEN") in text
    assert "10.00 USD" in text and "sandbox, openai" in text
    curl = text[text.index("curl -N") :].replace("\\\n", "").split("\n\n")[0]
    assert "http://127.0.0.1:8080/v1/chat/completions" in curl
    assert "'Authorization: Bearer sk-tg-KEY'" in curl and '"sandbox/lorem"' in curl
    assert all(len(line) <= 120 for line in text.splitlines())


def test_a_later_start_shows_only_the_address():
    assert banner("127.0.0.1", 8080, None) == "Tallygate is ready at http://127.0.0.1:8080\n"
