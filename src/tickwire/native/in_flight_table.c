/* All records in flight to Kafka, in the order in which they were sent: the compiled form of InFlightTable of
 * kafka/producing/in_flight.py. The same tests run on both forms.
 */
#include "in_flight.h"

static PyObject *produce_names; /* ("on_delivery", "timestamp", "headers") */
static PyObject *name_topic, *name_key, *name_value, *name_timestamp_ms, *name_headers;
PyTypeObject *flights_type;

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
    PyObject_GC_UnTrack(flights);
    while (flights->first)
        flights_remove(flights, flights->first);
    flights_drop(flights);
    plain_free((PyObject *)flights);
}

/* Calls *begun* when the first record is in flight again. */
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
flights_send(InFlightTable *flights, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key, long long timestamp_ms,
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
        if (!producer_send(flights->producer, entry, topic, value, key, timestamp_ms, headers))
            return 0;
    } else {
        PyObject *timestamp = PyLong_FromLongLong(timestamp_ms);
        PyObject *arguments[] = {NULL, topic, value, key, (PyObject *)entry, timestamp, headers}, *answer = NULL;
        if (timestamp)
            answer = PyObject_Vectorcall(flights->produce, arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                         produce_names);
        Py_XDECREF(timestamp);
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
        PyErr_SetString(PyExc_TypeError, "expected an InFlight");
        return NULL;
    }
    PyObject *record = record_of((InFlight *)argument);
    if (!record)
        return NULL;
    PyObject *topic = PyObject_GetAttr(record, name_topic), *key = PyObject_GetAttr(record, name_key);
    PyObject *value = PyObject_GetAttr(record, name_value), *headers = PyObject_GetAttr(record, name_headers);
    PyObject *timestamp = PyObject_GetAttr(record, name_timestamp_ms);
    long long timestamp_ms = timestamp ? PyLong_AsLongLong(timestamp) : -1;
    int failed = !topic || !key || !value || !headers || (timestamp_ms == -1 && PyErr_Occurred())
                 || flights_send(flights, (InFlight *)argument, topic, value, key, timestamp_ms, headers);
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
add_flights(PyObject *module)
{
    static const Name names[] = {
        {&name_topic, "topic"},     {&name_key, "key"},
        {&name_value, "value"},     {&name_timestamp_ms, "timestamp_ms"},
        {&name_headers, "headers"},
    };
    if (make_names(names, sizeof names / sizeof *names))
        return -1;
    flights_type = add_type(module, &flights_spec);
    produce_names = Py_BuildValue("(sss)", "on_delivery", "timestamp", "headers");
    return flights_type && produce_names ? 0 : -1;
}
