"""The compiled part, which is optional: where no C compiler is, its Python form does the same work."""

from setuptools import Extension, setup

FLAGS = ["-O2", "-std=c11"]

setup(
    ext_modules=[
        Extension(
            "tickwire.events._native", ["src/tickwire/events/_native.c"], extra_compile_args=FLAGS, optional=True
        ),
    ]
)
