/* Interfaces of the parts of the short way. */
#ifndef TICKWIRE_SHORT_WAY_H
#define TICKWIRE_SHORT_WAY_H

#include "side.h"

enum { ANY, NEXT, PREVIOUS, STEP, BEHIND, ORDERS }; /* orders of updates, as in events/rules.py */

/* A book that is followed; PyObject, so that a dictionary can hold it. */
typedef struct {
    PyObject_HEAD
    PyObject *native, *other;  /* the exchange's name; another name used in frames, or NULL */
    PyObject *symbol, *prefix; /* the canonical name; the record's text before the bids */
    Side *bids, *asks;
    UpdateId *state;
    Py_ssize_t depth;          /* levels kept on each side; -1: all */
    Py_ssize_t least, most;    /* fewest known and most levels on each side */
    BookNumbers *numbers;      /* NULL until looked up; they never change for a relay */
    Top *top;                  /* NULL: the changes themselves are written */
} ShortWayBook;

struct ShortWay {
    PyObject_HEAD
    Shape *shapes[KINDS];
    /* for changes: name in frames -> ShortWayBook; for tickers and trades: native name -> (canonical name,
     * the record's text before the bid or the number, and for tickers the Number that counts them) */
    PyObject *known[KINDS];
    PyObject *unpack;                     /* bytes -> bytes: a frame's text; NULL: it is text */
    PyObject *followed;                   /* native name -> what stands in its frames */
    PyObject *rule;                       /* which the text of the layout belongs to */
    int order, checked, whole;            /* of updates; a change comes with the checksum of the book after it, is the book */
    Digest digest;
    Layout layout;
    Changes *sides[2]; /* that a frame says, then those that a reader has to apply */
    Changes *said[2];  /* where these are others */
    Side before[2];    /* what a book was that was replaced, as its text may be among them; no objects */
};

#endif
