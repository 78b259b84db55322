/* One side of an order book as Python sees it: the compiled form of events/side.py, which says what each method means.
 *
 * The same tests run on both forms. Levels that come as JSON text (msgspec.Raw) are read here, and leave as JSON text, so
 * that no Python object is created per level.
 */
#include "side.h"

/* Applies the changes, cuts to *depth* (-1: no cut), and returns what a reader has to apply. */
static PyObject *
finish(Side *side, Changes *changes, PyObject *given, int as_text, Py_ssize_t depth)
{
    if (changes_put_in_order(changes) || side_apply(side, changes, depth))
        return NULL;
    if (!changes->canonical || changes->spare)
        return as_text ? changes_as_text(changes) : changes_as_list(changes);
    Py_INCREF(given);
    return given;
}

static PyObject *
change_from_list(Side *side, PyObject *given, Py_ssize_t depth)
{
    PyObject *levels = PySequence_Fast(given, "levels are a sequence, or JSON text as msgspec.Raw");
    if (!levels)
        return NULL;
    Changes changes;
    changes_init(&changes);
    PyObject *said = NULL;
    if (!changes_read_list(&changes, side->sign, levels)) {
        if (levels != given)
            changes.canonical = 0;
        said = finish(side, &changes, given, 0, depth);
    }
    changes_free(&changes);
    Py_DECREF(levels);
    return said;
}

static PyObject *
change_from_text(Side *side, PyObject *given, Py_ssize_t depth)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(given, &buffer, PyBUF_SIMPLE))
        return NULL;
    Changes changes;
    changes_init(&changes);
    PyObject *said = NULL;
    int which = side->sign < 0;
    Changes *sides[2] = {which ? NULL : &changes, which ? &changes : NULL};
    int done = levels_read_text(&side->layout, sides, which, buffer.buf, buffer.len);
    if (done > 0 && side->factor_text)
        done = changes_multiply(&changes, &side->factor);
    if (done > 0)
        said = finish(side, &changes, given, 1, depth);
    changes_free(&changes);
    PyBuffer_Release(&buffer);
    if (done)
        return said;
    static PyObject *slow_read;
    if (!slow_read && !(slow_read = attribute("tickwire.events.side", "read_levels")))
        return NULL;
    PyObject *list = PyObject_CallFunctionObjArgs(slow_read, given, side->names ? side->names : Py_None, side->factor_text, NULL);
    if (!list)
        return NULL;
    said = change_from_list(side, list, depth);
    Py_DECREF(list);
    return said;
}

static PyObject *
side_change(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = -1;
    if (count < 1 || count > 2) {
        PyErr_SetString(PyExc_TypeError, "change() takes levels and optionally a depth");
        return NULL;
    }
    if (count == 2 && arguments[1] != Py_None) {
        depth = PyLong_AsSsize_t(arguments[1]);
        if (depth == -1 && PyErr_Occurred())
            return NULL;
    }
    if (Py_IS_TYPE(arguments[0], (PyTypeObject *)raw_type))
        return change_from_text(side, arguments[0], depth);
    return change_from_list(side, arguments[0], depth);
}

/* How many of the best levels are requested: *argument*, or all. */
static Py_ssize_t
asked(const Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    if (!count || arguments[0] == Py_None)
        return side->count;
    Py_ssize_t depth = PyLong_AsSsize_t(arguments[0]);
    if (depth < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a depth must not be negative");
        return -1;
    }
    return Py_MIN(depth, side->count);
}

/* The *count* levels after the best *skipped* ones, best first. */
static PyObject *
pairs(const Side *side, Py_ssize_t skipped, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list && i < count; i++) {
        PyObject *pair = pair_of(&side->levels[side->count - 1 - skipped - i]);
        if (!pair)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *
side_top(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = asked(side, arguments, count);
    return depth < 0 ? NULL : pairs(side, 0, depth);
}

static PyObject *
side_text(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = asked(side, arguments, count);
    return depth < 0 ? NULL : side_as_text(side, depth);
}

static PyObject *
side_replace(Side *side, PyObject *argument)
{
    if (!Py_IS_TYPE(argument, side_type) || ((Side *)argument)->sign != side->sign) {
        PyErr_SetString(PyExc_TypeError, "a side can only be replaced by one of the same type");
        return NULL;
    }
    Changes changes;
    changes_init(&changes);
    PyObject *said = side_become(side, (Side *)argument, &changes) ? NULL : changes_as_text(&changes);
    changes_free(&changes);
    return said;
}

static PyObject *
side_truncate(Side *side, PyObject *argument)
{
    Py_ssize_t depth = asked(side, &argument, 1);
    if (depth < 0)
        return NULL;
    Py_ssize_t extra = side->count - depth;
    PyObject *dropped = pairs(side, depth, extra);
    if (dropped)
        side_drop(side, extra);
    return dropped;
}

static PyObject *
side_make_bound(Side *side, PyObject *Py_UNUSED(ignored))
{
    if (side->count) {
        side->horizon = side->levels[0].key;
        side->bound = 1;
    }
    Py_RETURN_NONE;
}

static PyObject *
side_known(Side *side, PyObject *argument)
{
    Py_ssize_t most = PyLong_AsSsize_t(argument);
    if (most < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a depth must not be negative");
        return NULL;
    }
    return PyLong_FromSsize_t(side->bound ? Py_MIN(most, side->count - side_find(side, side->horizon, side->count)) : most);
}

static PyObject *
side_best(Side *side, PyObject *Py_UNUSED(ignored))
{
    if (!side->count)
        Py_RETURN_NONE;
    return pair_of(&side->levels[side->count - 1]);
}

static PyObject *
side_best_key(Side *side, PyObject *Py_UNUSED(ignored))
{
    if (!side->count)
        Py_RETURN_NONE;
    return int_from_key(side->sign * side->levels[side->count - 1].key);
}

static Py_ssize_t
side_length(Side *side)
{
    return side->count;
}

static PyObject *
side_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"highest_first", "names", "factor", NULL};
    int highest_first = 0;
    PyObject *of_levels = Py_None, *factor = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$pOU:Side", names, &highest_first, &of_levels, &factor))
        return NULL;
    if (of_levels != Py_None
        && !(PyTuple_Check(of_levels) && PyTuple_GET_SIZE(of_levels) == 2
             && PyUnicode_Check(PyTuple_GET_ITEM(of_levels, 0)) && PyUnicode_Check(PyTuple_GET_ITEM(of_levels, 1)))) {
        PyErr_SetString(PyExc_TypeError, "names must be a tuple of two strings");
        return NULL;
    }
    Side *side = (Side *)type->tp_alloc(type, 0);
    if (side) {
        side->sign = highest_first ? 1 : -1;
        side->names = of_levels == Py_None ? NULL : Py_NewRef(of_levels);
        for (int i = 0; side && side->names && i < 2; i++) {
            Word *name = &side->layout.names[i];
            if (!(name->text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(of_levels, i), &name->size)))
                Py_CLEAR(side);
        }
    }
    if (side && factor && PyUnicode_CompareWithASCIIString(factor, "1")) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(factor, &size);
        side->factor_text = Py_NewRef(factor);
        if (!text || !read_factor(text, size, &side->factor))
            side->factor.digits = 0; /* then no size is multiplied here */
        if (!text)
            Py_CLEAR(side);
    }
    return (PyObject *)side;
}

static void
side_free(Side *side)
{
    side_drop(side, side->count);
    PyMem_Free(side->levels);
    Py_XDECREF(side->names);
    Py_XDECREF(side->factor_text);
    plain_free((PyObject *)side);
}

static PyMethodDef side_methods[] = {
    {"change", (PyCFunction)(void (*)(void))side_change, METH_FASTCALL, NULL},
    {"top", (PyCFunction)(void (*)(void))side_top, METH_FASTCALL, NULL},
    {"text", (PyCFunction)(void (*)(void))side_text, METH_FASTCALL, NULL},
    {"replace", (PyCFunction)side_replace, METH_O, NULL},
    {"truncate", (PyCFunction)side_truncate, METH_O, NULL},
    {"bound", (PyCFunction)side_make_bound, METH_NOARGS, NULL},
    {"known", (PyCFunction)side_known, METH_O, NULL},
    {"best", (PyCFunction)side_best, METH_NOARGS, NULL},
    {"best_key", (PyCFunction)side_best_key, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot side_slots[] = {
    {Py_tp_new, side_new},         {Py_tp_dealloc, side_free},       {Py_tp_methods, side_methods},
    {Py_sq_length, side_length},   {0, NULL},
};

static PyType_Spec side_spec = {
    .name = "tickwire._native.Side",
    .basicsize = sizeof(Side),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = side_slots,
};

PyTypeObject *side_type;

int
add_side(PyObject *module)
{
    return (side_type = add_type(module, &side_spec)) ? 0 : -1;
}
