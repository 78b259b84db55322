/* Writes values of records from what was read in frames, as records/codec.py encodes the same events. */
#include "native.h"

#define PUT(to, literal) put(to, literal, sizeof literal - 1)

char *
put_number(char *to, long long number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                                "495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596"
                                "979899";
    char digits[20], *const end = digits + sizeof digits, *at = end;
    unsigned long long left = number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number;
    for (; left > 99; left /= 100)
        memcpy(at -= 2, pairs + 2 * (left % 100), 2);
    memcpy(at -= 2, pairs + 2 * left, 2);
    at += left < 10;
    if (number < 0)
        *to++ = '-';
    return put(to, at, end - at);
}

static char *
put_optional(char *to, long long number)
{
    return number < 0 ? PUT(to, "null") : put_number(to, number);
}

/* A side without size is empty: its price is null too. */
static char *
put_pair(char *to, const char *name, Py_ssize_t name_size, const Piece pair[2])
{
    if (pair[1].value) {
        to = PUT(to, "null");
        to = put(to, name, name_size);
        return PUT(to, "null");
    }
    *to++ = '"';
    to = put(to, pair[0].text, pair[0].size);
    *to++ = '"';
    to = put(to, name, name_size);
    *to++ = '"';
    to = put(to, pair[1].text, pair[1].size);
    *to++ = '"';
    return to;
}

PyObject *
ticker_value(PyObject *prefix, const Found *found, long long received_us)
{
    Py_ssize_t most = PyBytes_GET_SIZE(prefix) + 200; /* names, quotes, numbers of 20 digits */
    for (int i = 0; i < found->decimal_count; i++)
        most += found->decimals[i].size;
    PyObject *value = PyBytes_FromStringAndSize(NULL, most);
    if (!value)
        return NULL;
    char *to = put(PyBytes_AS_STRING(value), PyBytes_AS_STRING(prefix), PyBytes_GET_SIZE(prefix));
    to = put_pair(to, ",\"bid_size\":", 12, found->decimals);
    to = PUT(to, ",\"ask\":");
    to = put_pair(to, ",\"ask_size\":", 12, found->decimals + 2);
    to = PUT(to, ",\"last\":");
    if (found->decimal_count == DECIMALS) {
        const Piece *last = &found->decimals[DECIMALS - 1];
        *to++ = '"';
        to = put(to, last->text, last->size);
        *to++ = '"';
    } else
        to = PUT(to, "null");
    to = PUT(to, ",\"sequence\":");
    to = put_optional(to, found->integers[LAST].text ? found->integers[LAST].value : -1);
    to = PUT(to, ",\"exchange_us\":");
    to = put_optional(to, found->us);
    to = PUT(to, ",\"received_us\":");
    to = put_number(to, received_us);
    *to++ = '}';
    _PyBytes_Resize(&value, to - PyBytes_AS_STRING(value));
    return value;
}

PyObject *
trade_value(PyObject *prefix, const Found *found, long long received_us)
{
    const Piece *number = &found->integers[LAST], *price = &found->decimals[0], *size = &found->decimals[1];
    Py_ssize_t most = PyBytes_GET_SIZE(prefix) + number->size + price->size + size->size + 150;
    PyObject *value = PyBytes_FromStringAndSize(NULL, most);
    if (!value)
        return NULL;
    char *to = put(PyBytes_AS_STRING(value), PyBytes_AS_STRING(prefix), PyBytes_GET_SIZE(prefix));
    *to++ = '"';
    to = put(to, number->text, number->size);
    to = PUT(to, "\",\"price\":\"");
    to = put(to, price->text, price->size);
    to = PUT(to, "\",\"size\":\"");
    to = put(to, size->text, size->size);
    to = found->sells ? PUT(to, "\",\"side\":\"sell\",\"exchange_us\":") : PUT(to, "\",\"side\":\"buy\",\"exchange_us\":");
    to = put_number(to, found->us);
    to = PUT(to, ",\"received_us\":");
    to = put_number(to, received_us);
    *to++ = '}';
    _PyBytes_Resize(&value, to - PyBytes_AS_STRING(value));
    return value;
}

/* Writes what follows the levels of an order book; *reason* is JSON. */
static char *
put_numbers(char *to, const BookNumbers *numbers, const char *reason, long long received_us)
{
    to = PUT(to, ",\"epoch\":");
    to = put_number(to, numbers->epoch);
    to = PUT(to, ",\"book_seq\":");
    to = put_number(to, numbers->book_seq);
    to = PUT(to, ",\"reason\":");
    to = put(to, reason, (Py_ssize_t)strlen(reason));
    to = PUT(to, ",\"sequence\":");
    to = put_optional(to, numbers->sequence);
    to = PUT(to, ",\"exchange_us\":");
    to = put_optional(to, numbers->exchange_us);
    to = PUT(to, ",\"received_us\":");
    to = put_number(to, received_us);
    *to++ = '}';
    return to;
}

PyObject *
delta_value(PyObject *prefix, const Changes *bids, const Changes *asks, const BookNumbers *numbers, long long received_us)
{
    Py_ssize_t most = PyBytes_GET_SIZE(prefix) + changes_size(bids) + changes_size(asks) + 250;
    PyObject *value = PyBytes_FromStringAndSize(NULL, most);
    if (!value)
        return NULL;
    char *to = put(PyBytes_AS_STRING(value), PyBytes_AS_STRING(prefix), PyBytes_GET_SIZE(prefix));
    to = changes_write(bids, to);
    to = PUT(to, ",\"asks\":");
    to = changes_write(asks, to);
    to = put_numbers(to, numbers, "null", received_us);
    _PyBytes_Resize(&value, to - PyBytes_AS_STRING(value));
    return value;
}

PyObject *
top_value(const Top *top, const BookNumbers *numbers, long long received_us)
{
    Py_buffer bids, asks;
    if (PyObject_GetBuffer(top->bids_text, &bids, PyBUF_SIMPLE))
        return NULL;
    if (PyObject_GetBuffer(top->asks_text, &asks, PyBUF_SIMPLE)) {
        PyBuffer_Release(&bids);
        return NULL;
    }
    Py_ssize_t before = PyBytes_GET_SIZE(top->prefix);
    PyObject *value = PyBytes_FromStringAndSize(NULL, before + bids.len + asks.len + 250);
    if (value) {
        char *to = put(PyBytes_AS_STRING(value), PyBytes_AS_STRING(top->prefix), before);
        to = put(to, bids.buf, bids.len);
        to = PUT(to, ",\"asks\":");
        to = put(to, asks.buf, asks.len);
        to = put_numbers(to, numbers, "\"update\"", received_us);
        _PyBytes_Resize(&value, to - PyBytes_AS_STRING(value));
    }
    PyBuffer_Release(&bids);
    PyBuffer_Release(&asks);
    return value;
}
