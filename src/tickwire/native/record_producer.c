/* A producer of librdkafka's without an object of Python's for its messages and reports: the compiled form of
 * RecordProducer in kafka/producing/record_producer.py.
 *
 * A message carries the number of a slot, where the entry and the value are that it was made of; what is left in slots
 * when the client is destroyed, which reports on nothing then, is let go. The library copies no value: it may use the
 * bytes until it has reported on the message (rd_kafka_produce in rdkafka.h), and they are in the slot until then.
 */
#include "record_producer.h"

enum { FIRST_SLOTS = 1024 };

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

/* Makes sure that there are free slots; -1 with an error set. */
static int
grow(RecordProducer *producer)
{
    if (producer->in_call) { /* a call in another thread is writing notes; there is room in a moment */
        PyErr_SetString(PyExc_BufferError, "the producer is being flushed");
        return -1;
    }
    size_t count = producer->slot_count ? 2 * producer->slot_count : FIRST_SLOTS;
    Note *notes = PyMem_Realloc(producer->notes, (count + MOST_REMARKS + 1) * sizeof *notes);
    if (notes)
        producer->notes = notes;
    Slot *slots = PyMem_Realloc(producer->slots, count * sizeof *slots);
    if (slots)
        producer->slots = slots;
    size_t *free_slots = PyMem_Realloc(producer->free_slots, count * sizeof *free_slots);
    if (free_slots)
        producer->free_slots = free_slots;
    if (!notes || !slots || !free_slots) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t slot = count; slot-- > producer->slot_count;) {
        slots[slot] = (Slot){NULL, NULL, -1};
        free_slots[producer->free_count++] = slot;
    }
    producer->slot_count = count;
    return 0;
}

/* The library's handle of a topic, kept as long as the producer lives; NULL with an error set. */
static void *
topic_of(RecordProducer *producer, PyObject *name)
{
    for (Py_ssize_t i = 0; i < producer->topic_count; i++)
        if (producer->topics[i].name == name)
            return producer->topics[i].handle;
    const char *text = PyUnicode_AsUTF8(name);
    if (!text)
        return NULL;
    for (Py_ssize_t i = 0; i < producer->topic_count; i++)
        if (PyUnicode_Compare(producer->topics[i].name, name) == 0)
            return producer->topics[i].handle;
    Topic *topics = PyMem_Realloc(producer->topics, (size_t)(producer->topic_count + 1) * sizeof *topics);
    if (!topics) {
        PyErr_NoMemory();
        return NULL;
    }
    producer->topics = topics;
    void *handle = rdk.topic_new(producer->client, text, NULL);
    if (handle)
        topics[producer->topic_count++] = (Topic){Py_NewRef(name), handle};
    else
        raise_kafka(ERROR_INVALID_ARGUMENT, "Unable to produce message: ", rdk.err2str(ERROR_INVALID_ARGUMENT), 0);
    return handle;
}

int
producer_send(RecordProducer *producer, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key,
              long long timestamp_ms, PyObject *headers)
{
    if (!PyUnicode_Check(topic) || !PyBytes_Check(value) || !PyBytes_Check(key)) {
        PyErr_SetString(PyExc_TypeError, "a record needs a topic's name, and bytes as value and key");
        return -1;
    }
    if (!producer->free_count && grow(producer))
        return -1;
    int set;
    void *handle = topic_of(producer, topic), *made = handle ? headers_take(producer, headers, &set) : NULL;
    if (!made)
        return -1;
    size_t slot = producer->free_slots[producer->free_count - 1];
    int error = rdk.producev(producer->client, V_TOPIC_HANDLE, handle, V_VALUE, PyBytes_AS_STRING(value),
                             (size_t)PyBytes_GET_SIZE(value), V_KEY, PyBytes_AS_STRING(key),
                             (size_t)PyBytes_GET_SIZE(key), V_FLAGS, NO_COPY, V_TIMESTAMP, (int64_t)timestamp_ms, V_HEADERS,
                             made, V_OPAQUE, (void *)slot, V_END);
    if (!error) {
        producer->free_count--;
        producer->slots[slot] = (Slot){(InFlight *)Py_NewRef(entry), Py_NewRef(value), set};
        return 0;
    }
    headers_give_back(producer, set, made); /* it takes ownership only with the message */
    if (error != ERROR_QUEUE_FULL)
        return raise_kafka(error, "Unable to produce message: ", rdk.err2str(error), 0);
    PyErr_SetString(PyExc_BufferError, rdk.err2str(error));
    return -1;
}

static PyObject *
producer_produce(RecordProducer *producer, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"topic", "value", "key", "on_delivery", "timestamp", "headers", NULL};
    PyObject *topic, *value, *key, *entry, *headers;
    long long timestamp_ms;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OOOO!LO", names, &topic, &value, &key, entry_type, &entry,
                                     &timestamp_ms, &headers)
        || producer_send(producer, (InFlight *)entry, topic, value, key, timestamp_ms, headers))
        return NULL;
    Py_RETURN_NONE;
}

RecordProducer *
producer_of(PyObject *produce)
{
    if (!PyCFunction_Check(produce) || PyCFunction_GET_FUNCTION(produce) != (PyCFunction)(void (*)(void))producer_produce)
        return NULL;
    return (RecordProducer *)PyCFunction_GET_SELF(produce);
}

/* ---- Its life ---------------------------------------------------------------------------------------------------- */

static int
set_property(RecordProducer *producer, void *conf, PyObject *name, PyObject *value)
{
    char words[WORDS];
    const char *text = PyUnicode_AsUTF8(name);
    if (!text)
        return -1;
    PyObject **call = !strcmp(text, "error_cb") ? &producer->error_cb : !strcmp(text, "logger") ? &producer->logger : NULL;
    if (call) {
        Py_XSETREF(*call, Py_NewRef(value));
        return 0;
    }
    PyObject *written = PyObject_Str(value);
    const char *spelt = written ? PyUnicode_AsUTF8(written) : NULL;
    int failed = spelt ? rdk.conf_set(conf, text, spelt, words, sizeof words) != CONF_OK : 1;
    Py_XDECREF(written);
    return !failed ? 0 : spelt ? raise_kafka(ERROR_INVALID_ARGUMENT, "", words, 0) : -1;
}

static PyObject *
producer_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *settings, *name, *value;
    Py_ssize_t at = 0;
    if (!PyArg_ParseTuple(arguments, "O!", &PyDict_Type, &settings))
        return NULL;
    if (!rdk.new) {
        PyErr_SetString(PyExc_RuntimeError, "no library is connected");
        return NULL;
    }
    if (reports_prepare())
        return NULL;
    RecordProducer *producer = (RecordProducer *)type->tp_alloc(type, 0);
    if (!producer)
        return NULL;
    if (grow(producer)) {
        Py_DECREF(producer);
        return NULL;
    }
    void *conf = rdk.conf_new();
    int failed = 0;
    while (!failed && PyDict_Next(settings, &at, &name, &value))
        failed = set_property(producer, conf, name, value);
    char words[WORDS] = "";
    if (!failed) {
        reports_connect(producer, conf);
        producer->client = rdk.new(TYPE_PRODUCER, conf, words, sizeof words);
        if (!producer->client)
            failed = raise_kafka(rdk.last_error(), "Failed to create producer: ", words, 0);
    }
    if (failed) {
        rdk.conf_destroy(conf); /* a client takes ownership */
        Py_DECREF(producer);
        return NULL;
    }
    rdk.set_log_queue(producer->client, NULL);
    return (PyObject *)producer;
}

static int
producer_traverse(RecordProducer *producer, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(producer));
    Py_VISIT(producer->error_cb);
    Py_VISIT(producer->logger);
    return 0;
}

static int
producer_drop(RecordProducer *producer)
{
    Py_CLEAR(producer->error_cb);
    Py_CLEAR(producer->logger);
    return 0;
}

static void
producer_free(RecordProducer *producer)
{
    PyObject_GC_UnTrack(producer);
    if (producer->client) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < producer->topic_count; i++)
            rdk.topic_destroy(producer->topics[i].handle);
        rdk.destroy(producer->client); /* there are no more reports */
        Py_END_ALLOW_THREADS
    }
    producer_drop(producer);
    for (Py_ssize_t i = 0; i < producer->topic_count; i++)
        Py_DECREF(producer->topics[i].name);
    for (size_t i = producer->carried_out; i < producer->note_count; i++) {
        free(producer->notes[i].words);
        headers_give_back(producer, -1, producer->notes[i].headers);
    }
    headers_drop_sets(producer);
    for (size_t i = 0; i < producer->slot_count; i++) {
        Py_XDECREF(producer->slots[i].entry);
        Py_XDECREF(producer->slots[i].value);
    }
    PyMem_Free(producer->topics);
    PyMem_Free(producer->notes);
    PyMem_Free(producer->slots);
    PyMem_Free(producer->free_slots);
    plain_free((PyObject *)producer);
}

static int
milliseconds(PyObject *seconds)
{
    double value = PyFloat_AsDouble(seconds);
    return value < 0 || value > 1e6 ? 0 : (int)(value * 1000);
}

static PyObject *
producer_poll(RecordProducer *producer, PyObject *seconds)
{
    int ms = milliseconds(seconds);
    if (PyErr_Occurred() || reports_serve(producer, rdk.poll, ms))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
producer_flush(RecordProducer *producer, PyObject *seconds)
{
    int ms = milliseconds(seconds);
    if (PyErr_Occurred() || reports_serve(producer, rdk.flush, ms))
        return NULL;
    return PyLong_FromLong(rdk.outq_len(producer->client));
}

static PyObject *
producer_purge(RecordProducer *producer, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"in_flight", NULL};
    int in_flight = 1;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$p", names, &in_flight))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    rdk.purge(producer->client, PURGE_QUEUE | (in_flight ? PURGE_IN_FLIGHT : 0));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
producer_partitions(RecordProducer *producer, PyObject *arguments)
{
    const char *name;
    double seconds;
    if (!PyArg_ParseTuple(arguments, "sd", &name, &seconds))
        return NULL;
    const KafkaMetadata *found = NULL;
    long count = 0;
    int error = ERROR_INVALID_ARGUMENT;
    Py_BEGIN_ALLOW_THREADS
    void *topic = rdk.topic_new(producer->client, name, NULL);
    if (topic) {
        error = rdk.metadata(producer->client, 0, topic, &found, (int)(seconds * 1000));
        rdk.topic_destroy(topic);
    }
    for (int i = 0; !error && i < found->topic_count; i++)
        if (!strcmp(found->topics[i].name, name))
            count = found->topics[i].partition_count;
    if (!error)
        rdk.metadata_destroy(found);
    Py_END_ALLOW_THREADS
    if (error) {
        raise_kafka(error, "Failed to get metadata: ", rdk.err2str(error), 0);
        return NULL;
    }
    return PyLong_FromLong(count);
}

static PyObject *
producer_connect(PyObject *Py_UNUSED(type), PyObject *find)
{
    if (librdkafka_connect(find))
        return NULL;
    Py_RETURN_NONE;
}

static Py_ssize_t
producer_length(RecordProducer *producer)
{
    return rdk.outq_len(producer->client);
}

static PyMethodDef producer_methods[] = {
    {"produce", (PyCFunction)(void (*)(void))producer_produce, METH_VARARGS | METH_KEYWORDS, NULL},
    {"poll", (PyCFunction)producer_poll, METH_O, NULL},
    {"flush", (PyCFunction)producer_flush, METH_O, NULL},
    {"purge", (PyCFunction)(void (*)(void))producer_purge, METH_VARARGS | METH_KEYWORDS, NULL},
    {"partitions", (PyCFunction)producer_partitions, METH_VARARGS, NULL},
    {"connect", (PyCFunction)producer_connect, METH_O | METH_STATIC, NULL},
    {NULL, NULL, 0, NULL},
};

int
add_producer(PyObject *module)
{
    static PyType_Slot slots[] = {
        {Py_tp_new, producer_new},         {Py_tp_dealloc, producer_free},    {Py_tp_traverse, producer_traverse},
        {Py_tp_clear, producer_drop},      {Py_tp_methods, producer_methods}, {Py_sq_length, producer_length},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.RecordProducer", .basicsize = sizeof(RecordProducer),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = slots,
    };
    return add_type(module, &spec) ? 0 : -1;
}
