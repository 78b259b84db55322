"""What a user's KAFKA_SASL_OAUTH_CALLBACK may be."""

import base64
import json
import time
import urllib.request

from secured.tokens import CLIENT, SECRET


def token(url: str) -> tuple[str, int]:
    """One from an endpoint, its end in milliseconds, as the signer of Amazon MSK has it."""
    login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    request = urllib.request.Request(url, b"grant_type=client_credentials", {"authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"], int(time.time() + 3600) * 1000


def failing(_argument: str) -> tuple[str, float]:
    raise RuntimeError("no key to sign with")


def ended(_argument: str) -> tuple[str, float]:
    return "token", time.time() - 1
