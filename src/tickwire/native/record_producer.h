/* What the two files of RecordProducer know of each other. */
#ifndef TICKWIRE_RECORD_PRODUCER_H
#define TICKWIRE_RECORD_PRODUCER_H

#include "in_flight.h"
#include "librdkafka.h"

enum { WORDS = 512 };         /* of the library, at most so many bytes */
enum { MOST_REMARKS = 1000 }; /* in one call of the library; more say nothing new */
enum { HEADERS = 4, HEADER_SETS = 8, SPARES = 4096 };

typedef struct { /* what the library said of a message, or of itself (a remark) */
    enum { REPORT, TROUBLE, LOST, LOG_LINE } said;
    int code;    /* of the error, or the line's level */
    size_t slot; /* of a report */
    void *headers; /* of its message; NULL: it had none */
    char *words; /* of a remark; to be freed */
} Note;

typedef struct {
    PyObject *name;
    void *handle;
} Topic;

typedef struct { /* a message that is not reported on; NULL where free */
    InFlight *entry;
    PyObject *value; /* whose bytes the library reads until it reports */
    int headers;     /* number of their set; -1: they are of none */
} Slot;

/* Headers of messages that were reported on, for messages with the same ones: each is four pieces of memory. */
typedef struct {
    PyObject *pairs[HEADERS]; /* of a name and bytes each, which nobody can change */
    Py_ssize_t count;
    void **spares; /* of the library; there is room for SPARES */
    size_t spare_count;
} HeaderSet;

struct RecordProducer {
    PyObject_HEAD
    void *client;
    PyObject *error_cb, *logger; /* may be NULL */
    Slot *slots;
    size_t *free_slots, slot_count, free_count;
    Note *notes; /* there is room for a report from every slot, for the most remarks, and for the loss */
    size_t note_count, carried_out, remarks;
    Topic *topics;
    Py_ssize_t topic_count;
    HeaderSet header_sets[HEADER_SETS];
    int header_set_count;
    double latency; /* of the first message that was acknowledged in this call, in seconds; negative: unknown */
    char in_call;
};

/* producer_reports.c */
int reports_prepare(void); /* to be called once before the others; -1 with an error set */
void reports_connect(RecordProducer *producer, void *conf);
/* Calls a function of the library's that calls back, then carries out what it said; -1 with an error set. */
int reports_serve(RecordProducer *producer, int (*call)(void *client, int ms), int ms);
/* record_headers.c */
/* The headers of a message, from a list of a name and bytes each, and the number of their set, or -1; NULL with an error
 * set. */
void *headers_take(RecordProducer *producer, PyObject *list, int *set);
/* Keeps headers for another message, or lets them go. */
void headers_give_back(RecordProducer *producer, int set, void *headers);
void headers_drop_sets(RecordProducer *producer);
/* Sets KafkaException as confluent_kafka does; returns -1. */
int raise_kafka(int code, const char *before, const char *words, int is_fatal);

#endif
