/* Levels as they come: read from JSON text or from a list, checked, put in order, and written for those who come after.
 *
 * Text that is not plain ("1e5", escapes, other shapes) is left to the Python form: rare, so it may be slow.
 */
#include "side.h"

PyObject *raw_type;

void
changes_init(Changes *changes)
{
    changes->items = changes->stack;
    changes->count = 0;
    changes->room = STACK_CHANGES;
    changes->ordered = changes->canonical = 1;
    changes->spare = 0;
    changes->cut_off = NULL;
}

void
changes_free(Changes *changes)
{
    PyMem_Free(changes->cut_off);
    if (changes->items != changes->stack)
        PyMem_Free(changes->items);
}

Change *
changes_add(Changes *changes)
{
    if (changes->count == changes->room) {
        size_t bytes = sizeof(Change) * (size_t)changes->room * 2;
        Change *more = changes->items == changes->stack ? PyMem_Malloc(bytes) : PyMem_Realloc(changes->items, bytes);
        if (!more) {
            PyErr_NoMemory();
            return NULL;
        }
        if (changes->items == changes->stack)
            memcpy(more, changes->stack, sizeof changes->stack);
        changes->items = more;
        changes->room *= 2;
    }
    return &changes->items[changes->count++];
}

/* Checks a level and adds it. -1 with an error set: it is none. */
static int
add_level(Changes *changes, int sign, const char *price, Py_ssize_t price_size, const char *size, Py_ssize_t size_size)
{
    Key key;
    if (read_price(price, price_size, &key))
        return -1;
    int zero = read_zero(size, size_size);
    if (zero < 0)
        return -1;
    Change *change = changes_add(changes);
    if (!change)
        return -1;
    if (zero)
        changes->spare += size_size - 1;
    *change = (Change){.key = sign * key, .price = price, .size = size, .zero = zero,
                       .price_size = (uint8_t)price_size, .size_size = (uint8_t)size_size};
    if (changes->count > 1 && change[-1].key <= change->key)
        changes->ordered = 0;
    return 0;
}

/* A merge sort: stable, and no input makes it slow. */
int
changes_put_in_order(Changes *changes)
{
    if (changes->ordered)
        return 0;
    Py_ssize_t count = changes->count;
    Change *from = changes->items, *to = PyMem_Malloc(sizeof(Change) * (size_t)count), *spare = to;
    if (!to) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t width = 1; width < count; width *= 2) {
        for (Py_ssize_t start = 0; start < count; start += 2 * width) {
            Py_ssize_t middle = Py_MIN(start + width, count), end = Py_MIN(start + 2 * width, count);
            Py_ssize_t left = start, right = middle;
            for (Py_ssize_t at = start; at < end; at++) {
                if (left < middle && (right >= end || from[left].key >= from[right].key))
                    to[at] = from[left++];
                else
                    to[at] = from[right++];
            }
        }
        Change *swap = from;
        from = to;
        to = swap;
    }
    Py_ssize_t kept = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (kept && changes->items[kept - 1].key == from[i].key)
            kept--;
        changes->items[kept++] = from[i];
    }
    PyMem_Free(spare);
    changes->count = kept;
    changes->ordered = 1;
    changes->canonical = 0;
    return 0;
}

Changes *
changes_new(void)
{
    Changes *changes = PyMem_Malloc(sizeof(Changes));
    if (!changes)
        return (Changes *)PyErr_NoMemory();
    changes_init(changes);
    return changes;
}

void
changes_clear(Changes *changes)
{
    changes_free(changes);
    changes_init(changes);
}

/* ---- JSON text of levels ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *at, *end;
    Changes *changes;
} Reader;

static void
skip_space(Reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && is_space(*at))
        at++;
    if (at != reader->at) {
        reader->changes->canonical = 0;
        reader->at = at;
    }
}

static int
take(Reader *reader, char expected)
{
    skip_space(reader);
    if (reader->at >= reader->end || *reader->at != expected)
        return 0;
    reader->at++;
    return 1;
}

/* Tells whether digits, points and signs are a number of JSON, which a string need not be. "-0" is left to Python, where
 * it is the integer 0. */
static int
is_json_number(const char *at, const char *end)
{
    if (end - at == 2 && !memcmp(at, "-0", 2))
        return 0;
    at += at < end && *at == '-';
    if (at >= end || (unsigned char)(*at - '0') > 9 || (*at == '0' && at + 1 < end && at[1] != '.'))
        return 0;
    const char *point = memchr(at, '.', (size_t)(end - at));
    return !point || (point + 1 < end && !memchr(point + 1, '.', (size_t)(end - point - 1)));
}

/* Takes a string or a number that is plain decimal text. 0: something else stands there. */
static int
take_number(Reader *reader, const char **text, Py_ssize_t *size)
{
    skip_space(reader);
    int quoted = reader->at < reader->end && *reader->at == '"';
    const char *at = reader->at + quoted;
    *text = at;
    while (at < reader->end && ((unsigned char)(*at - '0') <= 9 || *at == '.' || *at == '-'))
        at++;
    *size = at - *text;
    if (!*size || at >= reader->end || (quoted && *at != '"'))
        return 0;
    if (!quoted) {
        reader->changes->canonical = 0;
        if (!is_json_number(*text, at))
            return 0;
    }
    reader->at = at + quoted;
    return 1;
}

static int
take_name(Reader *reader, PyObject *names, Py_ssize_t i)
{
    Py_ssize_t size;
    const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(names, i), &size);
    if (!name || !take(reader, '"') || reader->end - reader->at < size || memcmp(reader->at, name, (size_t)size))
        return 0;
    reader->at += size;
    return take(reader, '"') && take(reader, ':');
}

int
changes_read_levels(Changes *changes, int sign, PyObject *names, const char *text, const char *end, const char **stop)
{
    Reader reader = {text, end, changes};
    if (names)
        changes->canonical = 0;
    if (!take(&reader, '['))
        return 0;
    skip_space(&reader);
    if (!take(&reader, ']')) {
        do {
            const char *price, *size;
            Py_ssize_t price_size, size_size;
            if (names) {
                if (!take(&reader, '{') || !take_name(&reader, names, 0)
                    || !take_number(&reader, &price, &price_size) || !take(&reader, ',')
                    || !take_name(&reader, names, 1) || !take_number(&reader, &size, &size_size)
                    || !take(&reader, '}'))
                    return 0;
            } else if (!take(&reader, '[') || !take_number(&reader, &price, &price_size) || !take(&reader, ',')
                       || !take_number(&reader, &size, &size_size) || !take(&reader, ']'))
                return 0;
            if (add_level(changes, sign, price, price_size, size, size_size))
                return -1;
        } while (take(&reader, ','));
        if (!take(&reader, ']'))
            return 0;
    }
    *stop = reader.at;
    return 1;
}

int
changes_read_text(Changes *changes, int sign, PyObject *names, const char *text, Py_ssize_t text_size)
{
    const char *stop;
    changes->text = text;
    changes->text_end = text + text_size;
    int done = changes_read_levels(changes, sign, names, text, text + text_size, &stop);
    if (done <= 0)
        return done;
    Reader rest = {stop, text + text_size, changes};
    skip_space(&rest);
    return rest.at == rest.end;
}

/* ---- Lists and text, there and back ----------------------------------------------------------------------------- */

PyObject *
pair_from(const char *price, Py_ssize_t price_size, const char *size, Py_ssize_t size_size)
{
    PyObject *first = PyUnicode_FromStringAndSize(price, price_size);
    PyObject *second = PyUnicode_FromStringAndSize(size, size_size);
    PyObject *pair = first && second ? PyTuple_Pack(2, first, second) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(second);
    return pair;
}

PyObject *
raw_from(PyObject *bytes)
{
    PyObject *raw = bytes ? PyObject_CallOneArg(raw_type, bytes) : NULL;
    Py_XDECREF(bytes);
    return raw;
}

/* Every removal is written the same, so that readers may compare text. */
static const char *
written_size(const Change *change)
{
    return change->zero ? "0" : change->size;
}

static Py_ssize_t
written_length(const Change *change)
{
    return change->zero ? 1 : change->size_size;
}

Py_ssize_t
changes_size(const Changes *changes)
{
    if (changes->canonical)
        return changes->text_end - changes->text - changes->spare;
    Py_ssize_t size = 2;
    for (Py_ssize_t i = 0; i < changes->count; i++)
        size += changes->items[i].price_size + changes->items[i].size_size + 8;
    return size;
}

/* Copies the text, but for the sizes of removals. */
static char *
copy(const Changes *changes, char *at)
{
    const char *from = changes->text;
    Py_ssize_t left = changes->spare;
    for (const Change *change = changes->items; left; change++) {
        if (!change->zero)
            continue;
        at = put(at, from, change->size - from);
        *at++ = '0';
        from = change->size + change->size_size;
        left -= change->size_size - 1;
    }
    return put(at, from, changes->text_end - from);
}

char *
changes_write(const Changes *changes, char *at)
{
    if (changes->canonical)
        return copy(changes, at);
    at = put(at, "[", 1);
    for (Py_ssize_t i = 0; i < changes->count; i++) {
        const Change *change = &changes->items[i];
        at = put_level(at, !i, change->price, change->price_size, written_size(change), written_length(change));
    }
    return put(at, "]", 1);
}

PyObject *
changes_as_text(const Changes *changes)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, changes_size(changes));
    if (!bytes)
        return NULL;
    char *end = changes_write(changes, PyBytes_AS_STRING(bytes));
    return _PyBytes_Resize(&bytes, end - PyBytes_AS_STRING(bytes)) ? NULL : raw_from(bytes);
}

PyObject *
changes_as_list(const Changes *changes)
{
    PyObject *list = PyList_New(changes->count);
    for (Py_ssize_t i = 0; list && i < changes->count; i++) {
        const Change *change = &changes->items[i];
        PyObject *pair = pair_from(change->price, change->price_size, written_size(change), written_length(change));
        if (!pair)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

int
changes_read_list(Changes *changes, int sign, PyObject *levels)
{
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(levels); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(levels, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "a level is a tuple of price and size");
            return -1;
        }
        Py_ssize_t price_size, size_size;
        const char *price = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 0), &price_size);
        const char *size = price ? PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 1), &size_size) : NULL;
        if (!size) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
                PyErr_Clear();
                PyErr_SetString(PyExc_ValueError, "not a level: its text is no Unicode");
            }
            return -1;
        }
        if (add_level(changes, sign, price, price_size, size, size_size))
            return -1;
    }
    return 0;
}

int
add_changes(PyObject *Py_UNUSED(module))
{
    return (raw_type = attribute("msgspec", "Raw")) ? 0 : -1;
}
