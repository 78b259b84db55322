/* The fast path from an event to the producer: the compiled form of DirectPublisher in
 * kafka/producing/in_flight.py.
 */
#include "in_flight.h"

PyTypeObject *direct_type;
static PyObject *name_symbol, *name_exchange, *name_received_us, *name_broken, *name_last_ms, *name_action,
    *name_book_seq;
PyObject *action_snapshot, *action_delta;

enum { SMALL_STEP_MS = 600000 }; /* as in records/codec.py */
enum { SERVE_EVERY = 256 }; /* events: reports are taken while frames keep the event loop from its timers */
struct DirectPublisher {
    PyObject_HEAD
    InFlightTable *flights;
    PyObject *writer;   /* RecordWriter: encodes, and knows the last timestamp */
    PyObject *last;     /* that timestamp when it was last read; NULL at first */
    long long last_ms;  /* its value */
    PyObject *encode;
    PyObject *behind;   /* the set of topics whose records must wait behind others */
    PyObject *long_way; /* event -> None */
    PyObject *not_sent; /* entry, error -> None: the producer did not take it */
    PyObject *serve;    /* () -> None: take reports */
    int unserved;
    PyObject *routes;   /* type of the event -> its symbol -> ROUTE_... */
    char alone;         /* nobody else needs the events, so they are not created */
};

static PyObject *
direct_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"flights", "writer", "behind", "long_way", "not_sent", "serve", NULL};
    PyObject *flights, *writer, *behind, *long_way, *not_sent, *serve;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!OO!OOO", names, flights_type, &flights, &writer,
                                     &PySet_Type, &behind, &long_way, &not_sent, &serve))
        return NULL;
    DirectPublisher *direct = (DirectPublisher *)type->tp_alloc(type, 0);
    if (!direct)
        return NULL;
    direct->flights = (InFlightTable *)Py_NewRef(flights);
    direct->writer = Py_NewRef(writer);
    direct->behind = Py_NewRef(behind);
    direct->long_way = Py_NewRef(long_way);
    direct->not_sent = Py_NewRef(not_sent);
    direct->serve = Py_NewRef(serve);
    if (!(direct->encode = PyObject_GetAttrString(writer, "encode")) || !(direct->routes = PyDict_New()))
        Py_CLEAR(direct);
    return (PyObject *)direct;
}

static int
direct_traverse(DirectPublisher *direct, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(direct));
    Py_VISIT(direct->flights);
    Py_VISIT(direct->writer);
    Py_VISIT(direct->encode);
    Py_VISIT(direct->behind);
    Py_VISIT(direct->long_way);
    Py_VISIT(direct->not_sent);
    Py_VISIT(direct->serve);
    Py_VISIT(direct->routes);
    return 0;
}

static int
direct_drop(DirectPublisher *direct)
{
    Py_CLEAR(direct->flights);
    Py_CLEAR(direct->writer);
    Py_CLEAR(direct->last);
    Py_CLEAR(direct->encode);
    Py_CLEAR(direct->behind);
    Py_CLEAR(direct->long_way);
    Py_CLEAR(direct->not_sent);
    Py_CLEAR(direct->serve);
    Py_CLEAR(direct->routes);
    return 0;
}

static void
direct_free(DirectPublisher *direct)
{
    PyObject_GC_UnTrack(direct);
    direct_drop(direct);
    plain_free((PyObject *)direct);
}

int
direct_is_free(const DirectPublisher *direct)
{
    return direct->alone && direct->flights->ready && !PySet_GET_SIZE(direct->behind);
}

PyObject *
direct_route(DirectPublisher *direct, PyObject *type, PyObject *symbol)
{
    PyObject *by_symbol = PyDict_GetItemWithError(direct->routes, type);
    PyObject *route = by_symbol ? PyDict_GetItemWithError(by_symbol, symbol) : NULL;
    PyObject *broken = route ? PyObject_GetAttr(PyTuple_GET_ITEM(route, ROUTE_LANE), name_broken) : NULL;
    Py_XDECREF(broken); /* True and False live for ever */
    return broken == Py_False ? route : NULL;
}

/* The route of an event that may take the fast path, borrowed; NULL, perhaps with an error: take the long way. */
static PyObject *
find_route(DirectPublisher *direct, PyObject *event)
{
    if (!direct->flights->ready || PySet_GET_SIZE(direct->behind))
        return NULL;
    PyObject *symbol = PyObject_GetAttr(event, name_symbol);
    PyObject *route = symbol ? direct_route(direct, (PyObject *)Py_TYPE(event), symbol) : NULL;
    Py_XDECREF(symbol);
    if (!route)
        return NULL;
    PyObject *exchange = PyObject_GetAttr(event, name_exchange);
    PyObject *known = PyTuple_GET_ITEM(route, ROUTE_EXCHANGE);
    int same = exchange && (exchange == known || PyObject_RichCompareBool(exchange, known, Py_EQ) > 0);
    Py_XDECREF(exchange);
    if (!same || PyTuple_GET_ITEM(route, ROUTE_IS_BOOK) != Py_True)
        return same ? route : NULL;
    PyObject *number = PyObject_GetAttr(event, name_book_seq); /* 0: the publisher keeps account of new epochs */
    long book_seq = number ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    return book_seq > 0 ? route : NULL;
}

/* Steals *last*; -1 with an error set. */
static int
take_last(DirectPublisher *direct, PyObject *last)
{
    long long last_ms = last ? PyLong_AsLongLong(last) : -1;
    if (last_ms == -1 && PyErr_Occurred()) {
        Py_XDECREF(last);
        return -1;
    }
    Py_XSETREF(direct->last, last);
    direct->last_ms = last_ms;
    return 0;
}

/* The time in ms, or the last one if that is slightly greater, as in RecordWriter.write; -1 with an error set. */
static long long
next_timestamp(DirectPublisher *direct, long long us)
{
    PyObject *last = PyObject_GetAttr(direct->writer, name_last_ms);
    if (last && last == direct->last)
        Py_DECREF(last);
    else if (take_last(direct, last)) /* the long way has written it */
        return -1;
    if (us / 1000 <= direct->last_ms && direct->last_ms < us / 1000 + SMALL_STEP_MS)
        return direct->last_ms;
    if (take_last(direct, PyLong_FromLongLong(us / 1000))
        || PyObject_SetAttr(direct->writer, name_last_ms, direct->last))
        return -1;
    return direct->last_ms;
}

static PyObject *
tell_not_sent(DirectPublisher *direct, InFlight *entry)
{
    PyObject *error = take_error();
    PyObject *answer = PyObject_CallFunctionObjArgs(direct->not_sent, (PyObject *)entry, error, NULL);
    Py_DECREF(error);
    return answer;
}

/* Serves reports after every SERVE_EVERY events; *answer* is the result of the event, and is released. */
static int
serve_now_and_then(DirectPublisher *direct, PyObject *answer)
{
    if (answer && ++direct->unserved >= SERVE_EVERY) {
        direct->unserved = 0;
        Py_SETREF(answer, PyObject_CallNoArgs(direct->serve));
    }
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

/* The record's value in the format of its kind; a new reference. */
static PyObject *
recoded(PyObject *route, PyObject *text)
{
    PyObject *recode = PyTuple_GET_ITEM(route, ROUTE_RECODE);
    return recode == Py_None ? Py_NewRef(text) : PyObject_CallOneArg(recode, text);
}

int
direct_send(DirectPublisher *direct, PyObject *route, PyObject *text, PyObject *action, long long received_us)
{
    PyObject *value = recoded(route, text);
    if (!value)
        return -1;
    PyObject *stream = PyTuple_GET_ITEM(route, ROUTE_STREAM);
    long long timestamp_ms = next_timestamp(direct, received_us);
    InFlight *entry =
        timestamp_ms < 0 ? NULL : entry_make(entry_type, stream, PyTuple_GET_ITEM(route, ROUTE_LANE), NULL, IN_MEMORY);
    if (!entry) {
        Py_DECREF(value);
        return -1;
    }
    entry->route = Py_NewRef(route);
    entry->value = value;
    entry->action = Py_NewRef(action);
    entry->timestamp_ms = timestamp_ms;
    ((Counts *)stream)->events++;
    PyObject *answer = NULL;
    int large = PyBytes_Check(value) && PyBytes_GET_SIZE(value) > direct->flights->large;
    if (large)
        PyErr_SetString(PyExc_OverflowError, "its topic may not take it");
    if (!large && !flights_send(direct->flights, entry, PyTuple_GET_ITEM(route, ROUTE_TOPIC), value,
                                PyTuple_GET_ITEM(route, ROUTE_KEY), timestamp_ms, PyTuple_GET_ITEM(route, ROUTE_HEADERS))) {
        answer = Py_NewRef(Py_None);
    } else
        answer = tell_not_sent(direct, entry);
    Py_DECREF(entry);
    return serve_now_and_then(direct, answer);
}

static PyObject *
direct_publish(DirectPublisher *direct, PyObject *event)
{
    PyObject *route = find_route(direct, event);
    if (!route) {
        if (PyErr_Occurred() || serve_now_and_then(direct, PyObject_CallOneArg(direct->long_way, event)))
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
    PyObject *action = PyTuple_GET_ITEM(route, ROUTE_IS_BOOK) == Py_True ? PyObject_GetAttr(event, name_action)
                                                                         : Py_NewRef(Py_None);
    PyObject *value = action ? PyObject_CallOneArg(direct->encode, event) : NULL;
    int failed = !value || direct_send(direct, route, value, action, us);
    Py_XDECREF(action);
    Py_XDECREF(value);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
direct_open(DirectPublisher *direct, PyObject *arguments)
{
    PyObject *type, *symbol, *route;
    if (!PyArg_ParseTuple(arguments, "OUO!", &type, &symbol, &PyTuple_Type, &route))
        return NULL;
    if (PyTuple_GET_SIZE(route) != ROUTE_SIZE
        || !PyObject_TypeCheck(PyTuple_GET_ITEM(route, ROUTE_STREAM), counts_type)) {
        PyErr_SetString(PyExc_TypeError, "a route is lane, stream, exchange, topic, key, headers, kind, exchange_symbol, is_book, recode");
        return NULL;
    }
    PyObject *by_symbol = PyDict_GetItemWithError(direct->routes, type);
    if (!by_symbol) {
        PyObject *fresh = PyErr_Occurred() ? NULL : PyDict_New();
        if (!fresh || PyDict_SetItem(direct->routes, type, fresh)) {
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

static PyMethodDef direct_methods[] = {
    {"publish", (PyCFunction)direct_publish, METH_O, NULL},
    {"open", (PyCFunction)direct_open, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef direct_members[] = {
    {"alone", T_BOOL, offsetof(DirectPublisher, alone), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot direct_slots[] = {
    {Py_tp_new, direct_new},         {Py_tp_dealloc, direct_free},     {Py_tp_traverse, direct_traverse},
    {Py_tp_clear, direct_drop},      {Py_tp_methods, direct_methods},  {Py_tp_members, direct_members},
    {0, NULL},
};

static PyType_Spec direct_spec = {
    .name = "tickwire._native.DirectPublisher",
    .basicsize = sizeof(DirectPublisher),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = direct_slots,
};

int
add_outlet(PyObject *module)
{
    static const Name names[] = {
        {&name_symbol, "symbol"}, {&name_exchange, "exchange"}, {&name_received_us, "received_us"},
        {&name_broken, "broken"}, {&name_last_ms, "last_ms"},  {&name_action, "action"}, {&name_book_seq, "book_seq"},
        {&action_snapshot, "snapshot"}, {&action_delta, "delta"},
    };
    if (make_names(names, sizeof names / sizeof *names))
        return -1;
    return (direct_type = add_type(module, &direct_spec)) ? 0 : -1;
}
