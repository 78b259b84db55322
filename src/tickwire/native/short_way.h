/* What the parts of the short way know of each other. */
#ifndef TICKWIRE_SHORT_WAY_H
#define TICKWIRE_SHORT_WAY_H

#include "side.h"

enum { ANY, NEXT, PREVIOUS, STEP, BEHIND, ORDERS }; /* of updates, as in events/rules.py */

/* A book that is followed; PyObject, so that a dictionary can hold it. */
typedef struct {
    PyObject_HEAD
    PyObject *native, *other;  /* the exchange's name; what else stands in its frames, or NULL */
    PyObject *symbol, *prefix; /* the canonical name; the record's text in front of the bids */
    Side *bids, *asks;
    UpdateId *state;
    Py_ssize_t depth;          /* levels a side that are kept; -1: all */
    Py_ssize_t least, most;    /* levels a side that must be known, and that there may be */
    BookNumbers *numbers;      /* its numbers, NULL until they were looked up; a relay has the same ones for ever */
    Top *top;                  /* NULL: the changes themselves are written */
} FollowedBook;

struct ShortWay {
    PyObject_HEAD
    Shape *shapes[KINDS];
    /* what stands in a book's frames -> FollowedBook; native name of a ticker or trade -> (canonical name, its record's text
     * in front of bid or number, and of a ticker the Number that counts them) */
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
