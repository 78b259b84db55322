/* Prices and sizes: the compiled form of events/decimals.py, which handles all text that is not a plain decimal. */
#include "side.h"

enum { MAX_DIGITS = LEVEL_DIGITS / 2 };

static Key powers[PLACES + 1]; /* powers of ten */

static inline int
is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static inline const char *
end_within(const char *text, const char *end, Py_ssize_t most)
{
    return end - text < most ? end : text + most;
}

/* Eight characters as digits, the first one in the lowest byte; *count* gets how many of them are digits at the beginning. */
static inline uint64_t
digits_at(const char *at, int *count)
{
    uint64_t characters;
    memcpy(&characters, at, 8);
    uint64_t digits = characters ^ 0x3030303030303030;
    uint64_t others = ((digits + 0x7676767676767676) | digits) & 0x8080808080808080; /* only the first hit is exact */
    *count = others ? __builtin_ctzll(others) / 8 : 8;
    return digits;
}

static inline uint64_t
value_of(uint64_t digits) /* of pairs, then of fours, then of all eight */
{
    digits = digits * 10 + (digits >> 8);
    return (uint32_t)(((digits & 0xFF000000FF) * (100 + (1000000ULL << 32))
                       + (digits >> 16 & 0xFF000000FF) * (1 + (10000ULL << 32))) >> 32);
}

static inline const char *
take_eight(const char *text, const char *end, int is_price, Key *value)
{
    int count;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || end - text < 8)
        return NULL;
    uint64_t digits = digits_at(text, &count), places = 0;
    const char *at = text + count;
    if (!count || at == end)
        return NULL;
    digits <<= 64 - 8 * count; /* puts zeros before them */
    if (*at == '.') {
        if (end - ++at < 8)
            return NULL;
        places = digits_at(at, &count);
        at += count;
        if (!count || at == end)
            return NULL;
        places &= ~0ULL >> (64 - 8 * count); /* puts zeros after them */
    }
    if (is_digit(*at))
        return NULL;
    *value = is_price ? (Key)(value_of(digits) * 100000000 + value_of(places)) * 10000000000000000 : (digits | places) != 0;
    return at;
}

const char *
take_price(const char *text, const char *end, Key *value)
{
    return take_eight(text, end, 1, value);
}

const char *
take_size(const char *text, const char *end, Key *value)
{
    return take_eight(text, end, 0, value);
}

int
read_plain(const char *text, Py_ssize_t size, Key *value)
{
    const char *end = text + size;
    int negative = size > 0 && *text == '-';
    if (size > MAX_DIGITS)
        return 0;
    text += negative;
    uint64_t whole = 0, fraction = 0, fraction_high = 0;
    const char *start = text;
    int places = 0;
    while (text < end && *text == '0')
        text++;
    for (const char *stop = end_within(text, end, WHOLE_DIGITS); text < stop && is_digit(*text); text++)
        whole = whole * 10 + (uint64_t)(*text - '0');
    if (text == start)
        return 0; /* no digit before the point */
    if (text < end && *text == '.') {
        start = ++text;
        for (const char *stop = end_within(start, end, 18); text < stop && is_digit(*text); text++)
            fraction = fraction * 10 + (uint64_t)(*text - '0');
        for (const char *stop = end_within(start, end, PLACES); text < stop && is_digit(*text); text++)
            fraction_high = fraction_high * 10 + (uint64_t)(*text - '0');
        places = (int)(text - start);
        if (!places)
            return 0;
    }
    if (text != end)
        return 0;
    Key key = (Key)whole * powers[PLACES];
    if (places <= 18)
        key += (Key)fraction * powers[PLACES - places];
    else
        key += (Key)fraction * powers[PLACES - 18] + (Key)fraction_high * powers[PLACES - places];
    *value = negative ? -key : key;
    return 1;
}

/* 1: zero, 0: a plain number that is not zero, -1: not plain. */
static int
plain_zero(const char *text, Py_ssize_t size)
{
    const char *end = text + size, *start = text;
    int other = 0; /* than zeros */
    while (text < end && is_digit(*text))
        other |= *text++ ^ '0';
    if (text == start)
        return -1;
    if (text < end && *text == '.') {
        start = ++text;
        while (text < end && is_digit(*text))
            other |= *text++ ^ '0';
        if (text == start)
            return -1;
    }
    return text == end && size <= MAX_DIGITS ? !other : -1;
}

/* Reads digits, optionally with a point among them, that fit into 64 bits. */
int
read_factor(const char *text, Py_ssize_t size, Factor *factor)
{
    const char *end = text + size, *point = NULL;
    uint64_t digits = 0;
    for (const char *at = text; at < end; at++) {
        if (*at == '.' && !point && at > text && at + 1 < end)
            point = at;
        else if (!is_digit(*at) || __builtin_mul_overflow(digits, 10, &digits)
                 || __builtin_add_overflow(digits, (uint64_t)(*at - '0'), &digits))
            return 0;
    }
    *factor = (Factor){digits, point ? (int)(end - point - 1) : 0};
    return factor->places <= PLACES && (point ? point : end) - text <= WHOLE_DIGITS;
}

char *
put_product(char *to, const char *text, Py_ssize_t size, const Factor *factor)
{
    Factor of_size;
    uint64_t digits;
    if (!read_factor(text, size, &of_size) || __builtin_mul_overflow(of_size.digits, factor->digits, &digits) || !digits)
        return NULL;
    int places = of_size.places + factor->places, count = 0;
    for (; places && !(digits % 10); places--)
        digits /= 10;
    if (places > PLACES)
        return NULL;
    char backward[PRODUCT_SIZE], *at = backward;
    for (; digits || count <= places; digits /= 10, count++) {
        if (places && count == places)
            *at++ = '.';
        *at++ = (char)('0' + digits % 10);
    }
    if (count - places > WHOLE_DIGITS)
        return NULL;
    while (at > backward)
        *to++ = *--at;
    return to;
}

static int
key_from_int(PyObject *number, Key *key)
{
    PyObject *shift = PyLong_FromLong(64);
    PyObject *high = shift ? PyNumber_Rshift(number, shift) : NULL;
    Py_XDECREF(shift);
    if (!high)
        return -1;
    long long top = PyLong_AsLongLong(high);
    Py_DECREF(high);
    if (top == -1 && PyErr_Occurred())
        return -1;
    unsigned long long low = PyLong_AsUnsignedLongLongMask(number);
    if (PyErr_Occurred())
        return -1;
    *key = (Key)(((unsigned __int128)(unsigned long long)top << 64) | low);
    return 0;
}

PyObject *
int_from_key(Key key)
{
    if (key >= INT64_MIN && key <= INT64_MAX)
        return PyLong_FromLongLong((long long)key);
    unsigned char bytes[sizeof key]; /* little-endian on every machine */
    for (size_t i = 0; i < sizeof key; i++)
        bytes[i] = (unsigned char)((unsigned __int128)key >> (8 * i));
    return _PyLong_FromByteArray(bytes, sizeof bytes, 1, 1);
}

int
read_price(const char *text, Py_ssize_t size, Key *key)
{
    if (read_plain(text, size, key))
        return 0;
    PyObject *said = PyUnicode_FromStringAndSize(text, size), *number = call_python_form("price_key", said);
    Py_XDECREF(said);
    if (!number)
        return -1;
    int failed = key_from_int(number, key);
    Py_DECREF(number);
    return failed;
}

int
read_zero(const char *text, Py_ssize_t size)
{
    int zero = plain_zero(text, size);
    if (zero >= 0)
        return zero;
    PyObject *said = PyUnicode_FromStringAndSize(text, size), *answer = call_python_form("is_zero", said);
    Py_XDECREF(said);
    if (!answer)
        return -1;
    zero = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return zero;
}

static PyObject *
native_price_key(PyObject *Py_UNUSED(module), PyObject *text)
{
    Key key;
    if (PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text)
        && read_plain((const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text), &key))
        return int_from_key(key);
    return call_python_form("price_key", text);
}

static PyObject *
native_is_zero(PyObject *Py_UNUSED(module), PyObject *text)
{
    if (PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text)) {
        int zero = plain_zero((const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
        if (zero >= 0)
            return PyBool_FromLong(zero);
    }
    return call_python_form("is_zero", text);
}

static PyObject *
native_decimal_text(PyObject *Py_UNUSED(module), PyObject *number)
{
    if (PyUnicode_CheckExact(number) && PyUnicode_IS_COMPACT_ASCII(number)) {
        const char *at = (const char *)PyUnicode_1BYTE_DATA(number), *end = at + PyUnicode_GET_LENGTH(number);
        while (at < end && (*at | 0x20) != 'e')
            at++;
        if (at == end) {
            Py_INCREF(number);
            return number;
        }
    }
    return call_python_form("decimal_text", number);
}

int
add_decimals(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"price_key", native_price_key, METH_O, NULL},
        {"is_zero", native_is_zero, METH_O, NULL},
        {"decimal_text", native_decimal_text, METH_O, NULL},
        {NULL, NULL, 0, NULL},
    };
    powers[0] = 1;
    for (int i = 1; i <= PLACES; i++)
        powers[i] = powers[i - 1] * 10;
    return PyModule_AddFunctions(module, functions);
}
