/* Headers of messages, which RecordProducer reuses after the library has reported on their message.
 *
 * A set is recognised by the identity of its pairs: tuples of a text and bytes, which are immutable.
 */
#include "record_producer.h"

/* NULL with an error set. */
static void *
make(PyObject *list)
{
    void *headers = rdk.headers_new((size_t)PyList_GET_SIZE(list));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *pair = PyList_GET_ITEM(list, i);
        int whole = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 && PyUnicode_Check(PyTuple_GET_ITEM(pair, 0))
                    && PyBytes_Check(PyTuple_GET_ITEM(pair, 1));
        Py_ssize_t size;
        const char *name = whole ? PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 0), &size) : NULL;
        if (!name) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a header must be a name and bytes");
            rdk.headers_destroy(headers);
            return NULL;
        }
        PyObject *value = PyTuple_GET_ITEM(pair, 1);
        rdk.header_add(headers, name, size, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    }
    return headers;
}

/* The index of the set made of exactly these pair objects; -1: none. */
static int
known_set(const RecordProducer *producer, PyObject *list)
{
    size_t size = (size_t)PyList_GET_SIZE(list) * sizeof(PyObject *);
    for (int i = 0; i < producer->header_set_count; i++) {
        const HeaderSet *set = producer->header_sets + i;
        if (set->count == PyList_GET_SIZE(list) && !memcmp(set->pairs, ((PyListObject *)list)->ob_item, size))
            return i;
    }
    return -1;
}

/* The index of the set equal to these headers, which may have been read from disk; -1: none. */
static int
equal_set(const RecordProducer *producer, PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    for (int i = 0; i < producer->header_set_count; i++) {
        const HeaderSet *set = producer->header_sets + i;
        int equal = set->count == count;
        for (Py_ssize_t j = 0; equal && j < count; j++)
            equal = PyObject_RichCompareBool(set->pairs[j], PyList_GET_ITEM(list, j), Py_EQ) > 0;
        if (equal)
            return i;
    }
    return -1;
}

/* The index of a new set with these headers; -1: no room. */
static int
add_set(RecordProducer *producer, PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    if (!count || count > HEADERS || producer->header_set_count == HEADER_SETS)
        return -1;
    HeaderSet *set = producer->header_sets + producer->header_set_count;
    if (!(set->spares = PyMem_Malloc(SPARES * sizeof *set->spares)))
        return -1;
    set->count = count;
    for (Py_ssize_t j = 0; j < count; j++)
        set->pairs[j] = Py_NewRef(PyList_GET_ITEM(list, j));
    return producer->header_set_count++;
}

/* A set never has more headers than were in flight at once: records read from disk use its spares too. */
void *
headers_take(RecordProducer *producer, PyObject *list, int *set)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "headers must be a list");
        return NULL;
    }
    *set = known_set(producer, list);
    if (*set < 0)
        *set = equal_set(producer, list);
    HeaderSet *known = *set < 0 ? NULL : producer->header_sets + *set;
    if (known && known->spare_count)
        return known->spares[--known->spare_count];
    void *made = make(list);
    if (made && !known)
        *set = add_set(producer, list);
    return made;
}

void
headers_give_back(RecordProducer *producer, int set, void *headers)
{
    HeaderSet *of = set < 0 ? NULL : producer->header_sets + set;
    if (headers && of && of->spare_count < SPARES)
        of->spares[of->spare_count++] = headers;
    else if (headers)
        rdk.headers_destroy(headers);
}

void
headers_drop_sets(RecordProducer *producer)
{
    while (producer->header_set_count) {
        HeaderSet *set = producer->header_sets + --producer->header_set_count;
        while (set->spare_count)
            rdk.headers_destroy(set->spares[--set->spare_count]);
        for (Py_ssize_t i = 0; i < set->count; i++)
            Py_DECREF(set->pairs[i]);
        PyMem_Free(set->spares);
    }
}
