"""The house's sentences as data: where files live, what they may import, how long they may be."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TOP_LEVEL = {
    *("pyproject.toml", "setup.py", "gateway", "native", "benchmarks", "tests"),
    *("Makefile", "README.md", "LICENSE"),
}

# Floors from the ground up. A file imports its own floor or lower ones only.
FLOORS = [
    ["gateway._native"],
    ["gateway.base"],
    ["gateway.store"],
    ["gateway.platform"],
    ["gateway.proxy"],
    ["gateway.web", "gateway.workers"],
    ["gateway.app"],
    ["gateway.cli"],
    ["gateway.__main__"],
]

# Rooms of the platform, a total order: each may import those before it only.
PLATFORM_ROOMS = [
    *(
        "refusals",
        "checks",
        "metering",
        "audit",
        "mail",
        "ledger",
        "limits",
        "accounts",
        "keys",
        "pricing",
        "registers",
        "policy",
        "catalog",
    ),
    *("request_log", "tiers", "settlement", "payments", "notices", "retention", "privacy"),
    *("people", "adjustments", "organisations", "erasure", "incidents", "reviews"),
    "assembly",
]

PHASES = {
    *("accept", "authenticate", "admit", "route", "forward", "meter", "settle", "record"),
    *("refuse", "cache"),
}

# The front door reads requests with the same native reader of HTTP that reads providers' answers.
NATIVE_USERS = ("gateway.platform.metering", "gateway.proxy", "gateway.web.parser")
# Doors that touch the data plane; every other web file knows the platform only.
PROXY_USERS = {
    *("gateway.web.inference", "gateway.web.connection", "gateway.web.server"),
    *("gateway.web.health", "gateway.web.console.application", "gateway.web.realtime"),
    "gateway.web.sightings",  # where requests come from, for the count of a key's networks
    "gateway.web.console.running",  # what runs now, for the pages of its account
}
BASE_THIRD_PARTY = {"msgspec"}
BANNED_NAMES = {"utils", "helpers", "common", "manager", "util", "helper", "misc"}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def modules() -> dict[str, Path]:
    found = {}
    for path in tracked("gateway/*.py"):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


MODULES = modules()


def imports(path: Path, module: str) -> set[str]:
    """Absolute names of the modules a file imports, wherever in the file the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = (
                    module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                )
                base = ".".join([*package[: len(package) - node.level + 1], base]).strip(".")
            names.add(base)
            names.update(
                f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in MODULES
            )
    return names


def floor_of(module: str) -> int | None:
    for number, prefixes in enumerate(FLOORS):
        if any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes):
            return number
    return None


def test_nothing_else_stands_at_the_top() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down(module: str) -> None:
    mine = floor_of(module)
    if mine is None:  # gateway/__init__.py
        return
    for name in imports(MODULES[module], module):
        theirs = floor_of(name)
        assert theirs is None or theirs <= mine, f"{module} imports {name}, a floor above it"


def test_platform_rooms_keep_their_order() -> None:
    for module, path in MODULES.items():
        parts = module.split(".")
        if parts[:2] != ["gateway", "platform"] or len(parts) < 3:
            continue
        mine = PLATFORM_ROOMS.index(parts[2])
        for name in imports(path, module):
            other = name.split(".")
            if other[:2] == ["gateway", "platform"] and len(other) > 2:
                assert PLATFORM_ROOMS.index(other[2]) <= mine, f"{module} imports {name}"


def test_phases_never_import_each_other() -> None:
    for phase in PHASES:
        module = f"gateway.proxy.{phase}"
        others = {f"gateway.proxy.{other}" for other in PHASES - {phase}}
        found = imports(MODULES[module], module) & others
        assert not found, f"{module} imports {found}"


def test_only_the_pipeline_imports_phases() -> None:
    phases = {f"gateway.proxy.{phase}" for phase in PHASES}
    for module, path in MODULES.items():
        found = imports(path, module) & phases
        if module == "gateway.web.inference":
            found -= {"gateway.proxy.authenticate"}  # GET /v1/models needs a key, not a pipeline
        assert not found or module == "gateway.proxy.pipeline", f"{module} imports {found}"


def test_native_and_proxy_have_few_users() -> None:
    for module, path in MODULES.items():
        for name in imports(path, module):
            if name.startswith("gateway._native"):
                assert module.startswith((*NATIVE_USERS, "gateway._native")), module
            if name.startswith("gateway.proxy") and module.startswith("gateway.web"):
                assert module in PROXY_USERS, f"{module} imports {name}"


def test_base_imports_the_standard_library_and_msgspec_only() -> None:
    import sys

    for module, path in MODULES.items():
        if module.startswith("gateway.base"):
            for name in imports(path, module):
                root = name.split(".")[0]
                allowed = root in sys.stdlib_module_names or root in BASE_THIRD_PARTY
                assert allowed or name.startswith("gateway.base"), f"{module} imports {name}"


def test_platform_knows_no_http() -> None:
    for module, path in MODULES.items():
        if module.startswith(("gateway.platform", "gateway.store", "gateway.base")):
            found = {name.split(".")[0] for name in imports(path, module)}
            assert not found & {"aiohttp", "httptools", "uvloop", "jinja2"}, module


@pytest.mark.parametrize(
    "path", tracked("*.py", "*.pyx", "*.pxi", "*.c", "*.h", "*.js", "*.css"), ids=lambda p: p.name
)
def test_files_are_short(path: Path) -> None:
    limit = 600 if path.is_relative_to(ROOT / "tests") else 400
    assert path.read_text("utf-8").count("\n") <= limit


@pytest.mark.parametrize("path", tracked("gateway/*.py", "benchmarks/*.py"), ids=lambda p: p.name)
def test_functions_are_short_and_modules_explain_themselves(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "no module docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 70, node.name


def test_names_say_what_is_inside() -> None:
    for path in tracked("gateway/*", "native/*", "benchmarks/*", "tests/*"):
        assert not set(path.relative_to(ROOT).with_suffix("").parts) & BANNED_NAMES, path


def test_no_float_in_money() -> None:
    files = [
        path
        for module, path in MODULES.items()
        if module == "gateway.base.money"
        or module.startswith(("gateway.platform.ledger", "gateway.platform.pricing"))
    ]
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.Name) and node.id == "float"), path
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), path


def test_no_error_is_swallowed() -> None:
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (
                    isinstance(node.type, ast.Name)
                    and node.type.id in {"Exception", "BaseException"}
                )
                empty = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                assert not (broad and empty), f"{module}:{node.lineno}"


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a developer's machine in anything that is published."""
    pattern = re.compile(r"/(?:home|root|Users|work)/\w+")
    for path in tracked():
        if path.suffix in {".xz", ".png", ".ico", ".bin"} or path == Path(__file__).resolve():
            continue
        found = pattern.search(path.read_text("utf-8", errors="replace"))
        assert found is None, f"{path.relative_to(ROOT)}: {found}"
