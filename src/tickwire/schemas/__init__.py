"""The shapes of what is published, one file a kind and form: the source of truth for every reader.

``ticker``, ``orderbook`` and ``trade`` each as Avro (``.avsc``), Protobuf (``.proto``, and ``.desc``: its file
descriptor in base64, as Confluent's client for Python registers it) and JSON Schema (``.schema.json``).
"""

from functools import cache
from importlib.resources import files

FORMS = {"avro": ".avsc", "protobuf": ".proto", "descriptor": ".desc", "json": ".schema.json"}


@cache
def schema_text(kind: str, form: str) -> str:
    """The text of the schema of a *kind*, in a *form* of :data:`FORMS`."""
    text = files(__name__).joinpath(kind + FORMS[form]).read_text(encoding="utf-8")
    return text.strip() if form == "descriptor" else text
