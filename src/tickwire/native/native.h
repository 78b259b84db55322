/* Interfaces of the compiled parts. Each file says what it is the compiled form of. */
#ifndef TICKWIRE_NATIVE_H
#define TICKWIRE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* module.c */
PyTypeObject *add_type(PyObject *module, PyType_Spec *spec);
PyObject *attribute(const char *module, const char *name); /* a new reference */
typedef struct {
    PyObject **name;
    const char *text;
} Name;
PyObject *python_form(const char *name); /* a new reference */
/* Calls the Python form with this name, which handles unusual input; returns a new reference to its result. */
PyObject *call_python_form(const char *name, PyObject *argument);
int make_names(const Name *names, size_t count); /* interns names of attributes */
PyObject *take_error(void); /* clears the current exception; returns a new reference to it, with its traceback */
/* Adds a type of objects that hold no references, which Python classes may subclass; *name* is with the module's. */
PyTypeObject *add_plain(PyObject *module, const char *name, int size, PyMemberDef *members);

/* The most digits of a price or size before and after the decimal point: as many as fit into 128 bits. */
enum { WHOLE_DIGITS = 14, PLACES = 24 };

static inline void
plain_free(PyObject *self) /* frees an object whose references are released */
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static inline int
is_space(char c) /* as JSON defines it */
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline char *
put(char *to, const char *text, Py_ssize_t size) /* returns the end of the copy */
{
    memcpy(to, text, (size_t)size);
    return to + size;
}

typedef struct {
    const char *text;
    Py_ssize_t size;
    long long value; /* of an integer; for a decimal: whether it is zero */
} Piece;

/* numbers.c: counters and numbers that change with every message; Python classes subclass these */
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
/* Reads a UTC time in RFC 3339 form; digits after the microseconds are dropped. NULL: another form, or not a time. */
const char *take_time(const char *at, const char *end, long long *us);
int add_times(PyObject *module);

/* decimals.c */
int add_decimals(PyObject *module);

/* changes.c */
typedef struct Changes Changes;
Changes *changes_new(void);
void changes_delete(Changes *changes); /* accepts NULL */
void changes_clear(Changes *changes);
Py_ssize_t changes_size(const Changes *changes); /* upper limit of the size of their text */
char *changes_write(const Changes *changes, char *to);
int add_changes(PyObject *module);

/* side.c */
typedef struct Side Side;
/* Applies changes, then keeps only the best *depth* levels (-1: all) and adds the removed ones to *changes*.
 * -1: an error is set, and the book is unusable. */
int side_apply(Side *side, Changes *changes, Py_ssize_t depth);

/* digest.c */
enum { MOST_LEVELS = 25 }; /* on each side, in a checksum */
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
typedef struct { /* the best levels of a book: the current ones, and those last written */
    PyObject_HEAD
    PyObject *bids, *asks, *bids_text, *asks_text; /* Side, Side, Raw, Raw */
    PyObject *prefix;                              /* the record's text before the bids; NULL or None at first */
    Py_ssize_t depth;
} Top;

extern PyTypeObject *top_type; /* Python classes subclass it */
int top_is_ready(const Top *top);
/* Applies changes. 1: the best levels differ, 0: they do not, -1: an error is set. */
int top_follow(Top *top, Changes *bids, Changes *asks);
int add_top(PyObject *module);

/* shape.c, shape_rules.c */
typedef struct Shape Shape;
enum { DECIMALS = 5, NAMES = 2 };
enum { LAST, FIRST, PREVIOUS_ONE, CHECKSUM, UNWANTED, ROLES }; /* roles of integers; a ticker's or trade's number is LAST */
typedef enum { TICKER, CHANGE, TRADE, KINDS } Kind; /* kinds of frames */

typedef struct { /* what was read from a frame; all references are borrowed */
    Kind kind;
    Piece names[NAMES], integers[ROLES], decimals[DECIMALS]; /* an integer without text is absent */
    int name_count, decimal_count;
    int sells;                    /* the taker of a trade is the seller */
    long long us;                 /* the exchange's time; -1: none */
    const Shape *shape;
    Py_ssize_t place; /* position in the shape */
    const char *at, *end; /* rest of the frame */
    PyObject *known, *symbol;     /* what the short way knows of the symbol; its canonical name */
    BookNumbers *numbers;         /* of a change */
    TradeNumbers *traded;         /* of a trade */
    PyObject *action;             /* action of the message that is written; None if it is not about a book */
} Found;

enum { SHAPE_SIZE = 256 };
/* Compiles one of the shapes of the adapter's frames. To be freed with PyMem_Free. */
Shape *shape_new(const char *const shapes[KINDS], Kind kind);
/* Whether a shape has all fields that frames of this kind need. */
int shape_is_of(const char *shape, Kind kind);
#define SHAPE_ROLES "lfpcxmun" /* letters of integers in the order of their roles, then those of times */
int shape_count(const char *shape, const char *mark); /* how often the mark occurs in a shape */
char shape_role_of(const char *place);                  /* letter of the mark at *place*, or 0 */
const char *shape_skip_letters(const char *at);
/* Matches a frame up to its levels or its end; *found* has the end. 0: the frame has another shape. */
int shape_begin(const Shape *shape, const char *frame, Found *found);
/* Side of the levels that begin here: 'b', 'a', or 's' for both; 0: the frame ends here, or has another shape. */
char shape_at_levels(const Found *found);
int shape_go_on(Found *found); /* continues after levels */

/* values.c */
char *put_number(char *to, long long number); /* at most 20 characters; returns the end */
/* Makes a record's value; *prefix* is its text before the bid, or before the bids. NULL with an error set. */
PyObject *ticker_value(PyObject *prefix, const Found *found, long long received_us);
PyObject *delta_value(PyObject *prefix, const Changes *bids, const Changes *asks, const BookNumbers *numbers,
                      long long received_us);
PyObject *top_value(const Top *top, const BookNumbers *numbers, long long received_us);
PyObject *trade_value(PyObject *prefix, const Found *found, long long received_us); /* *prefix*: before the number */

/* trades.c */
/* 1: the trade may take the short way, 0: the adapter must handle it, or an error is set. *known*: native name -> the
 * same tuple as for tickers; *numbers_of*: native name -> TradeNumbers. */
int trade_find(const Shape *shape, PyObject *known, PyObject *numbers_of, const char *frame, Found *found);
PyObject *trade_carry_out(Found *found, long long received_us); /* the record's value */

/* short_way.c */
typedef struct ShortWay ShortWay;
extern PyTypeObject *short_way_type;

typedef struct { /* dictionaries by the exchange's names: */
    PyObject *books, *tops, *trades; /* of BookNumbers; of Top, for books whose best levels are written; of TradeNumbers */
} NumbersOf;

/* Looks up a symbol in *names*, borrowed; NULL: unknown, or an error is set. */
PyObject *look_up(PyObject *names, const Piece *symbol);
/* The frame's text, a new reference; NULL with an error set if it has none. */
PyObject *short_way_text(const ShortWay *way, PyObject *frame);
/* 1: the frame may take the short way, 0: the adapter must handle it, -1: an error is set. */
int short_way_find(ShortWay *way, const NumbersOf *numbers_of, const char *frame, Py_ssize_t size, Found *found);
/* Applies what was found and makes the record's value, or NULL if there is nothing to write. 0: the adapter must handle
 * the frame, and nothing has changed. */
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
/* The route of events of this type and symbol, borrowed; NULL: take the long way, or an error is set. */
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
