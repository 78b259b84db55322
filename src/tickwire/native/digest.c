/* The text from which checksums of order books are computed: the compiled form of events/digest.py. */
#include "side.h"

enum { DIGITS, WRITTEN, JAVASCRIPT };         /* spellings, as in events/digest.py */
enum { ASKS_FIRST, BIDS_FIRST, IN_TURN };     /* orders */

static PyObject *crc32; /* zlib's */

static char *
put_digits(char *to, const char *text, Py_ssize_t size)
{
    int begun = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        if (text[i] == '.' || (text[i] == '0' && !begun))
            continue;
        begun = 1;
        *to++ = text[i];
    }
    return to;
}

/* The same for text behind which seven more characters may be read, eight at a time. */
static char *
put_digits_fast(char *to, const char *text, Py_ssize_t size)
{
    static const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    const char *end = text + size;
    while (text < end && (*text == '0' || *text == '.'))
        text++;
    for (; text < end; text += 8) {
        uint64_t characters;
        Py_ssize_t count = Py_MIN(end - text, 8);
        memcpy(&characters, text, 8);
        uint64_t other = characters ^ ones * '.', point = (other - ones) & ~other & high;
        int before = point ? __builtin_ctzll(point) / 8 : 8;
        if (before < count) {
            uint64_t kept = (1ULL << 8 * before) - 1;
            characters = (characters & kept) | (characters >> 8 & ~kept);
            count--;
        }
        memcpy(to, &characters, 8);
        to += count;
    }
    return to;
}

/* Numbers below 0.000001 have an exponent. */
static char *
put_as_javascript(char *to, const char *text, Py_ssize_t size)
{
    static const char small[] = "0.000000";
    const char *end = text + size, *digits = text + (size && *text == '-');
    if (end - digits < (Py_ssize_t)sizeof small || memcmp(digits, small, sizeof small - 1))
        return put(to, text, size);
    const char *first = digits + sizeof small - 1;
    while (first < end && *first == '0')
        first++;
    if (first == end)
        return put(to, text, size);
    to = put(to, text, digits - text);
    *to++ = *first;
    if (first + 1 < end) {
        *to++ = '.';
        to = put(to, first + 1, end - first - 1);
    }
    return to + sprintf(to, "e-%d", (int)(first - digits) - 1);
}

static char *
put_one(char *to, const Level *level, int spelling, int negative)
{
    const char *price = level_text(level), *size = price + level->price_size;
    if (spelling == DIGITS) {
        int fits = level->price_size + level->size_size + 8 <= INLINE_TEXT;
        char *(*put_all)(char *, const char *, Py_ssize_t) =
            fits && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? put_digits_fast : put_digits;
        return put_all(put_all(to, price, level->price_size), size, level->size_size);
    }
    if (spelling == WRITTEN) {
        to = put(to, price, level->price_size);
        *to++ = ':';
        to = put(to, size, level->size_size);
    } else {
        to = put_as_javascript(to, price, level->price_size);
        *to++ = ':';
        if (!negative)
            to = put_as_javascript(to, size, level->size_size);
        else {
            char signed_size[LEVEL_DIGITS];
            *signed_size = '-';
            memcpy(signed_size + 1, size, level->size_size);
            to = put_as_javascript(to, signed_size, level->size_size + 1);
        }
    }
    *to++ = ':';
    return to;
}

static char *
put_levels(char *to, const Side *side, Py_ssize_t from, Py_ssize_t until, int spelling, int negative)
{
    for (Py_ssize_t i = from; i < Py_MIN(until, side->count); i++)
        to = put_one(to, &side->levels[side->count - 1 - i], spelling, negative);
    return to;
}

int
digest_is_known(const Digest *digest)
{
    return digest->levels >= 0 && digest->levels <= MOST_LEVELS && (unsigned)digest->order <= IN_TURN
           && (unsigned)digest->spelling <= JAVASCRIPT;
}

static PyObject *
text_of(const Side *bids, const Side *asks, const Digest *digest)
{
    char text[DIGEST_SIZE], *to = text;
    int spelling = digest->spelling;
    if (digest->order == IN_TURN)
        for (Py_ssize_t i = 0; i < digest->levels; i++) {
            to = put_levels(to, bids, i, i + 1, spelling, 0);
            to = put_levels(to, asks, i, i + 1, spelling, 1);
        }
    else {
        if (digest->order == BIDS_FIRST)
            to = put_levels(to, bids, 0, digest->levels, spelling, 0);
        to = put_levels(to, asks, 0, digest->levels, spelling, 1);
        if (digest->order == ASKS_FIRST)
            to = put_levels(to, bids, 0, digest->levels, spelling, 0);
    }
    return PyBytes_FromStringAndSize(text, to - text - (spelling != DIGITS && to > text));
}

int
digest_is(const Side *bids, const Side *asks, const Digest *digest, uint64_t checksum)
{
    PyObject *text = text_of(bids, asks, digest);
    PyObject *answer = text ? PyObject_CallOneArg(crc32, text) : NULL;
    Py_XDECREF(text);
    if (!answer)
        return -1;
    uint64_t found = PyLong_AsUnsignedLongLong(answer);
    Py_DECREF(answer);
    return found == checksum;
}

static PyObject *
native_digest_text(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Side *bids, *asks;
    Digest digest;
    if (!PyArg_ParseTuple(arguments, "O!O!nii", side_type, &bids, side_type, &asks, &digest.levels, &digest.order,
                          &digest.spelling))
        return NULL;
    if (!digest_is_known(&digest)) {
        PyErr_SetString(PyExc_ValueError, "no such digest");
        return NULL;
    }
    return text_of(bids, asks, &digest);
}

int
add_digest(PyObject *module)
{
    static PyMethodDef functions[] = {{"digest_text", native_digest_text, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
    return (crc32 = attribute("zlib", "crc32")) ? PyModule_AddFunctions(module, functions) : -1;
}
