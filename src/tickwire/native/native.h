/* What the compiled parts know of each other. Each file says what it is the compiled form of. */
#ifndef TICKWIRE_NATIVE_H
#define TICKWIRE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* module.c */
PyTypeObject *add_type(PyObject *module, const char *name, PyType_Spec *spec);
PyObject *attribute(const char *module, const char *name); /* a new reference */
typedef struct {
    PyObject **name;
    const char *text;
} Name;
/* Calls the Python form of this name, which knows what is unusual; a new reference to its answer. */
PyObject *call_python_form(const char *name, PyObject *argument);
int make_names(const Name *names, size_t count); /* of attributes */
PyObject *take_error(void); /* a new reference to the exception that is set, with its traceback; none is set then */
void plain_free(PyObject *self);                           /* of an object that holds no others */
/* A type of such objects, which Python classes build on. */
PyTypeObject *add_plain(PyObject *module, const char *name, const char *full_name, int size, PyMemberDef *members);

/* The most digits of a price or size in front of the point and behind it: 128 bits hold that many. */
enum { WHOLE_DIGITS = 14, PLACES = 24 };

static inline int
is_space(char c) /* of JSON */
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline char *
put(char *to, const char *text, Py_ssize_t size) /* returns where it ends */
{
    memcpy(to, text, (size_t)size);
    return to + size;
}

typedef struct {
    const char *text;
    Py_ssize_t size;
    long long value; /* of an integer; of a decimal whether it is zero */
} Piece;

/* numbers.c: what is counted and numbered for every message; Python classes build on these */
typedef struct {
    PyObject_HEAD
    long long value;
} Number;

typedef struct {
    PyObject_HEAD
    long long messages, epoch, book_seq, sequence, exchange_us;
    char valid;
} BookNumbers;

typedef struct {
    PyObject_HEAD
    long long update_id;
} UpdateId;

typedef struct {
    PyObject_HEAD
    long long last;
    char ahead;
} TradeNumbers;

extern PyTypeObject *number_type, *numbers_type, *update_id_type, *trade_numbers_type;
int add_numbers(PyObject *module);

/* times.c */
/* Takes a time in UTC as RFC 3339 writes it; digits after the microseconds are cut. NULL: another form, or no time. */
const char *take_time(const char *at, const char *end, long long *us);
int add_times(PyObject *module);

/* decimals.c */
int add_decimals(PyObject *module);

/* changes.c */
typedef struct Changes Changes;
Changes *changes_new(void);
void changes_delete(Changes *changes); /* NULL is fine */
void changes_clear(Changes *changes);
Py_ssize_t changes_size(const Changes *changes); /* of their text, at most */
char *changes_write(const Changes *changes, char *to);
int add_changes(PyObject *module);

/* side.c */
typedef struct Side Side;
/* Then keeps the best *depth* levels (-1: all), and what left is among the changes. -1: an error is set, and the book is
 * of no use. */
int side_apply(Side *side, Changes *changes, Py_ssize_t depth);

/* digest.c */
enum { MOST_LEVELS = 25 }; /* a side, in a checksum */
typedef struct {
    Py_ssize_t levels;
    int order, spelling;
} Digest;
int digest_is_known(const Digest *digest);
/* Compares a book with its checksum. 1: equal, 0: not, -1: an error is set. */
int digest_is(const Side *bids, const Side *asks, const Digest *digest, uint64_t checksum);
int add_digest(PyObject *module);

/* side_type.c */
extern PyTypeObject *side_type;
int add_side(PyObject *module);

/* top.c */
typedef struct { /* the best levels of a book: as they stand, and as they were last written */
    PyObject_HEAD
    PyObject *bids, *asks, *bids_text, *asks_text; /* Side, Side, Raw, Raw */
    PyObject *prefix;                              /* the record's text in front of the bids; NULL or None at first */
    Py_ssize_t depth;
} Top;

extern PyTypeObject *top_type; /* Python classes build on it */
int top_is_ready(const Top *top);
/* Applies changes. 1: the best levels differ, 0: they do not, -1: an error is set. */
int top_follow(Top *top, Changes *bids, Changes *asks);
int add_top(PyObject *module);

/* shape.c, shape_rules.c */
typedef struct Shape Shape;
enum { DECIMALS = 5, NAMES = 2 };
enum { LAST, FIRST, PREVIOUS_ONE, CHECKSUM, UNWANTED, ROLES }; /* of integers in frames; a ticker's or trade's number is the last */
typedef enum { TICKER, CHANGE, TRADE, KINDS } Kind; /* of frames */

typedef struct { /* what a frame is about; everything is borrowed */
    Kind kind;
    Piece names[NAMES], integers[ROLES], decimals[DECIMALS]; /* an integer without text: there is none */
    int name_count, decimal_count;
    int sells;                    /* the taker of a trade */
    long long us;                 /* the exchange's time; -1: none was read */
    const Shape *shape;
    Py_ssize_t place; /* in the shape */
    const char *at, *end; /* how far the frame was read */
    PyObject *known, *symbol;     /* what the short way knows of the symbol; its canonical name */
    BookNumbers *numbers;         /* of a change */
    TradeNumbers *traded;         /* of a trade */
    PyObject *action;             /* of the message that is written; None where it is no book's */
} Found;

enum { SHAPE_SIZE = 256 };
/* One of the shapes of the frames that the adapter reads. To be freed by PyMem_Free. */
Shape *shape_new(const char *const shapes[KINDS], Kind kind);
/* Whether a shape has what frames of this kind need. */
int shape_is_of(const char *shape, Kind kind);
#define SHAPE_ROLES "lfpcxmun" /* letters of integers as they are numbered, then of times */
int shape_count(const char *shape, const char *mark); /* how often it stands in a shape */
char shape_role_of(const char *place);                  /* the letter that belongs to the mark there, or 0 */
const char *shape_skip_letters(const char *at);
/* Matches a frame, whose end stands in *found*, up to levels or to the end. 0: it is of another shape. */
int shape_begin(const Shape *shape, const char *frame, Found *found);
/* Of which side the levels are that stand here: 'b', 'a', or 's' for both; 0: it is the end, or not of the shape. */
char shape_at_levels(const Found *found);
int shape_go_on(Found *found); /* behind levels */

/* values.c */
char *put_number(char *to, long long number); /* at most 20 characters; returns where it ends */
/* A record's value: *prefix* is its text in front of the bid, or of the bids. NULL with an error set. */
PyObject *ticker_value(PyObject *prefix, const Found *found, long long received_us);
PyObject *delta_value(PyObject *prefix, const Changes *bids, const Changes *asks, const BookNumbers *numbers,
                      long long received_us);
PyObject *top_value(const Top *top, const BookNumbers *numbers, long long received_us);
PyObject *trade_value(PyObject *prefix, const Found *found, long long received_us); /* in front of the number */

/* trades.c */
/* 1: a trade that may take the short way, 0: it is for the adapter, or an error is set. *known*: native name -> what a
 * ticker has too; *numbers_of*: native name -> TradeNumbers. */
int trade_find(const Shape *shape, PyObject *known, PyObject *numbers_of, const char *frame, Found *found);
PyObject *trade_carry_out(Found *found, long long received_us); /* the record's value */

/* short_way.c */
typedef struct ShortWay ShortWay;
extern PyTypeObject *short_way_type;

typedef struct { /* by the exchange's names; */
    PyObject *books, *tops, *trades; /* BookNumbers, Top of those whose best levels are written, TradeNumbers */
} NumbersOf;

/* What is known of the symbol, borrowed; NULL, perhaps with an error set. */
PyObject *look_up(PyObject *names, const Piece *symbol);
/* The frame's text, a new reference; NULL with an error set: it has none. */
PyObject *short_way_text(const ShortWay *way, PyObject *frame);
/* 1: the frame may take the short way, 0: it is for the adapter, -1: an error is set. */
int short_way_find(ShortWay *way, const NumbersOf *numbers_of, const char *frame, Py_ssize_t size, Found *found);
/* Carries out what was found, and makes the record's value, NULL where there is nothing to write. 0: it is for the
 * adapter, and nothing has changed. */
int short_way_carry_out(ShortWay *way, Found *found, long long received_us, PyObject **value);
int add_short_way(PyObject *module);

/* in_flight.c */
int add_flight(PyObject *module);
int add_flights(PyObject *module);

/* record_producer.c */
int add_producer(PyObject *module);

/* direct_publisher.c */
typedef struct DirectPublisher DirectPublisher;
extern PyTypeObject *direct_type;
int direct_is_free(const DirectPublisher *direct);
/* The route of events of this type and symbol, borrowed; NULL: the long way, or an error is set. */
PyObject *direct_route(DirectPublisher *direct, PyObject *type, PyObject *symbol);
/* Publishes a record whose value in JSON is *text*; -1 with an error set. */
int direct_send(DirectPublisher *direct, PyObject *route, PyObject *text, PyObject *action, long long received_us);
extern PyObject *action_snapshot, *action_delta;
int add_outlet(PyObject *module);

/* formats.c */
int add_formats(PyObject *module);

/* columns.c */
int add_columns(PyObject *module);

/* protobuf_text.c */
int add_protobuf_text(PyObject *module);

/* frame_gate.c */
int add_gate(PyObject *module);

/* short_way_receiver.c */
int add_relay(PyObject *module);

/* received.c */
int add_received(PyObject *module);

/* followed.c */
int add_followed(PyObject *module);

#endif
