"""Web addresses in settings: what is accepted, and how an override replaces scheme, host and port."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit


def check_url(text: str, schemes: Sequence[str]) -> str:
    """Return ``text`` when it is an address with one of ``schemes`` and a host, and names no user or password.

    Raises ValueError, whose text completes "the setting should be ...".
    """
    expected = f"an address that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:  # an unclosed bracket, an invalid port
        raise ValueError(f"{expected} and has a valid host and port") from None
    if parts.scheme not in schemes or not host or port == 0 or any(mark.isspace() for mark in text):
        raise ValueError(f"{expected} and has a host, such as {schemes[0]}://127.0.0.1:8080")
    if "@" in parts.netloc:  # addresses are logged and shown, so they hold no secrets
        raise ValueError("an address without user and password")
    return text


def check_origin(text: str, schemes: Sequence[str]) -> str:
    """Return ``text`` when it is an address of scheme, host and port alone; raises ValueError as `check_url` does."""
    parts = urlsplit(check_url(text, schemes))
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("scheme, host and port alone, because the exchange's own paths are kept")
    return text


def replace_origin(url: str, override: str) -> str:
    """Return ``url`` with scheme, host and port of ``override``, which `check_origin` accepted; path and query stay."""
    origin = urlsplit(override)
    return urlsplit(url)._replace(scheme=origin.scheme, netloc=origin.netloc).geturl()


def endpoint(host: str, port: int) -> str:
    """Write ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(url: str) -> bool:
    """True when the address of ``url`` cannot leave this machine. Names other than localhost are not looked up."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, not a number
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, section 6.3
