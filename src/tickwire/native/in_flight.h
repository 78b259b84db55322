/* Interfaces of the parts that pass records to the producer. */
#ifndef TICKWIRE_FLIGHT_H
#define TICKWIRE_FLIGHT_H

#include "native.h"

enum { IN_MEMORY = -1 }; /* the place of an entry that is not on disk */

/* Fields of a route: where events of one kind and symbol go, as given to DirectPublisher.open. */
enum { ROUTE_LANE, ROUTE_STREAM, ROUTE_EXCHANGE, ROUTE_TOPIC, ROUTE_KEY, ROUTE_HEADERS, ROUTE_KIND,
       ROUTE_EXCHANGE_SYMBOL, ROUTE_IS_BOOK, ROUTE_RECODE, ROUTE_SIZE };

typedef struct {
    PyObject_HEAD
    long long events, acknowledged, conflated, dropped, failed, spilled;
} Counts;

struct InFlightTable;
typedef struct RecordProducer RecordProducer;

/* It cannot be part of a cycle, so it is not tracked by the garbage collector, which need not visit a hundred thousand. */
typedef struct InFlight {
    PyObject_HEAD
    PyObject *stream, *lane;
    PyObject *record;                 /* NULL until it is requested; then made from these: */
    PyObject *route, *value, *action; /* NULL if the record was given */
    long long timestamp_ms, place;
    struct InFlightTable *flights; /* the table that owns it while it is in flight, else NULL */
    struct InFlight *before, *after;
} InFlight;

typedef struct InFlightTable {
    PyObject_HEAD
    PyObject *acknowledged, *failed, *produce, *begun;
    RecordProducer *producer; /* the object of the method *produce*, borrowed; NULL: another kind of producer */
    InFlight *first, *last;
    Py_ssize_t count, large; /* *large*: values with more bytes may be too large for a topic */
    char ready, sampling;
} InFlightTable;

extern PyTypeObject *entry_type, *flights_type, *counts_type;

/* *record* may be NULL: it is then made from route, value and time when it is requested. */
InFlight *entry_make(PyTypeObject *type, PyObject *stream, PyObject *lane, PyObject *record, long long place);
/* The record, borrowed; made on demand, because few records are needed again once they are in flight. */
PyObject *record_of(InFlight *entry);
/* Handle a report of the producer; *latency* in seconds, negative if unknown. An entry that was taken back is ignored.
 * -1 with an error set. */
int entry_acknowledged(InFlight *entry, double latency);
int entry_failed(InFlight *entry, PyObject *error);
/* Appends an entry. */
void flights_add(InFlightTable *flights, InFlight *entry);
/* Removes an entry and releases it. */
void flights_remove(InFlightTable *flights, InFlight *entry);
/* Passes the entry to the producer; -1 with an error set: it is not in flight. */
int flights_send(InFlightTable *flights, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key,
                 long long timestamp_ms, PyObject *headers);

/* record_producer.c */
/* The producer whose method this is, borrowed; NULL if it is not a RecordProducer's. */
RecordProducer *producer_of(PyObject *produce);
/* Passes a record to the producer; *entry* gets the report. -1 with an error set: it was not accepted. */
int producer_send(RecordProducer *producer, InFlight *entry, PyObject *topic, PyObject *value, PyObject *key,
                  long long timestamp_ms, PyObject *headers);

#endif
