/* What happens to every record on its way to Kafka: the compiled form of
 * kafka/producing/in_flight.py, which says what each class means.
 *
 * The same tests run on both forms.
 */
#include "in_flight.h"

static PyObject *record_type;   /* tickwire.records.codec.Record, imported when first needed */
static PyObject *name_latency;
PyTypeObject *entry_type, *counts_type;

/* ---- Counts: outcomes of a stream's records --------------------------------------------------------------------- */

static PyMemberDef counts_members[] = {
    {"events", T_LONGLONG, offsetof(Counts, events), 0, NULL},
    {"acknowledged", T_LONGLONG, offsetof(Counts, acknowledged), 0, NULL},
    {"conflated", T_LONGLONG, offsetof(Counts, conflated), 0, NULL},
    {"dropped", T_LONGLONG, offsetof(Counts, dropped), 0, NULL},
    {"failed", T_LONGLONG, offsetof(Counts, failed), 0, NULL},
    {"spilled", T_LONGLONG, offsetof(Counts, spilled), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* ---- InFlight ---------------------------------------------------------------------------------------------------- */

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

PyObject *
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
    Py_XDECREF(entry->stream);
    Py_XDECREF(entry->lane);
    Py_XDECREF(entry->record);
    Py_XDECREF(entry->route);
    Py_XDECREF(entry->value);
    Py_XDECREF(entry->action);
    plain_free((PyObject *)entry);
}

void
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

void
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
        return 0; /* was taken back: its outcome is counted elsewhere */
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

/* The callback for a producer of Python: on_delivery(error, message). */
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

int
add_flight(PyObject *module)
{
    static const Name names[] = {{&name_latency, "latency"}};
    if (make_names(names, sizeof names / sizeof *names))
        return -1;
    counts_type = add_plain(module, "tickwire._native.Counts", sizeof(Counts), counts_members);
    entry_type = add_type(module, &entry_spec);
    return counts_type && entry_type ? 0 : -1;
}
