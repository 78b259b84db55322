"""The compiled part, which is optional: where no C compiler is, its Python forms do the same work."""

from pathlib import Path
from runpy import run_path

from setuptools import Extension, setup

NATIVE = Path("src/tickwire/native")
STAMP = "src/tickwire/stamp.py"

setup(
    ext_modules=[
        Extension(
            "tickwire._native",
            sorted(map(str, NATIVE.glob("*.c"))),
            depends=[STAMP, *sorted(map(str, NATIVE.glob("*.h")))],
            define_macros=[("STAMP", f'"{run_path(STAMP)["stamp"](NATIVE)}"')],
            extra_compile_args=["-O2", "-std=c11", "-fvisibility=hidden"],
            optional=True,
        )
    ]
)
