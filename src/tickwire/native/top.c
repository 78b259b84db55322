/* The best levels of a book: the compiled form of events/top.py. */
#include "side.h"

PyTypeObject *top_type;

static PyMemberDef top_members[] = {
    {"depth", T_PYSSIZET, offsetof(Top, depth), 0, NULL},
    {"bids", T_OBJECT_EX, offsetof(Top, bids), 0, NULL},
    {"asks", T_OBJECT_EX, offsetof(Top, asks), 0, NULL},
    {"bids_text", T_OBJECT, offsetof(Top, bids_text), 0, NULL},
    {"asks_text", T_OBJECT, offsetof(Top, asks_text), 0, NULL},
    {"prefix", T_OBJECT, offsetof(Top, prefix), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

int
top_is_ready(const Top *top)
{
    return top->bids && top->asks && Py_IS_TYPE(top->bids, side_type) && Py_IS_TYPE(top->asks, side_type)
           && top->prefix && PyBytes_CheckExact(top->prefix);
}

/* Writes a side again. 1: its text differs, 0: it does not, -1: an error is set. */
static int
refresh(PyObject *side, Py_ssize_t depth, PyObject **text)
{
    PyObject *fresh = side_as_text((Side *)side, depth);
    if (!fresh)
        return -1;
    int same = *text ? PyObject_RichCompareBool(*text, fresh, Py_EQ) : 0;
    Py_XSETREF(*text, fresh);
    return same < 0 ? -1 : !same;
}

int
top_follow(Top *top, Changes *bids, Changes *asks)
{
    if (side_apply((Side *)top->bids, bids, -1) || side_apply((Side *)top->asks, asks, -1))
        return -1;
    int in_bids = refresh(top->bids, top->depth, &top->bids_text);
    int in_asks = in_bids < 0 ? -1 : refresh(top->asks, top->depth, &top->asks_text);
    return in_asks < 0 ? -1 : in_bids || in_asks;
}

static void
top_free(Top *top)
{
    PyObject **held[] = {&top->bids, &top->asks, &top->bids_text, &top->asks_text, &top->prefix};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        Py_CLEAR(*held[i]);
    plain_free((PyObject *)top);
}

int
add_top(PyObject *module)
{
    static PyType_Slot slots[] = {
        {Py_tp_members, top_members}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, top_free}, {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.TopState", .basicsize = sizeof(Top),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = slots,
    };
    return (top_type = add_type(module, &spec)) ? 0 : -1;
}
