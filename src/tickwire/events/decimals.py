"""Prices and sizes as exchanges write them: decimal text, compared by exact value."""

from decimal import Decimal, InvalidOperation

from tickwire.compiled import compiled

# Prices are compared as exact integers of 10^-24; no exchange writes more than 18 places.
_PLACES = 24
_UNIT: int = 10**_PLACES
_LIMIT: int = 10**14 * _UNIT  # above every real price, and still fits into 128 bits
_MAX_DIGITS = 80  # longer text is no price but an attack: int() is slow on long text
_CACHE_LIMIT = 200_000  # prices that are cached for all books together; the cache is cleared when full

_keys: dict[str, int] = {}


@compiled
def price_key(text: str) -> int:
    """Give the exact value of decimal *text* in units of 10^-24. Raises :exc:`ValueError` when it is no such number."""
    key = _keys.get(text)
    if key is None:
        if len(_keys) >= _CACHE_LIMIT:
            _keys.clear()
        key = _keys[text] = _parse(text)
    return key


def _parse(text: str) -> int:
    if len(text) > _MAX_DIGITS or not text.isascii():
        raise ValueError(f"not a decimal number: {text[:40]!r}")
    whole, _, fraction = text.partition(".")
    if whole.isdigit() and (fraction.isdigit() or not fraction) and len(fraction) <= _PLACES:
        key = int(whole + fraction.ljust(_PLACES, "0"))
    else:
        key = _scaled(text)
    if abs(key) >= _LIMIT:
        raise ValueError(f"not a decimal number below 10^14: {text[:40]!r}")
    return key


def _scaled(text: str) -> int:
    value = _exact(text)
    if value is None or not value.is_finite() or abs(value.adjusted()) > _MAX_DIGITS:
        raise ValueError(f"not a finite decimal number: {text[:40]!r}")
    numerator, denominator = value.as_integer_ratio()
    scaled, rest = divmod(numerator * _UNIT, denominator)
    if rest:
        raise ValueError(f"more than {_PLACES} decimal places: {text[:40]!r}")
    return scaled


@compiled
def is_zero(size: str) -> bool:
    """Tell whether *size* is zero. Raises :exc:`ValueError` when it is no non-negative decimal number."""
    if len(size) > _MAX_DIGITS:
        raise ValueError(f"not a size: {size[:40]!r}")
    if not size.strip("0."):
        if not size or size.count(".") > 1 or size == ".":
            raise ValueError(f"not a size: {size[:40]!r}")
        return True
    whole, _, fraction = size.partition(".")
    if size.isascii() and (whole + fraction).isdigit():
        return False
    value = _exact(size)
    if value is None or not value.is_finite() or value < 0 or abs(value.adjusted()) > _MAX_DIGITS:
        raise ValueError(f"not a size: {size[:40]!r}")
    return value == 0


def product(size: str, factor: str) -> str:
    """Multiply a size exactly; the text has no exponent and no zeros at the end.

    Raises :exc:`ValueError` when *size* is none, or the product has more digits than a number may have.
    """
    if is_zero(size):
        return "0"
    value, rest = divmod(_parse(size) * price_key(factor), _UNIT)  # sizes hardly come again, so they are not cached
    if rest or value >= _LIMIT:
        raise ValueError(f"{size[:40]} times {factor[:40]} has too many digits")
    digits = str(value).rjust(_PLACES + 1, "0")
    whole, fraction = digits[:-_PLACES], digits[-_PLACES:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _exact(text: str) -> Decimal | None:
    """Parse a number with a sign or an exponent; None for what only Python accepts, such as ``1_0``."""
    if "_" in text or not text.isascii() or text != text.strip():
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


@compiled
def decimal_text(number: object) -> str:
    """Give a number as decimal text, as the frame wrote it but without an exponent. Raises :exc:`ValueError`.

    Exponents are in JSON numbers, and also in text: many servers write ``1E-8``, as ``BigDecimal`` of Java does. A
    decoder with ``float_hook=str`` and fields of the type ``Any`` passes a number with a point or an exponent as
    text, and every other one as int: no digit goes through a binary float.
    """
    if type(number) is str:
        if "e" in number or "E" in number:
            # Refuses what is no number, and exponents that would make the text very long. It may be a size: not cached.
            _parse(number)
            return format(Decimal(number), "f")
        return number
    if type(number) is int:
        return str(number)
    raise ValueError(f"not a number: {number!r:.40}")
