"""Models find their encoding; the command counts files, standard input, and says what it did."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from gateway._native import tokens
from gateway.platform.metering import count, encodings


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-2024-08-06", "o200k_base"),
        ("openai/gpt-5.1", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("ft:gpt-4o-mini:acme", "o200k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("deepseek-ai/DeepSeek-V3", "deepseek_v3"),
        ("qwen3-max", "qwen"),
        ("qwen3.5-plus", "estimate_other"),
        ("glm-4.6", "glm4"),
        ("glm-5", "estimate_other"),
        ("mistral-large-latest", "tekken"),
        ("kimi-k2-thinking", "kimi_k2"),
        ("claude-opus-4-5", "estimate_claude"),
        ("gemini-2.5-pro", "estimate_gemini"),
        ("doubao-seed-1.6", "estimate_other"),
        ("something-else", "estimate_other"),
        ("", "estimate_other"),
    ],
)
def test_models_find_their_encoding(model: str, encoding: str) -> None:
    assert count.encoding_for_model(model) == encoding


def test_every_encoding_named_can_count() -> None:
    for encoding in set(encodings.ENCODINGS.values()):
        assert encoding in tokens.encodings()


def test_a_stream_is_one_text_whatever_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ("Straße 中文 " * 50).encode()
    monkeypatch.setattr(count, "CHUNK_BYTES", 7)
    total = count.count_stream(io.BytesIO(data), "o200k_base")
    assert total == (len(data), tokens.count(data, "o200k_base"))


def test_files_and_totals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("hello world")
    two.write_text("hello")
    assert count.main([str(one), str(two), "--model", "gpt-4o"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["2", "1", "3"]


def test_an_estimate_is_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f").write_text("hello world")
    assert count.main([str(tmp_path / "f"), "--model", "claude-sonnet-4"]) == 0
    assert capsys.readouterr().out.startswith("about ")


def test_a_missing_file_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert count.main(["/no/such/file"]) == 1
    assert "/no/such/file" in capsys.readouterr().err


def test_standard_input_as_a_program() -> None:
    command = [sys.executable, "-m", "gateway.platform.metering.count", "--encoding", "cl100k_base"]
    done = subprocess.run(command, input=b"hello world\n", capture_output=True, check=True)
    assert done.stdout.split()[0] == b"3"


def test_a_long_input_draws_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown, clock = Terminal(), iter(range(1000))
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(count.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(count, "BAR_FROM_BYTES", 100)
    monkeypatch.setattr(count, "CHUNK_BYTES", 100)
    count.count_stream(io.BytesIO(b"word " * 80), "o200k_base", 400)
    assert "#" * count.BAR_CELLS in shown.getvalue()
