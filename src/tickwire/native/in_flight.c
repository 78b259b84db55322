/* What happens to every record on its way to Kafka: the compiled form of kafka/flight.py, which says what each class means.
 *
 * The same tests run on both forms.
 */
#include "in_flight.h"

static PyObject *record_type;   /* tickwire.records.codec.Record, once it was needed */
static PyObject *produce_names; /* ("on_delivery", "timestamp", "headers") */
static PyObject *name_topic, *name_key, *name_value, *name_timestamp_ms, *name_headers, *name_latency;
PyTypeObject *entry_type, *flights_type, *counts_type;

/* ---- Counts: what a stream's records became --------------------------------------------------------------------- */

static PyMemberDef counts_members[] = {
    {"events", T_LONGLONG, offsetof(Counts, events), 0, NULL},
    {"acknowledged", T_LONGLONG, offsetof(Counts, acknowledged), 0, NULL},
    {"conflated", T_LONGLONG, offsetof(Counts, conflated), 0, NULL},
    {"dropped", T_LONGLONG, offsetof(Counts, dropped), 0, NULL},
    {"failed", T_LONGLONG, offsetof(Counts, failed), 0, NULL},
    {"spilled", T_LONGLONG, offsetof(Counts, spilled), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* ---- InFlight and InFlightTable ------------------------------------------------------------------------------------------ */

static PyMemberDef entry_members[] = {
    {"stream", T_OBJECT_EX, offsetof(InFlight, stream), READONLY, NULL},
    {"lane", T_OBJECT_EX, offsetof(InFlight, lane), READONLY, NULL},
    {"place", T_LONGLONG, offsetof(InFlight, place), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

InFlight *
entry_make(PyTypeObject *type, PyObject *stream, PyObject *lane, PyObject *record, long long place)
{
    InFlight *entry = (InFlight *)type->tp_alloc(type, 0);
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

/* The record, borrowed: few are ever looked at again once they are on their way. */
static PyObject *
record_of(InFlight *entry)
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
                          PyTuple_GET_ITEM(entry->route, ROUTE_KIND), PyTuple_GET_ITEM(entry->route, ROUTE_EXCHANGE),
                          entry->action, PyTuple_GET_ITEM(entry->route, ROUTE_EXCHANGE_SYMBOL)};
    entry->record = PyObject_Vectorcall(record_type, fields, sizeof fields / sizeof *fields, NULL);
    Py_DECREF(timestamp);
    return entry->record;
}

static PyObject *
entry_record(InFlight *entry, void *Py_UNUSED(closure))
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
    return (PyObject *)entry_make(type, stream, lane, record, place);
}

static void
entry_free(InFlight *entry)
{
    PyTypeObject *type = Py_TYPE(entry);
    Py_XDECREF(entry->stream);
    Py_XDECREF(entry->lane);
    Py_XDECREF(entry->record);
    Py_XDECREF(entry->route);
    Py_XDECREF(entry->value);
    Py_XDECREF(entry->action);
    type->tp_free((PyObject *)entry);
    Py_DECREF(type);
}

static void
flights_add(InFlightTable *flights, InFlight *entry)
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
flights_remove(InFlightTable *flights, InFlight *entry)
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

static int
tell(PyObject *call, InFlight *entry, PyObject *what)
{
    PyObject *answer = what ? PyObject_CallFunctionObjArgs(call, (PyObject *)entry, what, NULL) : NULL;
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

int
entry_failed(InFlight *entry, PyObject *error)
{
    InFlightTable *flights = entry->flights;
    if (!flights)
        return 0;
    Py_INCREF(flights);
    int failed = tell(flights->failed, entry, error);
    Py_DECREF(flights);
    return failed;
}

int
entry_acknowledged(InFlight *entry, double latency)
{
    InFlightTable *flights = entry->flights;
    if (!flights)
        return 0; /* was taken back: what became of it is not ours any more */
    Py_INCREF(entry);
    Py_INCREF(flights);
    flights_remove(flights, entry);
    ((Counts *)entry->stream)->acknowledged++;
    int failed = 0;
    if (flights->sampling || entry->place != IN_MEMORY) {
        flights->sampling = 0;
        PyObject *seconds = latency < 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(latency);
        failed = tell(flights->acknowledged, entry, seconds);
        Py_XDECREF(seconds);
    }
    Py_DECREF(flights);
    Py_DECREF(entry);
    return failed;
}

/* The report of a producer of Python's: on_delivery(error, message). */
static PyObject *
entry_call(InFlight *entry, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *error, *message;
    if (!PyArg_ParseTuple(arguments, "OO", &error, &message))
        return NULL;
    InFlightTable *flights = entry->flights;
    double latency = -1;
    if (flights && error == Py_None && (flights->sampling || entry->place != IN_MEMORY)) {
        PyObject *seconds = PyObject_CallMethodNoArgs(message, name_latency);
        latency = seconds && seconds != Py_None ? PyFloat_AsDouble(seconds) : -1;
        Py_XDECREF(seconds);
        if (PyErr_Occurred())
            return NULL;
    }
    if (error == Py_None ? entry_acknowledged(entry, latency) : entry_failed(entry, error))
        return NULL;
    Py_RETURN_NONE;
}

static PyType_Slot entry_slots[] = {
    {Py_tp_new, entry_new},   {Py_tp_dealloc, entry_free},   {Py_tp_call, entry_call},
    {Py_tp_members, entry_members},   {Py_tp_getset, entry_properties},   {0, NULL},
};

static PyType_Spec entry_spec = {
    .name = "tickwire._native.InFlight",
    .basicsize = sizeof(InFlight),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = entry_slots,
};

static PyMemberDef flights_members[] = {
    {"ready", T_BOOL, offsetof(InFlightTable, ready), 0, NULL},
    {"sampling", T_BOOL, offsetof(InFlightTable, sampling), 0, NULL},
    {"large", T_PYSSIZET, offsetof(InFlightTable, large), 0, NULL},
    {"begun", T_OBJECT_EX, offsetof(InFlightTable, begun), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
flights_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"acknowledged", "failed", NULL};
    PyObject *acknowledged, *failed;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO", names, &acknowledged, &failed))
        return NULL;
    InFlightTable *flights = (InFlightTable *)type->tp_alloc(type, 0);
    if (flights) {
        flights->acknowledged = Py_NewRef(acknowledged);
        flights->failed = Py_NewRef(failed);
        flights->large = PY_SSIZE_T_MAX;
        flights->produce = Py_NewRef(Py_None); /* until there is a producer */
        flights->begun = Py_NewRef(Py_None);
    }
    return (PyObject *)flights;
}

static int
flights_traverse(InFlightTable *flights, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(flights));
    Py_VISIT(flights->acknowledged);
    Py_VISIT(flights->failed);
    Py_VISIT(flights->produce);
    Py_VISIT(flights->begun);
    return 0;
}

static int
flights_drop(InFlightTable *flights)
{
    Py_CLEAR(flights->acknowledged);
    Py_CLEAR(flights->failed);
    flights->producer = NULL;
    Py_CLEAR(flights->produce);
    Py_CLEAR(flights->begun);
    return 0;
}

static void
flights_free(InFlightTable *flights)
{
    PyTypeObject *type = Py_TYPE(flights);
    PyObject_GC_UnTrack(flights);
    while (flights->first)
        flights_remove(flights, flights->first);
    flights_drop(flights);
    type->tp_free((PyObject *)flights);
    Py_DECREF(type);
}

/* Tells who wants to know that something is on its way again. */
static int
flights_begin(InFlightTable *flights)
{
    if (flights->count || !flights->begun || flights->begun == Py_None)
        return 0;
    PyObject *begun = Py_NewRef(flights->begun), *answer = PyObject_CallNoArgs(begun);
    Py_DECREF(begun);
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

int
flights_send(InFlightTable *flights, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key, PyObject *timestamp,
             PyObject *headers)
{
    if (entry->flights) {
        PyErr_SetString(PyExc_ValueError, "the entry is on its way already");
        return -1;
    }
    if (flights_begin(flights))
        return -1;
    flights_add(flights, entry);
    if (flights->producer) {
        if (!producer_send(flights->producer, entry, topic, value, key, PyLong_AsLongLong(timestamp), headers))
            return 0;
    } else {
        PyObject *arguments[] = {NULL, topic, value, key, (PyObject *)entry, timestamp, headers};
        PyObject *answer =
            PyObject_Vectorcall(flights->produce, arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, produce_names);
        if (answer) {
            Py_DECREF(answer);
            return 0;
        }
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
flights_hand_over(InFlightTable *flights, PyObject *argument)
{
    if (!Py_IS_TYPE(argument, entry_type)) {
        PyErr_SetString(PyExc_TypeError, "an InFlight is handed over");
        return NULL;
    }
    PyObject *record = record_of((InFlight *)argument);
    if (!record)
        return NULL;
    PyObject *topic = PyObject_GetAttr(record, name_topic), *key = PyObject_GetAttr(record, name_key);
    PyObject *value = PyObject_GetAttr(record, name_value), *headers = PyObject_GetAttr(record, name_headers);
    PyObject *timestamp = PyObject_GetAttr(record, name_timestamp_ms);
    int failed = !topic || !key || !value || !headers || !timestamp
                 || flights_send(flights, (InFlight *)argument, topic, value, key, timestamp, headers);
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
flights_end(InFlightTable *flights, PyObject *argument)
{
    if (!Py_IS_TYPE(argument, entry_type) || ((InFlight *)argument)->flights != flights) {
        PyErr_SetString(PyExc_KeyError, "the entry is not on its way");
        return NULL;
    }
    flights_remove(flights, (InFlight *)argument);
    Py_RETURN_NONE;
}

static PyObject *
flights_list(InFlightTable *flights, PyObject *Py_UNUSED(ignored))
{
    PyObject *list = PyList_New(flights->count);
    Py_ssize_t i = 0;
    for (InFlight *entry = flights->first; list && entry; entry = entry->after) {
        Py_INCREF(entry);
        PyList_SET_ITEM(list, i++, (PyObject *)entry);
    }
    return list;
}

static PyObject *
flights_take_back(InFlightTable *flights, PyObject *Py_UNUSED(ignored))
{
    PyObject *list = flights_list(flights, NULL);
    if (list)
        while (flights->first)
            flights_remove(flights, flights->first);
    return list;
}

static Py_ssize_t
flights_length(InFlightTable *flights)
{
    return flights->count;
}

static PyObject *
flights_get_produce(InFlightTable *flights, void *Py_UNUSED(closure))
{
    return Py_NewRef(flights->produce);
}

static int
flights_set_produce(InFlightTable *flights, PyObject *produce, void *Py_UNUSED(closure))
{
    flights->producer = produce ? producer_of(produce) : NULL;
    Py_SETREF(flights->produce, Py_NewRef(produce ? produce : Py_None));
    return 0;
}

static PyGetSetDef flights_properties[] = {
    {"produce", (getter)flights_get_produce, (setter)flights_set_produce, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef flights_methods[] = {
    {"hand_over", (PyCFunction)flights_hand_over, METH_O, NULL},
    {"end", (PyCFunction)flights_end, METH_O, NULL},
    {"entries", (PyCFunction)flights_list, METH_NOARGS, NULL},
    {"take_back", (PyCFunction)flights_take_back, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot flights_slots[] = {
    {Py_tp_new, flights_new},         {Py_tp_dealloc, flights_free},    {Py_tp_traverse, flights_traverse},
    {Py_tp_clear, flights_drop},      {Py_tp_members, flights_members}, {Py_tp_methods, flights_methods},
    {Py_sq_length, flights_length},   {Py_tp_getset, flights_properties}, {0, NULL},
};

static PyType_Spec flights_spec = {
    .name = "tickwire._native.InFlightTable",
    .basicsize = sizeof(InFlightTable),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = flights_slots,
};

int
add_flight(PyObject *module)
{
    static const Name names[] = {
        {&name_topic, "topic"},     {&name_key, "key"},
        {&name_value, "value"},     {&name_timestamp_ms, "timestamp_ms"},
        {&name_headers, "headers"}, {&name_latency, "latency"},
    };
    if (make_names(names, sizeof names / sizeof *names))
        return -1;
    counts_type = add_plain(module, "Counts", "tickwire._native.Counts", sizeof(Counts), counts_members);
    entry_type = add_type(module, "InFlight", &entry_spec);
    flights_type = add_type(module, "InFlightTable", &flights_spec);
    produce_names = Py_BuildValue("(sss)", "on_delivery", "timestamp", "headers");
    return counts_type && entry_type && flights_type && produce_names ? 0 : -1;
}
