/* Changed levels: sorting them, writing them as JSON text or Python lists, and reading them from Python lists. */
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
    changes->cut_off = changes->products = NULL;
}

void
changes_free(Changes *changes)
{
    PyMem_Free(changes->cut_off);
    PyMem_Free(changes->products);
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

int
changes_multiply(Changes *changes, const Factor *factor)
{
    char *to = PyMem_Malloc((size_t)changes->count * PRODUCT_SIZE + 1);
    if (!to) {
        PyErr_NoMemory();
        return -1;
    }
    PyMem_Free(changes->products);
    changes->products = to;
    changes->canonical = 0;
    for (Py_ssize_t i = 0; i < changes->count; i++) {
        Change *change = &changes->items[i];
        char *end = change->zero ? to : put_product(to, change->size, change->size_size, factor);
        if (!end)
            return 0;
        if (change->zero)
            continue;
        change->size = to;
        change->size_size = (uint8_t)(end - to);
        to = end;
    }
    return 1;
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
changes_delete(Changes *changes)
{
    if (changes)
        changes_free(changes);
    PyMem_Free(changes);
}

void
changes_clear(Changes *changes)
{
    changes_free(changes);
    changes_init(changes);
}

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

/* Every removal is written in the same way, so that readers may compare text. */
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

/* Copies the text, except for the sizes of removals. */
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
        Decimal price = {0}, size = {0};
        price.text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 0), &price.size);
        size.text = price.text ? PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 1), &size.size) : NULL;
        if (!size.text) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
                PyErr_Clear();
                PyErr_SetString(PyExc_ValueError, "not a level: its text is not valid Unicode");
            }
            return -1;
        }
        if (changes_add_level(changes, sign, &price, &size))
            return -1;
    }
    return 0;
}

int
add_changes(PyObject *Py_UNUSED(module))
{
    return (raw_type = attribute("msgspec", "Raw")) ? 0 : -1;
}
