/* Makes records for handlers from the client's messages: the compiled form of receive() in kafka/received.py. */
#include "native.h"

enum { ERROR, TOPIC, PARTITION, OFFSET, KEY, VALUE, HEADERS, TIMESTAMP, METHODS };
enum { RECORD_FIELDS = 9 };
static PyObject *methods[METHODS];

static PyObject *
ask(PyObject *message, int method)
{
    return PyObject_VectorcallMethod(methods[method], &message, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* The headers; the same object as the previous record's if they are equal. If they cannot be read they are empty, and *why*
 * says
 * what is wrong. */
static PyObject *
headers_of(PyObject *message, PyObject *before, PyObject **why)
{
    static PyObject *why_unreadable;
    PyObject *read = ask(message, HEADERS), *headers = NULL;
    if (read) {
        if (read == Py_None)
            headers = PyTuple_New(0);
        else if ((headers = PySequence_Tuple(read)) && before) {
            int same = PyObject_RichCompareBool(headers, before, Py_EQ);
            if (same)
                Py_SETREF(headers, same < 0 ? NULL : Py_NewRef(before));
        }
        Py_DECREF(read);
        return headers;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyObject *error = take_error();
    if (why_unreadable || (why_unreadable = attribute("tickwire.kafka.received", "why_unreadable")))
        Py_XSETREF(*why, PyObject_CallOneArg(why_unreadable, error));
    Py_DECREF(error);
    return *why && why_unreadable ? PyTuple_New(0) : NULL;
}

static PyObject *
time_of(PyObject *message)
{
    PyObject *said = ask(message, TIMESTAMP);
    if (!said || !PyTuple_Check(said) || PyTuple_GET_SIZE(said) != 2) {
        if (said)
            PyErr_SetString(PyExc_TypeError, "expected a timestamp of a kind and a number");
        Py_XDECREF(said);
        return NULL;
    }
    int kind = PyObject_IsTrue(PyTuple_GET_ITEM(said, 0));
    PyObject *time = kind < 0 ? NULL : Py_NewRef(kind ? PyTuple_GET_ITEM(said, 1) : Py_None);
    Py_DECREF(said);
    return time;
}

/* Makes the record of a message whose topic and partition are known. */
static PyObject *
take_over(PyObject *message, PyObject *topic, PyObject *partition, PyObject **headers, PyObject *reader)
{
    static PyObject *record_type;
    if (!record_type && !(record_type = attribute("tickwire.kafka.received", "ReceivedRecord")))
        return NULL;
    PyObject *why = Py_NewRef(Py_None), *offset = ask(message, OFFSET), *key = offset ? ask(message, KEY) : NULL;
    PyObject *value = key ? ask(message, VALUE) : NULL, *time = value ? time_of(message) : NULL, *record = NULL;
    PyObject *fresh = time ? headers_of(message, *headers, &why) : NULL;
    if (fresh) {
        Py_XSETREF(*headers, fresh);
        PyObject *fields[RECORD_FIELDS] = {topic, partition, offset, key, value, *headers, time, why, reader};
        record = PyObject_Vectorcall(record_type, fields, RECORD_FIELDS, NULL);
    }
    Py_XDECREF(why);
    Py_XDECREF(offset);
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_XDECREF(time);
    return record;
}

typedef struct {
    PyObject *topic, *partition, *headers, *reader, *records;
} Run;

/* 1: taken, 0: it is an error, or of another partition, -1: an error is set. */
static int
take_one(Run *run, PyObject *message)
{
    PyObject *error = ask(message, ERROR);
    Py_XDECREF(error);
    if (error != Py_None)
        return error ? 0 : -1;
    PyObject *topic = ask(message, TOPIC), *partition = topic ? ask(message, PARTITION) : NULL, *record = NULL;
    int same = partition ? 1 : -1;
    if (same > 0 && run->topic) {
        same = PyObject_RichCompareBool(partition, run->partition, Py_EQ);
        if (same > 0)
            same = PyObject_RichCompareBool(topic, run->topic, Py_EQ);
    } else if (same > 0) {
        run->topic = Py_NewRef(topic);
        run->partition = Py_NewRef(partition);
    }
    if (same > 0) {
        record = take_over(message, run->topic, run->partition, &run->headers, run->reader);
        same = record && !PyList_Append(run->records, record) ? 1 : -1;
    }
    Py_XDECREF(record);
    Py_XDECREF(topic);
    Py_XDECREF(partition);
    return same;
}

static PyObject *
native_receive(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 3 || !PyList_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "receive() takes a list of messages, the index of the first, and a reader");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(arguments[1]);
    if (at < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_IndexError, "an index must not be negative");
        return NULL;
    }
    Run run = {.reader = arguments[2], .records = PyList_New(0)};
    int taken = run.records ? 1 : -1;
    for (; taken > 0 && at < PyList_GET_SIZE(arguments[0]); at++) {
        PyObject *message = Py_NewRef(PyList_GET_ITEM(arguments[0], at));
        taken = take_one(&run, message);
        if (taken > 0) /* frees it, so that the garbage collector has thousands of objects fewer to visit */
            PyList_SetItem(arguments[0], at, Py_NewRef(Py_None));
        Py_DECREF(message);
    }
    if (taken < 0)
        Py_CLEAR(run.records);
    Py_XDECREF(run.topic);
    Py_XDECREF(run.partition);
    Py_XDECREF(run.headers);
    return run.records;
}

int
add_received(PyObject *module)
{
    static const Name names[] = {
        {&methods[ERROR], "error"},   {&methods[TOPIC], "topic"},     {&methods[PARTITION], "partition"},
        {&methods[OFFSET], "offset"}, {&methods[KEY], "key"},         {&methods[VALUE], "value"},
        {&methods[HEADERS], "headers"}, {&methods[TIMESTAMP], "timestamp"},
    };
    static PyMethodDef functions[] = {
        {"receive", (PyCFunction)(void (*)(void))native_receive, METH_FASTCALL, NULL}, {NULL, NULL, 0, NULL},
    };
    return make_names(names, METHODS) || PyModule_AddFunctions(module, functions) ? -1 : 0;
}
