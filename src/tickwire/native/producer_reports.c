/* Handles what the library reports to a RecordProducer.
 *
 * It calls back only while it is polled or flushed, in that thread and without the interpreter's lock; what it says is
 * noted, and carried out when it has returned, in its order.
 */
#include "record_producer.h"

#include <sched.h>

static PyObject *kafka_error, *kafka_exception; /* confluent_kafka's */

static void
on_report(void *Py_UNUSED(client), const KafkaMessage *message, void *opaque)
{
    RecordProducer *producer = opaque;
    if (!message->error && producer->latency < 0)
        producer->latency = (double)rdk.message_latency(message) / 1e6;
    Note *note = producer->notes + producer->note_count++;
    *note = (Note){.said = REPORT, .code = message->error, .slot = (size_t)message->opaque};
    rdk.message_detach_headers((KafkaMessage *)message, &note->headers); /* stays NULL if there are none */
}

static void
remark(RecordProducer *producer, int said, int code, const char *words)
{
    if (producer->remarks < MOST_REMARKS || said == LOST) {
        producer->notes[producer->note_count++] = (Note){.said = said, .code = code, .words = strdup(words)};
        producer->remarks++;
    }
}

static void
on_error(void *client, int error, const char *reason, void *opaque)
{
    char words[WORDS];
    if (error != ERROR_FATAL)
        remark(opaque, TROUBLE, error, reason);
    else { /* at most once for each client */
        int cause = rdk.fatal_error(client, words, sizeof words);
        remark(opaque, LOST, cause, words);
    }
}

static void
on_log(const void *client, int level, const char *facility, const char *line)
{
    char words[2 * WORDS];
    RecordProducer *producer = rdk.opaque(client);
    snprintf(words, sizeof words, "%s [%s] %s", facility, rdk.name(client), line);
    if (producer->in_call) /* else it is being destroyed, and nobody listens */
        remark(producer, LOG_LINE, level, words);
}

static PyObject *
error_of(int code, const char *words, int is_fatal)
{
    if (!words)
        return PyObject_CallFunction(kafka_error, "i", code);
    PyObject *text = PyUnicode_DecodeUTF8(words, (Py_ssize_t)strlen(words), "replace");
    return text ? PyObject_CallFunction(kafka_error, "iNi", code, text, is_fatal) : NULL;
}

int
raise_kafka(int code, const char *before, const char *words, int is_fatal)
{
    char text[2 * WORDS];
    snprintf(text, sizeof text, "%s%s", before, words);
    PyObject *error = error_of(code, text, is_fatal);
    if (error) {
        PyErr_SetObject(kafka_exception, error);
        Py_DECREF(error);
    }
    return -1;
}

static int
carry_out_report(RecordProducer *producer, const Note *note)
{
    InFlight *entry = producer->slots[note->slot].entry;
    PyObject *value = producer->slots[note->slot].value;
    headers_give_back(producer, producer->slots[note->slot].headers, note->headers);
    producer->slots[note->slot] = (Slot){NULL, NULL, -1};
    producer->free_slots[producer->free_count++] = note->slot;
    int failed;
    if (!note->code)
        failed = entry_acknowledged(entry, producer->latency);
    else {
        PyObject *error = error_of(note->code, NULL, 0);
        failed = !error || entry_failed(entry, error);
        Py_XDECREF(error);
    }
    Py_DECREF(entry);
    Py_DECREF(value);
    return failed ? -1 : 0;
}

static int
carry_out_remark(RecordProducer *producer, const Note *note)
{
    static const int level_of[] = {50, 50, 50, 40, 30, 20, 20, 10}; /* syslog's levels as Python's */
    const char *words = note->words ? note->words : "";
    if (note->said == LOST)
        return raise_kafka(note->code, "", words, 1);
    if (note->said == TROUBLE ? !producer->error_cb : !producer->logger)
        return 0;
    PyObject *answer = NULL;
    if (note->said == LOG_LINE) {
        PyObject *text = PyUnicode_DecodeUTF8(words, (Py_ssize_t)strlen(words), "replace");
        answer = text ? PyObject_CallMethod(producer->logger, "log", "isN", level_of[note->code & 7], "%s", text) : NULL;
    } else {
        PyObject *error = error_of(note->code, words, 0);
        answer = error ? PyObject_CallOneArg(producer->error_cb, error) : NULL;
        Py_XDECREF(error);
    }
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

/* Prefetches the memory that the notes after the next ones refer to: most of it was last used a long queue ago. */
static void
look_ahead(const RecordProducer *producer)
{
    enum { ENTRY = 8, SLOT = 16, LINE = 64 };
    const Note *note = producer->notes + producer->carried_out;
    size_t left = producer->note_count - producer->carried_out;
    if (left > SLOT)
        __builtin_prefetch(producer->slots + note[SLOT].slot);
    if (left > ENTRY) {
        const Slot *slot = producer->slots + note[ENTRY].slot;
        __builtin_prefetch(slot->entry);
        __builtin_prefetch((const char *)slot->entry + LINE);
        __builtin_prefetch(slot->value);
    }
}

/* Handles the notes up to the first error; the next call handles the rest. */
static int
carry_out(RecordProducer *producer)
{
    int failed = 0;
    while (!failed && producer->carried_out < producer->note_count) {
        look_ahead(producer);
        Note note = producer->notes[producer->carried_out++];
        failed = note.said == REPORT ? carry_out_report(producer, &note) : carry_out_remark(producer, &note);
        free(note.words);
    }
    return failed;
}

enum { DEEP = 4096 }; /* records */

int
reports_serve(RecordProducer *producer, int (*call)(void *client, int ms), int ms)
{
    if (producer->in_call) {
        PyErr_SetString(PyExc_RuntimeError, "another thread polls this producer");
        return -1;
    }
    size_t left = producer->note_count - producer->carried_out;
    memmove(producer->notes, producer->notes + producer->carried_out, left * sizeof(Note));
    producer->note_count = left;
    producer->carried_out = producer->remarks = 0;
    for (size_t i = 0; i < left; i++)
        producer->remarks += producer->notes[i].said != REPORT;
    producer->latency = -1;
    producer->in_call = 1;
    Py_BEGIN_ALLOW_THREADS
    call(producer->client, ms);
    if (rdk.outq_len(producer->client) > DEEP)
        sched_yield(); /* lets the client's threads run here, before records have left the caches */
    Py_END_ALLOW_THREADS
    producer->in_call = 0;
    return carry_out(producer);
}

void
reports_connect(RecordProducer *producer, void *conf)
{
    rdk.conf_set(conf, "log.queue", "true", NULL, 0); /* no log lines from other threads */
    rdk.conf_set_opaque(conf, producer);
    rdk.conf_set_dr_msg_cb(conf, on_report);
    rdk.conf_set_error_cb(conf, on_error);
    rdk.conf_set_log_cb(conf, on_log);
}

int
reports_prepare(void)
{
    if (!kafka_error)
        kafka_error = attribute("confluent_kafka", "KafkaError");
    if (!kafka_exception)
        kafka_exception = attribute("confluent_kafka", "KafkaException");
    return kafka_error && kafka_exception ? 0 : -1;
}
