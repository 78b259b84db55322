/* The Python type ShortWay: its creation, and the symbols that it handles. See events/short_way.py. */
#include "short_way.h"

static PyTypeObject *book_type;

/* Steals *known*. */
static PyObject *
add_symbol(PyObject *names, PyObject *native, PyObject *known)
{
    int failed = !known || PyDict_SetItem(names, native, known);
    Py_XDECREF(known);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
way_ticker(ShortWay *way, PyObject *arguments)
{
    PyObject *native, *symbol, *prefix, *count;
    if (!PyArg_ParseTuple(arguments, "UUSO!", &native, &symbol, &prefix, number_type, &count))
        return NULL;
    return add_symbol(way->known[TICKER], native, PyTuple_Pack(3, symbol, prefix, count));
}

static PyObject *
way_trade(ShortWay *way, PyObject *arguments)
{
    PyObject *native, *symbol, *prefix;
    if (!PyArg_ParseTuple(arguments, "UUS", &native, &symbol, &prefix))
        return NULL;
    return add_symbol(way->known[TRADE], native, PyTuple_Pack(2, symbol, prefix));
}

/* follow(native, names, symbol, prefix, bids, asks, state, depth, least, most) */
static PyObject *
way_follow(ShortWay *way, PyObject *arguments)
{
    PyObject *native, *names, *symbol, *prefix, *bids, *asks, *state;
    Py_ssize_t depth, least, most;
    if (!PyArg_ParseTuple(arguments, "UO!USOOO!nnn", &native, &PyTuple_Type, &names, &symbol, &prefix, &bids, &asks,
                          update_id_type, &state, &depth, &least,
                          &most))
        return NULL;
    if (PyTuple_GET_SIZE(names) < 1 || PyTuple_GET_SIZE(names) > NAMES || !PyUnicode_Check(PyTuple_GET_ITEM(names, 0))
        || !PyUnicode_Check(PyTuple_GET_ITEM(names, PyTuple_GET_SIZE(names) - 1))) {
        PyErr_SetString(PyExc_ValueError, "one or two names stand in a frame");
        return NULL;
    }
    if (!Py_IS_TYPE(bids, side_type) || !Py_IS_TYPE(asks, side_type))
        Py_RETURN_NONE; /* a book in Python form, which the adapter continues to serve */
    ShortWayBook *book = (ShortWayBook *)book_type->tp_alloc(book_type, 0);
    if (!book)
        return NULL;
    book->native = Py_NewRef(native);
    book->other = PyTuple_GET_SIZE(names) > 1 ? Py_NewRef(PyTuple_GET_ITEM(names, 1)) : NULL;
    book->symbol = Py_NewRef(symbol);
    book->prefix = Py_NewRef(prefix);
    book->bids = (Side *)Py_NewRef(bids);
    book->asks = (Side *)Py_NewRef(asks);
    book->state = (UpdateId *)Py_NewRef(state);
    book->depth = depth;
    book->least = least;
    book->most = most;
    int failed = PyDict_SetItem(way->known[CHANGE], PyTuple_GET_ITEM(names, 0), (PyObject *)book)
                 || PyDict_SetItem(way->followed, native, PyTuple_GET_ITEM(names, 0));
    Py_DECREF(book);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* NULL: an error is set. */
static PyObject *
drop(PyObject *names, PyObject *native)
{
    if (PyDict_DelItem(names, native)) {
        if (!PyErr_ExceptionMatches(PyExc_KeyError))
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

static PyObject *
way_leave(ShortWay *way, PyObject *native)
{
    PyObject *name = PyDict_GetItemWithError(way->followed, native);
    if (!name) {
        if (PyErr_Occurred())
            return NULL;
        Py_RETURN_NONE;
    }
    Py_INCREF(name);
    PyObject *done = drop(way->known[CHANGE], name);
    Py_DECREF(name);
    Py_XDECREF(done);
    return done ? drop(way->followed, native) : NULL;
}

static PyObject *
way_forget(ShortWay *way, PyObject *native)
{
    for (int i = TICKER; i <= TRADE; i += TRADE - TICKER) {
        PyObject *done = drop(way->known[i], native);
        if (!done)
            return NULL;
        Py_DECREF(done);
    }
    return way_leave(way, native);
}

/* Reads (order, digest, names, words, whole); sets an error if they are not valid. */
static int
read_rule(ShortWay *way, const char *shape)
{
    static const char *const needs[ORDERS] = {"", "fl", "pl", "l", "fl"};
    PyObject *digest, *names, *words;
    if (!PyArg_ParseTuple(way->rule, "iOO!O!p", &way->order, &digest, &PyTuple_Type, &names, &PyTuple_Type, &words,
                          &way->whole))
        return -1;
    way->checked = digest != Py_None;
    if (way->checked && !PyTuple_Check(digest)) {
        PyErr_SetString(PyExc_TypeError, "a digest must be a tuple");
        return -1;
    }
    if (way->checked
        && !PyArg_ParseTuple(digest, "nii", &way->digest.levels, &way->digest.order, &way->digest.spelling))
        return -1;
    Py_ssize_t name_count = PyTuple_GET_SIZE(names), word_count = PyTuple_GET_SIZE(words);
    Layout *layout = &way->layout;
    int whole = way->order >= 0 && way->order < ORDERS && (!way->checked || digest_is_known(&way->digest))
                && (!name_count || (name_count == 2 && !word_count)) && word_count <= MOST_WORDS;
    for (const char *role = whole ? needs[way->order] : ""; *shape && *role; role++)
        whole &= shape_count(shape, (char[]){'#', *role, 0}) == 1;
    whole = whole && (!*shape || way->checked == shape_count(shape, "#c"));
    if (!whole) {
        PyErr_SetString(PyExc_ValueError, "the shape of a change has not what its rule needs, or there is no such rule");
        return -1;
    }
    for (Py_ssize_t i = 0; i < name_count; i++)
        if (!(layout->names[i].text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(names, i), &layout->names[i].size)))
            return -1;
    for (Py_ssize_t i = 0; i < word_count; i++) {
        PyObject *word, *said = PyTuple_GET_ITEM(words, i);
        int meaning;
        if (!PyTuple_Check(said) || !PyArg_ParseTuple(said, "Ui", &word, &meaning)) {
            PyErr_SetString(PyExc_TypeError, "expected a word and its meaning");
            return -1;
        }
        layout->words[i].meaning = (Meaning)meaning;
        if (!(layout->words[i].text = PyUnicode_AsUTF8AndSize(word, &layout->words[i].size)))
            return -1;
    }
    layout->word_count = (int)word_count;
    return 0;
}

/* ShortWay(ticker_shape, change_shape, trade_shape, rule, unpack); see the Python form for what each requires. */
static PyObject *
way_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    static const char *const names[] = {"ticker", "change of a book", "trade"};
    PyObject *texts[KINDS], *rule, *unpack = Py_None;
    const char *shapes[KINDS];
    if (!PyArg_ParseTuple(arguments, "SSSO!|O", &texts[TICKER], &texts[CHANGE], &texts[TRADE], &PyTuple_Type, &rule,
                          &unpack))
        return NULL;
    for (int i = 0; i < KINDS; i++) {
        shapes[i] = PyBytes_AS_STRING(texts[i]);
        if (!shape_is_of(shapes[i], i))
            return PyErr_Format(PyExc_ValueError, "a shape has not what a %s needs", names[i]);
    }
    ShortWay *way = (ShortWay *)type->tp_alloc(type, 0);
    if (!way)
        return NULL;
    way->rule = Py_NewRef(rule);
    way->unpack = unpack == Py_None ? NULL : Py_NewRef(unpack);
    int whole = !read_rule(way, shapes[CHANGE]) && (way->followed = PyDict_New());
    for (int i = 0; whole && i < 2; i++)
        whole = (way->sides[i] = changes_new()) && (way->said[i] = changes_new());
    for (int i = 0; whole && i < KINDS; i++)
        whole = (way->shapes[i] = shape_new(shapes, i)) && (way->known[i] = PyDict_New());
    if (!whole)
        Py_CLEAR(way);
    return (PyObject *)way;
}

static int
way_traverse(ShortWay *way, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(way));
    for (int i = 0; i < KINDS; i++)
        Py_VISIT(way->known[i]);
    Py_VISIT(way->followed);
    Py_VISIT(way->rule);
    Py_VISIT(way->unpack);
    return 0;
}

/* The fields that handling a frame needs stay: after clearing, it accepts no frame, but may still be called. */
static int
way_clear(ShortWay *way)
{
    for (int i = 0; i < KINDS; i++)
        if (way->known[i])
            PyDict_Clear(way->known[i]);
    return 0;
}

static void
way_free(ShortWay *way)
{
    PyObject_GC_UnTrack(way);
    for (int i = 0; i < KINDS; i++) {
        PyMem_Free(way->shapes[i]);
        Py_XDECREF(way->known[i]);
    }
    for (int i = 0; i < 2; i++) {
        changes_delete(way->sides[i]);
        changes_delete(way->said[i]);
        side_drop(&way->before[i], way->before[i].count);
        PyMem_Free(way->before[i].levels);
    }
    Py_XDECREF(way->followed);
    Py_XDECREF(way->rule);
    Py_XDECREF(way->unpack);
    plain_free((PyObject *)way);
}

/* Its state is the adapter's own book, which refers to the short way. */
static int
book_traverse(ShortWayBook *book, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(book));
    Py_VISIT(book->state);
    Py_VISIT(book->numbers);
    Py_VISIT(book->top);
    return 0;
}

static void
book_free(ShortWayBook *book)
{
    PyObject_GC_UnTrack(book);
    Py_XDECREF(book->native);
    Py_XDECREF(book->other);
    Py_XDECREF(book->symbol);
    Py_XDECREF(book->prefix);
    Py_XDECREF(book->bids);
    Py_XDECREF(book->asks);
    Py_XDECREF(book->state);
    Py_XDECREF(book->numbers);
    Py_XDECREF(book->top);
    plain_free((PyObject *)book);
}

PyTypeObject *short_way_type;

int
add_short_way(PyObject *module)
{
    static PyMethodDef methods[] = {
        {"ticker", (PyCFunction)way_ticker, METH_VARARGS, NULL},
        {"trade", (PyCFunction)way_trade, METH_VARARGS, NULL},
        {"follow", (PyCFunction)way_follow, METH_VARARGS, NULL},
        {"leave", (PyCFunction)way_leave, METH_O, NULL},
        {"forget", (PyCFunction)way_forget, METH_O, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot way_slots[] = {
        {Py_tp_new, way_new},           {Py_tp_dealloc, way_free}, {Py_tp_methods, methods},
        {Py_tp_traverse, way_traverse}, {Py_tp_clear, way_clear},  {0, NULL},
    };
    static PyType_Slot book_slots[] = {
        {Py_tp_dealloc, book_free}, {Py_tp_traverse, book_traverse}, {0, NULL},
    };
    static PyType_Spec way_spec = {
        .name = "tickwire._native.ShortWay", .basicsize = sizeof(ShortWay),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = way_slots,
    };
    static PyType_Spec book_spec = {
        .name = "tickwire._native.ShortWayBook", .basicsize = sizeof(ShortWayBook),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = book_slots,
    };
    short_way_type = add_type(module, &way_spec);
    book_type = short_way_type ? (PyTypeObject *)PyType_FromSpec(&book_spec) : NULL;
    return book_type ? 0 : -1;
}
