"""The compiled part, which is optional: where no C compiler is, its Python forms do the same work."""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/tickwire/native")

setup(
    ext_modules=[
        Extension(
            "tickwire._native",
            sorted(map(str, NATIVE.glob("*.c"))),
            depends=sorted(map(str, NATIVE.glob("*.h"))),
            extra_compile_args=["-O2", "-std=c11", "-fvisibility=hidden"],
            optional=True,
        )
    ]
)
