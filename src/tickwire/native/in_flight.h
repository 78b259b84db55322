/* What the parts know of each other that bring records to the producer. */
#ifndef TICKWIRE_FLIGHT_H
#define TICKWIRE_FLIGHT_H

#include "native.h"

enum { IN_MEMORY = -1 }; /* the place of an entry that is not on disk */

/* Where events of a kind and symbol go, as kafka/publisher.py says it to DirectPublisher.open. */
enum { ROUTE_LANE, ROUTE_STREAM, ROUTE_EXCHANGE, ROUTE_TOPIC, ROUTE_KEY, ROUTE_HEADERS, ROUTE_KIND,
       ROUTE_EXCHANGE_SYMBOL, ROUTE_IS_BOOK, ROUTE_RECODE, ROUTE_SIZE };

typedef struct {
    PyObject_HEAD
    long long events, acknowledged, conflated, dropped, failed, spilled;
} Counts;

struct InFlightTable;
typedef struct RecordProducer RecordProducer;

/* Part of no cycle (what it holds knows nothing of it), so the collector need not look at a hundred thousand. */
typedef struct InFlight {
    PyObject_HEAD
    PyObject *stream, *lane;
    PyObject *record;                 /* NULL until somebody asks, and then made of these: */
    PyObject *route, *value, *action; /* NULL where the record was given */
    long long timestamp_ms, place;
    struct InFlightTable *flights; /* where it is on its way, and which holds it then; else NULL */
    struct InFlight *before, *after;
} InFlight;

typedef struct InFlightTable {
    PyObject_HEAD
    PyObject *acknowledged, *failed, *produce, *begun;
    RecordProducer *producer; /* whose method produce is, borrowed; NULL: somebody else's */
    InFlight *first, *last;
    Py_ssize_t count, large; /* bytes of a value: larger ones may be too large for a topic */
    char ready, sampling;
} InFlightTable;

extern PyTypeObject *entry_type, *flights_type, *counts_type;

/* *record* may be NULL: it is made from route, value and time once somebody asks. */
InFlight *entry_make(PyTypeObject *type, PyObject *stream, PyObject *lane, PyObject *record, long long place);
/* The record, borrowed: few are ever looked at again once they are on their way. */
PyObject *record_of(InFlight *entry);
/* What the producer reports; *latency* in seconds, negative where it is not known. Nothing happens to an entry that was
 * taken back. -1 with an error set. */
int entry_acknowledged(InFlight *entry, double latency);
int entry_failed(InFlight *entry, PyObject *error);
/* Puts an entry behind all others. */
void flights_add(InFlightTable *flights, InFlight *entry);
/* Takes an entry out and lets it go. */
void flights_remove(InFlightTable *flights, InFlight *entry);
/* Hands the entry to the producer; -1 with an error set: it is not on its way. */
int flights_send(InFlightTable *flights, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key,
                 long long timestamp_ms, PyObject *headers);

/* record_producer.c */
/* The producer whose method this is, borrowed; NULL: it is none of these. */
RecordProducer *producer_of(PyObject *produce);
/* Gives it a record, about which *entry* is told; -1 with an error set: it did not take it. */
int producer_send(RecordProducer *producer, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key,
                  long long timestamp_ms, PyObject *headers);

#endif
