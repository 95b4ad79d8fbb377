"""What nobody may write here: code made of data, a shell, SQL made of values, a foreign start-up.

Each rule is read off the source as it stands, and off the environment that was built from it.
"""

import ast
import contextlib
import re
import site
import sysconfig
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.house.test_floors import MODULES, ROOT

# Between a process and its own child, over a socket that no other process has.
PICKLES = {"gateway.base.apart": {"pickle"}}
CODE_FROM_DATA = {"eval", "exec", "compile", "__import__", "execfile", "from_string"}
SHELLS = {
    *("system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"),
    *("execl", "execle", "execlp", "execv", "execve", "execvp", "spawnl", "spawnv", "startfile"),
}
UNSAFE_READERS = {"pickle", "marshal", "shelve", "dill", "yaml", "jsonpickle", "cloudpickle"}
RUNS_SQL = {"text", "exec_driver_sql", "execute", "executemany", "executescript", "literal_column"}
SQL = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|WITH|ATTACH|VACUUM|COPY|LOCK)\b"
)
VERSIONS = "gateway.store.schema.migrations.versions"
# Statements put together from words of the source itself: pragmas and their numbers, the two acts
# that a trigger refuses. No bound parameter can stand where these do.
FROM_CONSTANTS = {
    "gateway.store.postgres": 1,
    "gateway.store.sqlite": 5,
    f"{VERSIONS}.0001_ledger_and_request_log": 1,
    f"{VERSIONS}.0002_accounts_keys_and_catalog": 1,
    f"{VERSIONS}.0007_people": 1,
    f"{VERSIONS}.0015_registers": 2,
}
TREES = {module: ast.parse(path.read_text("utf-8")) for module, path in MODULES.items()}


def called(node: ast.AST) -> str:
    """The name of what is called, with the module it is an attribute of: `re.compile`."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        base = node.func.value
        return f"{base.id if isinstance(base, ast.Name) else ''}.{node.func.attr}"
    return node.func.id if isinstance(node.func, ast.Name) else ""


def dangers(tree: ast.AST, pickles: set[str]) -> list[str]:
    """What of a module makes code of data, starts a shell or reads what can run."""
    found = []
    for node in ast.walk(tree):
        name = called(node)
        last = name.rpartition(".")[2]
        if name in CODE_FROM_DATA or name == "importlib.__import__" or last == "from_string":
            found.append(name)
        if last in SHELLS or (name and any(k.arg == "shell" for k in node.keywords)):  # type: ignore[attr-defined]
            found.append(name)
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name in UNSAFE_READERS - pickles]
        if isinstance(node, ast.ImportFrom) and (node.module or "") in UNSAFE_READERS:
            found.append(node.module or "")
    return found


def made_of_parts(node: ast.AST | None) -> bool:
    """An f-string with a value in it, `%`, `+` of what is no literal, `format` or `join`."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        return True
    return called(node).rpartition(".")[2] in {"format", "join"} if node is not None else False


def beginning(node: ast.AST) -> str:
    """The literal that a text put together begins with."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return beginning(node.values[0])
    if isinstance(node, ast.BinOp):
        return beginning(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return beginning(node.func.value)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def formatted_sql(tree: ast.AST) -> list[int]:
    """Lines where a statement is put together, whether or not it is run at once."""
    lines = set()
    for node in ast.walk(tree):
        handed = called(node).rpartition(".")[2] in RUNS_SQL and node.args  # type: ignore[attr-defined]
        if handed and made_of_parts(node.args[0]):  # type: ignore[attr-defined]
            lines.add(node.args[0].lineno)  # type: ignore[attr-defined]
        if made_of_parts(node) and SQL.match(beginning(node)):
            lines.add(node.lineno)  # type: ignore[attr-defined]
    return sorted(lines)


def test_nothing_runs_what_it_was_given() -> None:
    found = {module: dangers(tree, PICKLES.get(module, set())) for module, tree in TREES.items()}
    assert {module: names for module, names in found.items() if names} == {}


def test_no_statement_is_put_together_from_values() -> None:
    found = {module: len(formatted_sql(tree)) for module, tree in TREES.items()}
    assert {module: lines for module, lines in found.items() if lines} == FROM_CONSTANTS


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)",
        "exec(x)",
        "compile(x, '', 'exec')",
        "os.system(x)",
        "os.popen(x)",
        "subprocess.run(x, shell=True)",
        "asyncio.create_subprocess_shell(x)",
        "import marshal",
        "from pickle import loads",
        "environment.from_string(x)",
    ],
)
def test_a_danger_would_be_seen(line: str) -> None:
    assert dangers(ast.parse(line), set())


@pytest.mark.parametrize(
    "line",
    [
        "c.execute(f'SELECT {x}')",
        "c.exec_driver_sql('DELETE FROM t WHERE a = %s' % x)",
        "sa.text('SELECT ' + x)",
        "q = 'SELECT * FROM t WHERE a = {}'.format(x)",
        "q = f'UPDATE t SET a = {x}'",
        "sa.text(' AND '.join(x))",
    ],
)
def test_a_formatted_statement_would_be_seen(line: str) -> None:
    assert formatted_sql(ast.parse(line))


# What starts with every interpreter of this environment: our own link to the source, and what
# setuptools brings. A published package once stole keys from such a file.
START_FILES = {
    "__editable__.tallygate": r"import __editable___tallygate_[\w]+_finder; "
    r"__editable___tallygate_[\w]+_finder\.install\(\)\s*",
    "distutils-precedence": r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; .*"
    r"__import__\('_distutils_hack'\)\.add_shim\(\); \s*",
}


def test_nothing_foreign_starts_with_the_interpreter() -> None:
    folders = {Path(each) for each in (*site.getsitepackages(), sysconfig.get_path("purelib"))}
    for path in (path for folder in folders for path in folder.glob("*.pth")):
        known = [words for name, words in START_FILES.items() if path.name.startswith(name)]
        assert known and re.fullmatch(known[0], path.read_text("utf-8")), path.name
    for folder in folders:
        assert not [
            name for name in ("sitecustomize.py", "usercustomize.py") if (folder / name).exists()
        ]


def test_every_dependency_has_a_floor_and_comes_from_the_registry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    for each in wanted:
        assert re.fullmatch(r"[A-Za-z0-9-]+(?:\[[a-z]+\])?(?:>=|==)[\d.]+(?:,<[\d.]+)?", each), each


LOCKED = re.compile(
    r"([a-z0-9-]+)==([\w.]+)(?: ; [^\\]+?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)"
)


def plain(name: str) -> str:
    """A project's name as the registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_runs_is_locked_by_hash() -> None:
    """Each dependency, and each of theirs, in one version and the files it may come as."""
    text = (ROOT / ".ci/lock.txt").read_text("utf-8")
    rows = [row for row in re.split(r"\n(?! )", text.strip()) if row]
    locked = {found[1]: found[2] for row in rows if (found := LOCKED.fullmatch(row))}
    assert len(locked) == len(rows) > 40
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    build = project["build-system"]["requires"]
    asked = [line for line in (ROOT / ".ci/build.in").read_text("utf-8").split("\n")[1:] if line]
    assert asked == build
    wanted = [*build, *project["project"]["dependencies"]]
    for extra in ("postgres", "bedrock"):
        wanted += project["project"]["optional-dependencies"][extra]
    for each in wanted:
        name, floor = re.split(r"(?:\[\w+\])?>=", each.partition(",")[0])
        assert version_of(locked[plain(name)]) >= version_of(floor), each
    for name, number in locked.items():
        with contextlib.suppress(PackageNotFoundError):  # of another system
            assert version(name) == number, f"{name}: run make, or make lock"


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
