"""A token endpoint (OpenID Connect) on loopback, over HTTP and HTTPS, that can be ill in the ways in which they are."""

import base64
import contextlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "feed", "CANARY-oauth-secret"
ISSUER = "http://tickwire.test/"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenEndpoint:
    """Issues tokens for ``feed``. ``mode`` is ok, or one of 500, html and odd; ``delay_s`` is how slow it is."""

    def __init__(self, certificate: Path) -> None:
        self.mode, self.delay_s, self.secret = "ok", 0.0, SECRET
        self.asked: list[dict[str, list[str]]] = []
        self._key = rsa.generate_private_key(65537, 2048)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) for _ in range(2)]
        self._servers[1].socket = context.wrap_socket(self._servers[1].socket, server_side=True)
        self.http, self.https = (
            f"{scheme}://localhost:{server.server_port}/token"
            for scheme, server in zip(("http", "https"), self._servers, strict=True)
        )

    def key_set(self) -> str:
        """What the broker checks the tokens with: https://www.rfc-editor.org/rfc/rfc7517."""
        numbers = self._key.public_key().public_numbers()
        modulus = _text(numbers.n.to_bytes(256, "big"))
        return json.dumps(
            {"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"}]}
        )

    def token(self, subject: str = CLIENT, life_s: int = 3600) -> str:
        """Sign one: https://www.rfc-editor.org/rfc/rfc7519."""
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": subject, "aud": "kafka", "iat": now, "exp": now + life_s, "scope": "kafka"}
        parts = ({"alg": "RS256", "kid": "1", "typ": "JWT"}, claims)
        signed = ".".join(_text(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"

    def answer(self, authorization: str, body: str) -> tuple[int, str]:
        form = parse_qs(body)
        self.asked.append(form)
        time.sleep(self.delay_s)
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if self.mode == "500":
            return 500, json.dumps({"error": "server_error"})
        if self.mode == "html":
            return 200, "<html>Please sign in</html>"
        if self.mode == "odd":
            return 200, json.dumps({"token": "CANARY-misplaced"})
        if "assertion" not in form and (given[0], given[2]) != (CLIENT, self.secret):
            return 401, json.dumps({"error": "invalid_client", "error_description": "unknown client"})
        return 200, json.dumps({"access_token": self.token(), "token_type": "Bearer", "expires_in": 3600})

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                code, text = endpoint.answer(self.headers.get("authorization") or "", body)
                self.send_response(code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have given up
                    self.wfile.write(text.encode())

        return Handler
