/* What happens to every record on its way to Kafka: the compiled form of kafka/flight.py, and the short way into it.
 *
 * flight.py says what each class means; the same tests run on both forms. Outlet has no Python form of its own: it does
 * what Publisher.publish does for an event for which nothing is in the way, and calls that for every other one.
 */
#include "native.h"

enum { IN_MEMORY = -1 };

static PyObject *record_type;   /* tickwire.records.codec.Record, once it was needed */
static PyObject *produce_names; /* ("on_delivery", "timestamp", "headers") */
static PyObject *name_symbol, *name_exchange, *name_received_us, *name_broken, *name_last_ms;
static PyObject *name_topic, *name_key, *name_value, *name_timestamp_ms, *name_headers;
static PyTypeObject *entry_type, *flights_type, *counts_type;

/* ---- Counts: what a stream's records became --------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    long long events, acknowledged, conflated, dropped, failed, spilled;
} Counts;

static PyMemberDef counts_members[] = {
    {"events", T_LONGLONG, offsetof(Counts, events), 0, NULL},
    {"acknowledged", T_LONGLONG, offsetof(Counts, acknowledged), 0, NULL},
    {"conflated", T_LONGLONG, offsetof(Counts, conflated), 0, NULL},
    {"dropped", T_LONGLONG, offsetof(Counts, dropped), 0, NULL},
    {"failed", T_LONGLONG, offsetof(Counts, failed), 0, NULL},
    {"spilled", T_LONGLONG, offsetof(Counts, spilled), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* ---- Entry and Flights ------------------------------------------------------------------------------------------ */

struct Flights;

/* Part of no cycle (what it holds knows nothing of it), so the collector need not look at a hundred thousand. */
typedef struct Entry {
    PyObject_HEAD
    PyObject *stream, *lane;
    PyObject *record;        /* NULL until somebody asks, and then made of these: */
    PyObject *route, *value; /* NULL where the record was given */
    long long timestamp_ms, place;
    struct Flights *flights; /* where it is on its way, and which holds it then; else NULL */
    struct Entry *before, *after;
} Entry;

typedef struct Flights {
    PyObject_HEAD
    PyObject *acknowledged, *failed, *produce;
    Entry *first, *last;
    Py_ssize_t count;
    char ready, sampling;
} Flights;

static PyMemberDef entry_members[] = {
    {"stream", T_OBJECT_EX, offsetof(Entry, stream), READONLY, NULL},
    {"lane", T_OBJECT_EX, offsetof(Entry, lane), READONLY, NULL},
    {"place", T_LONGLONG, offsetof(Entry, place), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static Entry *
make_entry(PyTypeObject *type, PyObject *stream, PyObject *lane, PyObject *record, long long place)
{
    Entry *entry = (Entry *)type->tp_alloc(type, 0);
    if (entry) {
        Py_INCREF(stream);
        Py_INCREF(lane);
        Py_XINCREF(record);
        entry->stream = stream;
        entry->lane = lane;
        entry->record = record;
        entry->place = place;
    }
    return entry;
}

enum { ROUTE_LANE, ROUTE_STREAM, ROUTE_EXCHANGE, ROUTE_TOPIC, ROUTE_KEY, ROUTE_HEADERS, ROUTE_KIND, ROUTE_SIZE };

/* The record, borrowed: few are ever looked at again once they are on their way. */
static PyObject *
record_of(Entry *entry)
{
    if (entry->record)
        return entry->record;
    if (!record_type && !(record_type = attribute("tickwire.records.codec", "Record")))
        return NULL;
    PyObject *timestamp = PyLong_FromLongLong(entry->timestamp_ms);
    if (!timestamp)
        return NULL;
    PyObject *fields[] = {PyTuple_GET_ITEM(entry->route, ROUTE_TOPIC), PyTuple_GET_ITEM(entry->route, ROUTE_KEY),
                          entry->value, PyTuple_GET_ITEM(entry->route, ROUTE_HEADERS), timestamp,
                          PyTuple_GET_ITEM(entry->route, ROUTE_KIND), PyTuple_GET_ITEM(entry->route, ROUTE_EXCHANGE)};
    entry->record = PyObject_Vectorcall(record_type, fields, sizeof fields / sizeof *fields, NULL);
    Py_DECREF(timestamp);
    return entry->record;
}

static PyObject *
entry_record(Entry *entry, void *Py_UNUSED(closure))
{
    PyObject *record = record_of(entry);
    Py_XINCREF(record);
    return record;
}

static PyGetSetDef entry_properties[] = {
    {"record", (getter)entry_record, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyObject *
entry_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"stream", "lane", "record", "place", NULL};
    PyObject *stream, *lane, *record;
    long long place = IN_MEMORY;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!OO|L", names, counts_type, &stream, &lane, &record, &place))
        return NULL;
    return (PyObject *)make_entry(type, stream, lane, record, place);
}

static void
entry_free(Entry *entry)
{
    PyTypeObject *type = Py_TYPE(entry);
    Py_XDECREF(entry->stream);
    Py_XDECREF(entry->lane);
    Py_XDECREF(entry->record);
    Py_XDECREF(entry->route);
    Py_XDECREF(entry->value);
    type->tp_free((PyObject *)entry);
    Py_DECREF(type);
}

static void
flights_add(Flights *flights, Entry *entry)
{
    Py_INCREF(entry);
    entry->flights = flights;
    entry->before = flights->last;
    entry->after = NULL;
    if (flights->last)
        flights->last->after = entry;
    else
        flights->first = entry;
    flights->last = entry;
    flights->count++;
}

/* Takes an entry out and lets it go. */
static void
flights_remove(Flights *flights, Entry *entry)
{
    if (entry->before)
        entry->before->after = entry->after;
    else
        flights->first = entry->after;
    if (entry->after)
        entry->after->before = entry->before;
    else
        flights->last = entry->before;
    entry->before = entry->after = NULL;
    entry->flights = NULL;
    flights->count--;
    Py_DECREF(entry);
}

/* The producer's report: on_delivery(error, message). */
static PyObject *
entry_call(Entry *entry, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *error, *message;
    if (!PyArg_ParseTuple(arguments, "OO", &error, &message))
        return NULL;
    Flights *flights = entry->flights;
    if (!flights)
        Py_RETURN_NONE; /* was taken back: what became of it is not ours any more */
    PyObject *answer;
    Py_INCREF(entry);
    Py_INCREF(flights);
    if (error != Py_None)
        answer = PyObject_CallFunctionObjArgs(flights->failed, (PyObject *)entry, error, NULL);
    else {
        flights_remove(flights, entry);
        ((Counts *)entry->stream)->acknowledged++;
        if (flights->sampling || entry->place != IN_MEMORY) {
            flights->sampling = 0;
            answer = PyObject_CallFunctionObjArgs(flights->acknowledged, (PyObject *)entry, message, NULL);
        } else {
            answer = Py_None;
            Py_INCREF(answer);
        }
    }
    Py_DECREF(flights);
    Py_DECREF(entry);
    return answer;
}

static PyType_Slot entry_slots[] = {
    {Py_tp_new, entry_new},   {Py_tp_dealloc, entry_free},   {Py_tp_call, entry_call},
    {Py_tp_members, entry_members},   {Py_tp_getset, entry_properties},   {0, NULL},
};

static PyType_Spec entry_spec = {
    .name = "tickwire._native.Entry",
    .basicsize = sizeof(Entry),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = entry_slots,
};

static PyMemberDef flights_members[] = {
    {"ready", T_BOOL, offsetof(Flights, ready), 0, NULL},
    {"sampling", T_BOOL, offsetof(Flights, sampling), 0, NULL},
    {"produce", T_OBJECT, offsetof(Flights, produce), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static int
flights_init(Flights *flights, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"acknowledged", "failed", NULL};
    PyObject *acknowledged, *failed;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO", names, &acknowledged, &failed))
        return -1;
    Py_INCREF(acknowledged);
    Py_INCREF(failed);
    Py_XSETREF(flights->acknowledged, acknowledged);
    Py_XSETREF(flights->failed, failed);
    return 0;
}

static int
flights_traverse(Flights *flights, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(flights));
    Py_VISIT(flights->acknowledged);
    Py_VISIT(flights->failed);
    Py_VISIT(flights->produce);
    return 0;
}

static int
flights_drop(Flights *flights)
{
    Py_CLEAR(flights->acknowledged);
    Py_CLEAR(flights->failed);
    Py_CLEAR(flights->produce);
    return 0;
}

static void
flights_free(Flights *flights)
{
    PyTypeObject *type = Py_TYPE(flights);
    PyObject_GC_UnTrack(flights);
    while (flights->first)
        flights_remove(flights, flights->first);
    flights_drop(flights);
    type->tp_free((PyObject *)flights);
    Py_DECREF(type);
}

static int
hand_over(Flights *flights, Entry *entry, PyObject *topic, PyObject *value, PyObject *key, PyObject *timestamp,
          PyObject *headers)
{
    if (entry->flights) {
        PyErr_SetString(PyExc_ValueError, "the entry is on its way already");
        return -1;
    }
    PyObject *arguments[] = {NULL, topic, value, key, (PyObject *)entry, timestamp, headers};
    flights_add(flights, entry);
    PyObject *answer =
        PyObject_Vectorcall(flights->produce, arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, produce_names);
    if (answer) {
        Py_DECREF(answer);
        return 0;
    }
    if (entry->flights) {
        PyObject *type, *error, *trace;
        PyErr_Fetch(&type, &error, &trace);
        flights_remove(flights, entry);
        PyErr_Restore(type, error, trace);
    }
    return -1;
}

static PyObject *
flights_hand_over(Flights *flights, PyObject *argument)
{
    if (!Py_IS_TYPE(argument, entry_type)) {
        PyErr_SetString(PyExc_TypeError, "an Entry is handed over");
        return NULL;
    }
    PyObject *record = record_of((Entry *)argument);
    if (!record)
        return NULL;
    PyObject *topic = PyObject_GetAttr(record, name_topic), *key = PyObject_GetAttr(record, name_key);
    PyObject *value = PyObject_GetAttr(record, name_value), *headers = PyObject_GetAttr(record, name_headers);
    PyObject *timestamp = PyObject_GetAttr(record, name_timestamp_ms);
    int failed = !topic || !key || !value || !headers || !timestamp
                 || hand_over(flights, (Entry *)argument, topic, value, key, timestamp, headers);
    Py_XDECREF(topic);
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_XDECREF(headers);
    Py_XDECREF(timestamp);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
flights_end(Flights *flights, PyObject *argument)
{
    if (!Py_IS_TYPE(argument, entry_type) || ((Entry *)argument)->flights != flights) {
        PyErr_SetString(PyExc_KeyError, "the entry is not on its way");
        return NULL;
    }
    flights_remove(flights, (Entry *)argument);
    Py_RETURN_NONE;
}

static PyObject *
flights_list(Flights *flights, PyObject *Py_UNUSED(ignored))
{
    PyObject *list = PyList_New(flights->count);
    Py_ssize_t i = 0;
    for (Entry *entry = flights->first; list && entry; entry = entry->after) {
        Py_INCREF(entry);
        PyList_SET_ITEM(list, i++, (PyObject *)entry);
    }
    return list;
}

static PyObject *
flights_take_back(Flights *flights, PyObject *Py_UNUSED(ignored))
{
    PyObject *list = flights_list(flights, NULL);
    if (list)
        while (flights->first)
            flights_remove(flights, flights->first);
    return list;
}

static Py_ssize_t
flights_length(Flights *flights)
{
    return flights->count;
}

static PyMethodDef flights_methods[] = {
    {"hand_over", (PyCFunction)flights_hand_over, METH_O, NULL},
    {"end", (PyCFunction)flights_end, METH_O, NULL},
    {"entries", (PyCFunction)flights_list, METH_NOARGS, NULL},
    {"take_back", (PyCFunction)flights_take_back, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot flights_slots[] = {
    {Py_tp_init, flights_init},         {Py_tp_new, PyType_GenericNew},       {Py_tp_dealloc, flights_free},
    {Py_tp_traverse, flights_traverse}, {Py_tp_clear, flights_drop},          {Py_tp_members, flights_members},
    {Py_tp_methods, flights_methods},   {Py_sq_length, flights_length},       {0, NULL},
};

static PyType_Spec flights_spec = {
    .name = "tickwire._native.Flights",
    .basicsize = sizeof(Flights),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = flights_slots,
};

/* ---- Outlet: the short way -------------------------------------------------------------------------------------- */

enum { SERVE_EVERY = 256 }; /* events: reports are taken while frames keep the event loop from its timers */
struct Outlet {
    PyObject_HEAD
    Flights *flights;
    PyObject *writer;   /* RecordWriter: encodes, and knows the last timestamp, which no later one is below */
    PyObject *encode;
    PyObject *behind;   /* the set of topics whose records must wait behind others */
    PyObject *long_way; /* event -> None */
    PyObject *not_sent; /* entry, error -> None: the producer did not take it */
    PyObject *serve;    /* () -> None: take reports */
    int unserved;
    PyObject *routes;   /* type of the event -> its symbol -> ROUTE_... */
    char alone;         /* nobody else wants the events, so they need not be made */
};

static int
outlet_init(Outlet *outlet, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"flights", "writer", "behind", "long_way", "not_sent", "serve", NULL};
    PyObject *flights, *writer, *behind, *long_way, *not_sent, *serve;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!OO!OOO", names, flights_type, &flights, &writer,
                                     &PySet_Type, &behind, &long_way, &not_sent, &serve))
        return -1;
    PyObject *encode = PyObject_GetAttrString(writer, "encode"), *routes = PyDict_New();
    if (!encode || !routes) {
        Py_XDECREF(encode);
        Py_XDECREF(routes);
        return -1;
    }
    Py_INCREF(flights);
    Py_INCREF(writer);
    Py_INCREF(behind);
    Py_INCREF(long_way);
    Py_INCREF(not_sent);
    Py_INCREF(serve);
    Py_XSETREF(outlet->flights, (Flights *)flights);
    Py_XSETREF(outlet->writer, writer);
    Py_XSETREF(outlet->encode, encode);
    Py_XSETREF(outlet->behind, behind);
    Py_XSETREF(outlet->long_way, long_way);
    Py_XSETREF(outlet->not_sent, not_sent);
    Py_XSETREF(outlet->serve, serve);
    Py_XSETREF(outlet->routes, routes);
    return 0;
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

/* The time in ms, or the last one where that is greater, as RecordWriter.write has it. */
static PyObject *
next_timestamp(Outlet *outlet, long long us)
{
    PyObject *last = PyObject_GetAttr(outlet->writer, name_last_ms);
    long long last_ms = last ? PyLong_AsLongLong(last) : -1;
    if (last_ms == -1 && PyErr_Occurred()) {
        Py_XDECREF(last);
        return NULL;
    }
    if (us / 1000 <= last_ms)
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
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    PyObject *answer = PyObject_CallFunctionObjArgs(outlet->not_sent, (PyObject *)entry, error, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
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
        timestamp ? make_entry(entry_type, stream, PyTuple_GET_ITEM(route, ROUTE_LANE), NULL, IN_MEMORY) : NULL;
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
    if (!hand_over(outlet->flights, entry, PyTuple_GET_ITEM(route, ROUTE_TOPIC), value,
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
    {Py_tp_init, outlet_init},         {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, outlet_free},
    {Py_tp_traverse, outlet_traverse}, {Py_tp_clear, outlet_drop},     {Py_tp_methods, outlet_methods},
    {Py_tp_members, outlet_members},   {0, NULL},
};

static PyType_Spec outlet_spec = {
    .name = "tickwire._native.Outlet",
    .basicsize = sizeof(Outlet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = outlet_slots,
};

/* ---- Module ----------------------------------------------------------------------------------------------------- */

PyTypeObject *outlet_type;

static int
make_names(void)
{
    static const struct {
        PyObject **name;
        const char *text;
    } names[] = {
        {&name_symbol, "symbol"}, {&name_exchange, "exchange"},         {&name_received_us, "received_us"},
        {&name_broken, "broken"}, {&name_last_ms, "last_ms"},           {&name_topic, "topic"},
        {&name_key, "key"},       {&name_value, "value"},               {&name_timestamp_ms, "timestamp_ms"},
        {&name_headers, "headers"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(*names[i].name = PyUnicode_InternFromString(names[i].text)))
            return -1;
    produce_names = Py_BuildValue("(sss)", "on_delivery", "timestamp", "headers");
    return produce_names ? 0 : -1;
}

int
add_flight(PyObject *module)
{
    return make_names() || !(counts_type = add_plain(module, "Counts", "tickwire._native.Counts", sizeof(Counts), counts_members))
                   || !(entry_type = add_type(module, "Entry", &entry_spec))
                   || !(flights_type = add_type(module, "Flights", &flights_spec))
                   || !(outlet_type = add_type(module, "Outlet", &outlet_spec))
               ? -1
               : 0;
}
