"""The compiled parts, which are optional: where no C compiler is, their Python forms do the same work."""

from setuptools import Extension, setup

FLAGS = ["-O2", "-std=c11"]

setup(
    ext_modules=[
        Extension(
            f"tickwire.{part.replace('/', '.')}", [f"src/tickwire/{part}.c"], extra_compile_args=FLAGS, optional=True
        )
        for part in ("events/_native", "events/_quotes", "kafka/_native")
    ]
)
