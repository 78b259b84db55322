/* Interfaces of the files of RecordProducer. */
#ifndef TICKWIRE_RECORD_PRODUCER_H
#define TICKWIRE_RECORD_PRODUCER_H

#include "in_flight.h"
#include "librdkafka.h"

enum { WORDS = 512 };         /* most bytes of a text of the library */
enum { MOST_REMARKS = 1000 }; /* most remarks in one call of the library; more would say nothing new */
enum { HEADERS = 4, HEADER_SETS = 8, SPARES = 4096 };

typedef struct { /* what the library reported about a message, or about itself (a remark) */
    enum { REPORT, TROUBLE, LOST, LOG_LINE } said;
    int code;    /* code of the error, or level of the log line */
    size_t slot; /* of the message reported on */
    void *headers; /* of that message, or NULL */
    char *words; /* text of a remark; to be freed */
} Note;

typedef struct {
    PyObject *name;
    void *handle;
} Topic;

typedef struct { /* a message without a report yet; *entry* is NULL if free */
    InFlight *entry;
    PyObject *value; /* the library reads its bytes until it reports */
    int headers;     /* index of their set; -1: none */
} Slot;

/* Headers of reported messages, kept for messages with equal headers, because making them takes four allocations. */
typedef struct {
    PyObject *pairs[HEADERS]; /* tuples of a name and bytes, which are immutable */
    Py_ssize_t count;
    void **spares; /* headers of the library; room for SPARES */
    size_t spare_count;
} HeaderSet;

struct RecordProducer {
    PyObject_HEAD
    void *client;
    PyObject *error_cb, *logger; /* may be NULL */
    Slot *slots;
    size_t *free_slots, slot_count, free_count;
    Note *notes; /* room for a report from every slot, for MOST_REMARKS, and for one LOST */
    size_t note_count, carried_out, remarks;
    Topic *topics;
    Py_ssize_t topic_count;
    HeaderSet header_sets[HEADER_SETS];
    int header_set_count;
    double latency; /* of the first message acknowledged in this call, in seconds; negative: unknown */
    char in_call;
};

/* producer_reports.c */
int reports_prepare(void); /* call once before the others; -1 with an error set */
void reports_connect(RecordProducer *producer, void *conf);
/* Calls a function of the library that runs callbacks, then handles what they noted; -1 with an error set. */
int reports_serve(RecordProducer *producer, int (*call)(void *client, int ms), int ms);
/* record_headers.c */
/* The library's headers for a list of pairs of a name and bytes; *set* gets the index of their set, or -1. NULL with an
 * error set. */
void *headers_take(RecordProducer *producer, PyObject *list, int *set);
/* Keeps headers for another message, or frees them. */
void headers_give_back(RecordProducer *producer, int set, void *headers);
void headers_drop_sets(RecordProducer *producer);
/* Sets KafkaException as confluent_kafka does; returns -1. */
int raise_kafka(int code, const char *before, const char *words, int is_fatal);

#endif
