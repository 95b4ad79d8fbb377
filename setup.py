"""Build the compiled extensions: every native/*.pyx becomes gateway._native.*.

Each .pyx names its C sources in a `# distutils: sources = ...` header. Switches (environment):
TALLYGATE_DEBUG=1 (no optimisation, bounds checks), TALLYGATE_SANITIZE=1 (ASan and UBSan),
TALLYGATE_COVERAGE=1 (line tracing). Everything else about the package is in pyproject.toml.
"""

import glob
import os
from pathlib import Path

from setuptools import Extension, setup

DEBUG = os.environ.get("TALLYGATE_DEBUG") == "1"
SANITIZE = os.environ.get("TALLYGATE_SANITIZE") == "1"
COVERAGE = os.environ.get("TALLYGATE_COVERAGE") == "1"

# Headers and declarations are named so that an sdist carries them and a change rebuilds.
DEPENDS = sorted(
    glob.glob("gateway/_native/*.pxd") + glob.glob("native/*.pxd") + glob.glob("native/c/*.[ch]")
)


def flags() -> list[str]:
    if DEBUG or SANITIZE:
        extra = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"] if SANITIZE else []
        return ["-O1", "-g", "-std=c11", *extra]
    return ["-O3", "-std=c11", "-fno-plt", "-fvisibility=hidden"]


def declarations_changed() -> bool:
    """True when a .pxd is newer than generated C: cythonize does not see all who cimport it."""
    generated = [path.stat().st_mtime for path in Path("build/cython").rglob("*.c")]
    declared = [path.stat().st_mtime for path in Path("gateway/_native").glob("*.pxd")]
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
    if not modules:
        return []
    directives = {"language_level": 3, "linetrace": COVERAGE, "boundscheck": DEBUG}
    return cythonize(
        modules,
        build_dir="build/cython",
        include_path=["native", "."],
        compiler_directives=directives,
        force=DEBUG or SANITIZE or COVERAGE or declarations_changed(),
    )


setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count() or 1}})
