"""`tallygate providers`: presets are listed, added once, and never over what is there."""


def test_a_preset_is_added_with_its_models_once(cli):
    rows = {row["preset"]: row for row in cli.json("providers", "presets")}
    assert {"openai", "deepseek", "dashscope", "zhipu", "doubao", "minimax", "moonshot"} <= set(
        rows
    )
    assert {"mistral", "groq", "openrouter", "together", "fireworks", "xai"} <= set(rows)
    assert {"perplexity", "cerebras", "vllm", "ollama", "lmstudio"} <= set(rows)
    assert rows["groq"]["api_key"] == "env:GROQ_API_KEY" and not rows["groq"]["added"]
    assert "sandbox" not in rows

    dry = cli.ok("providers", "add", "groq", "--dry-run")
    assert "+ provider groq" in dry and "dry run" in dry
    added = cli.json("providers", "add", "groq", "--key", "env:MY_KEY")["changes"]
    assert added[0] == "+ provider groq: https://api.groq.com/openai/v1"
    assert "+ model groq/whisper-large-v3: audio_hour 0.111 USD" in added[1:]
    assert 'api_key = "env:MY_KEY"' in cli.ok("catalog", "export")
    assert cli.ok("providers", "add", "groq") == "nothing to change\n"
    rows = {row["preset"]: row for row in cli.json("providers", "presets")}
    assert rows["groq"]["added"]


def test_a_preset_takes_another_key_and_address(cli):
    cli.ok("providers", "add", "vllm", "--base-url", "http://10.0.0.7:9000/v1", "--key", "sk-own-1")
    exported = cli.ok("catalog", "export")
    assert 'base_url = "http://10.0.0.7:9000/v1"' in exported
    assert 'api_key = "stored"' in exported and "sk-own-1" not in exported


def test_what_cannot_be_added_is_one_line(cli):
    assert "did you mean 'mistral'?" in cli.fails("providers", "add", "mistrall")
    assert "no preset" in cli.fails("providers", "add", "sandbox")
    assert "env:" in cli.fails("providers", "add", "groq", "--key", "env:")
    assert "base_url" in cli.fails("providers", "add", "groq", "--base-url", "nowhere")


def test_health_needs_a_running_server(cli):
    cli.ok("catalog", "apply", write_catalog(cli))
    assert "the server is stopped" in cli.fails("providers", "health")


def write_catalog(cli):
    cli.data.mkdir(exist_ok=True)
    file = cli.data.parent / "catalog.toml"
    file.write_text('[[providers]]\nname = "p"\nbase_url = "https://p.example/v1"\n')
    return file
