"""The official `openai` Node SDK against a running gateway and its sandbox models."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.process import serving

FOLDER = Path(__file__).parent / "node"


@pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")),
    reason="node and npm are needed for the Node SDK",
)
def test_the_node_sdk(tmp_path: Path) -> None:
    assert (FOLDER / "node_modules" / "openai").is_dir(), "run `make test`, or `npm ci` there"
    with serving(tmp_path / "data") as process:
        done = subprocess.run(
            ["node", "client.mjs", process.url + "/v1", process.key],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=90,
        )
        rows = process.run("requests", "list", "--limit", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["echo"] == "Say hello to the whole wide world, please."
    assert found["completionTokens"] == 40 and len(found["text"]) > 40
    assert isinstance(found["tool"]["city"], str)
    assert isinstance(found["structured"]["city"], str)
    assert found["dimensions"] > 0
    assert found["lastEvent"] == "response.completed"
    assert found["errors"] == {
        "RateLimitError": [429, "upstream_rate_limited"],
        "InternalServerError": [502, "upstream_failed"],
        "NotFoundError": [404, "model_not_found"],
    }
    assert found["cut"] is True
    assert found["aborted"] >= 5
    assert rows[0]["outcome"] == "client_gone"
