"""The schemas of all messages, one file for each kind and form: the source of truth for every reader.

``ticker``, ``orderbook`` and ``trade`` each as Avro (``.avsc``), Protobuf (``.proto``) and JSON Schema
(``.schema.json``).
"""

from functools import cache
from importlib.resources import files

FORMS = {"avro": ".avsc", "protobuf": ".proto", "json": ".schema.json"}


@cache
def schema_text(kind: str, form: str) -> str:
    """The text of the schema of a *kind*, in a *form* of :data:`FORMS`."""
    return files(__name__).joinpath(kind + FORMS[form]).read_text(encoding="utf-8")
