/* The way from an event to the producer when nothing is in the way: then it does what Publisher.publish does, and for every
 * other event it calls that. It has no Python form of its own.
 */
#include "flight.h"

PyTypeObject *outlet_type;
static PyObject *name_symbol, *name_exchange, *name_received_us, *name_broken, *name_last_ms;

enum { SMALL_STEP_MS = 600000 }; /* as in records/codec.py */
enum { SERVE_EVERY = 256 }; /* events: reports are taken while frames keep the event loop from its timers */
struct Outlet {
    PyObject_HEAD
    Flights *flights;
    PyObject *writer;   /* RecordWriter: encodes, and knows the last timestamp */
    PyObject *encode;
    PyObject *behind;   /* the set of topics whose records must wait behind others */
    PyObject *long_way; /* event -> None */
    PyObject *not_sent; /* entry, error -> None: the producer did not take it */
    PyObject *serve;    /* () -> None: take reports */
    int unserved;
    PyObject *routes;   /* type of the event -> its symbol -> ROUTE_... */
    char alone;         /* nobody else wants the events, so they need not be made */
};

static PyObject *
outlet_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"flights", "writer", "behind", "long_way", "not_sent", "serve", NULL};
    PyObject *flights, *writer, *behind, *long_way, *not_sent, *serve;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!OO!OOO", names, flights_type, &flights, &writer,
                                     &PySet_Type, &behind, &long_way, &not_sent, &serve))
        return NULL;
    Outlet *outlet = (Outlet *)type->tp_alloc(type, 0);
    if (!outlet)
        return NULL;
    outlet->flights = (Flights *)Py_NewRef(flights);
    outlet->writer = Py_NewRef(writer);
    outlet->behind = Py_NewRef(behind);
    outlet->long_way = Py_NewRef(long_way);
    outlet->not_sent = Py_NewRef(not_sent);
    outlet->serve = Py_NewRef(serve);
    if (!(outlet->encode = PyObject_GetAttrString(writer, "encode")) || !(outlet->routes = PyDict_New()))
        Py_CLEAR(outlet);
    return (PyObject *)outlet;
}

static int
outlet_traverse(Outlet *outlet, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(outlet));
    Py_VISIT(outlet->flights);
    Py_VISIT(outlet->writer);
    Py_VISIT(outlet->encode);
    Py_VISIT(outlet->behind);
    Py_VISIT(outlet->long_way);
    Py_VISIT(outlet->not_sent);
    Py_VISIT(outlet->serve);
    Py_VISIT(outlet->routes);
    return 0;
}

static int
outlet_drop(Outlet *outlet)
{
    Py_CLEAR(outlet->flights);
    Py_CLEAR(outlet->writer);
    Py_CLEAR(outlet->encode);
    Py_CLEAR(outlet->behind);
    Py_CLEAR(outlet->long_way);
    Py_CLEAR(outlet->not_sent);
    Py_CLEAR(outlet->serve);
    Py_CLEAR(outlet->routes);
    return 0;
}

static void
outlet_free(Outlet *outlet)
{
    PyTypeObject *type = Py_TYPE(outlet);
    PyObject_GC_UnTrack(outlet);
    outlet_drop(outlet);
    type->tp_free((PyObject *)outlet);
    Py_DECREF(type);
}

int
outlet_is_free(const Outlet *outlet)
{
    return outlet->alone && outlet->flights->ready && !PySet_GET_SIZE(outlet->behind);
}

PyObject *
outlet_route(Outlet *outlet, PyObject *type, PyObject *symbol)
{
    PyObject *by_symbol = PyDict_GetItemWithError(outlet->routes, type);
    PyObject *route = by_symbol ? PyDict_GetItemWithError(by_symbol, symbol) : NULL;
    PyObject *broken = route ? PyObject_GetAttr(PyTuple_GET_ITEM(route, ROUTE_LANE), name_broken) : NULL;
    Py_XDECREF(broken); /* True and False live for ever */
    return broken == Py_False ? route : NULL;
}

/* The route of an event for which nothing is in the way, borrowed; NULL, perhaps with an error: the long way. */
static PyObject *
find_route(Outlet *outlet, PyObject *event)
{
    if (!outlet->flights->ready || PySet_GET_SIZE(outlet->behind))
        return NULL;
    PyObject *symbol = PyObject_GetAttr(event, name_symbol);
    PyObject *route = symbol ? outlet_route(outlet, (PyObject *)Py_TYPE(event), symbol) : NULL;
    Py_XDECREF(symbol);
    if (!route)
        return NULL;
    PyObject *exchange = PyObject_GetAttr(event, name_exchange);
    PyObject *known = PyTuple_GET_ITEM(route, ROUTE_EXCHANGE);
    int same = exchange && (exchange == known || PyObject_RichCompareBool(exchange, known, Py_EQ) > 0);
    Py_XDECREF(exchange);
    return same ? route : NULL;
}

/* The time in ms, or the last one where that is a little greater, as RecordWriter.write has it. */
static PyObject *
next_timestamp(Outlet *outlet, long long us)
{
    PyObject *last = PyObject_GetAttr(outlet->writer, name_last_ms);
    long long last_ms = last ? PyLong_AsLongLong(last) : -1;
    if (last_ms == -1 && PyErr_Occurred()) {
        Py_XDECREF(last);
        return NULL;
    }
    if (us / 1000 <= last_ms && last_ms < us / 1000 + SMALL_STEP_MS)
        return last;
    Py_DECREF(last);
    PyObject *now = PyLong_FromLongLong(us / 1000);
    if (now && PyObject_SetAttr(outlet->writer, name_last_ms, now))
        Py_CLEAR(now);
    return now;
}

static PyObject *
tell_not_sent(Outlet *outlet, Entry *entry)
{
    PyObject *error = take_error();
    PyObject *answer = PyObject_CallFunctionObjArgs(outlet->not_sent, (PyObject *)entry, error, NULL);
    Py_DECREF(error);
    return answer;
}

/* Takes reports after some events; *answer* is that of the event, and is let go. */
static int
serve_now_and_then(Outlet *outlet, PyObject *answer)
{
    if (answer && ++outlet->unserved >= SERVE_EVERY) {
        outlet->unserved = 0;
        Py_SETREF(answer, PyObject_CallNoArgs(outlet->serve));
    }
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

int
outlet_send(Outlet *outlet, PyObject *route, PyObject *value, long long received_us)
{
    PyObject *stream = PyTuple_GET_ITEM(route, ROUTE_STREAM), *timestamp = next_timestamp(outlet, received_us);
    Entry *entry =
        timestamp ? entry_make(entry_type, stream, PyTuple_GET_ITEM(route, ROUTE_LANE), NULL, IN_MEMORY) : NULL;
    if (!entry) {
        Py_XDECREF(timestamp);
        return -1;
    }
    Py_INCREF(route);
    Py_INCREF(value);
    entry->route = route;
    entry->value = value;
    entry->timestamp_ms = PyLong_AsLongLong(timestamp);
    ((Counts *)stream)->events++;
    PyObject *answer = NULL;
    if (!flights_send(outlet->flights, entry, PyTuple_GET_ITEM(route, ROUTE_TOPIC), value,
                      PyTuple_GET_ITEM(route, ROUTE_KEY), timestamp, PyTuple_GET_ITEM(route, ROUTE_HEADERS))) {
        answer = Py_None;
        Py_INCREF(answer);
    } else
        answer = tell_not_sent(outlet, entry);
    Py_DECREF(entry);
    Py_DECREF(timestamp);
    return serve_now_and_then(outlet, answer);
}

static PyObject *
outlet_publish(Outlet *outlet, PyObject *event)
{
    PyObject *route = find_route(outlet, event);
    if (!route) {
        if (PyErr_Occurred() || serve_now_and_then(outlet, PyObject_CallOneArg(outlet->long_way, event)))
            return NULL;
        Py_RETURN_NONE;
    }
    PyObject *received = PyObject_GetAttr(event, name_received_us);
    long long us = received ? PyLong_AsLongLong(received) : -1;
    Py_XDECREF(received);
    if (us < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "received_us is negative");
        return NULL;
    }
    PyObject *value = PyObject_CallOneArg(outlet->encode, event);
    int failed = !value || outlet_send(outlet, route, value, us);
    Py_XDECREF(value);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
outlet_open(Outlet *outlet, PyObject *arguments)
{
    PyObject *type, *symbol, *route;
    if (!PyArg_ParseTuple(arguments, "OUO!", &type, &symbol, &PyTuple_Type, &route))
        return NULL;
    if (PyTuple_GET_SIZE(route) != ROUTE_SIZE
        || !PyObject_TypeCheck(PyTuple_GET_ITEM(route, ROUTE_STREAM), counts_type)) {
        PyErr_SetString(PyExc_TypeError, "a route is lane, stream, exchange, topic, key, headers, kind");
        return NULL;
    }
    PyObject *by_symbol = PyDict_GetItemWithError(outlet->routes, type);
    if (!by_symbol) {
        PyObject *fresh = PyErr_Occurred() ? NULL : PyDict_New();
        if (!fresh || PyDict_SetItem(outlet->routes, type, fresh)) {
            Py_XDECREF(fresh);
            return NULL;
        }
        Py_DECREF(fresh);
        by_symbol = fresh;
    }
    if (PyDict_SetItem(by_symbol, symbol, route))
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef outlet_methods[] = {
    {"publish", (PyCFunction)outlet_publish, METH_O, NULL},
    {"open", (PyCFunction)outlet_open, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef outlet_members[] = {
    {"alone", T_BOOL, offsetof(Outlet, alone), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot outlet_slots[] = {
    {Py_tp_new, outlet_new},         {Py_tp_dealloc, outlet_free},     {Py_tp_traverse, outlet_traverse},
    {Py_tp_clear, outlet_drop},      {Py_tp_methods, outlet_methods},  {Py_tp_members, outlet_members},
    {0, NULL},
};

static PyType_Spec outlet_spec = {
    .name = "tickwire._native.Outlet",
    .basicsize = sizeof(Outlet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = outlet_slots,
};

int
add_outlet(PyObject *module)
{
    static const Name names[] = {
        {&name_symbol, "symbol"}, {&name_exchange, "exchange"}, {&name_received_us, "received_us"},
        {&name_broken, "broken"}, {&name_last_ms, "last_ms"},
    };
    if (make_names(names, sizeof names / sizeof *names))
        return -1;
    return (outlet_type = add_type(module, "Outlet", &outlet_spec)) ? 0 : -1;
}
