/* From frames of known shapes straight to the values of their records: the best bid and offer, changes of a book, trades.
 *
 * The compiled form of events/short_way.py. Whatever is not exactly of a shape, of a symbol that was added, plain decimal
 * text and next in its order is left to the adapter, with nothing changed. The tests hold both forms against adapters.
 */
#include "native.h"

enum { MAX_SYMBOL = 40, BROKEN = -2 };
enum { NEXT, PREVIOUS }; /* as in events/short_way.py */

/* A book that is followed; PyObject, so that a dictionary can hold it. */
typedef struct {
    PyObject_HEAD
    PyObject *symbol, *prefix; /* the canonical name; the record's text in front of the bids */
    Side *bids, *asks;
    UpdateId *state;           /* NULL: a checksum says whether the book is right */
    int order, unit;           /* of the numbers of updates, and of their times in us */
    Py_ssize_t depth;          /* levels a side that are kept */
    Digest digest;
    BookNumbers *numbers;          /* its numbers, NULL until they were looked up; a relay has the same ones for ever */
    Top *top;                  /* NULL: the changes themselves are written */
} FollowedBook;

struct ShortWay {
    PyObject_HEAD
    Shape *shapes[KINDS];
    /* native name -> FollowedBook; of a ticker or trade (canonical name, its record's text in front of bid or number, and
     * of a ticker the Number that counts them) */
    PyObject *known[KINDS];
    int by_checksum;                      /* a book's changes come with the checksum of the book after them */
    Changes *bids, *asks;
};

static PyTypeObject *followed_type;

/* ---- Looking up --------------------------------------------------------------------------------------------------- */

PyObject *
look_up(PyObject *names, const Piece *symbol)
{
    if (symbol->size > MAX_SYMBOL || !PyDict_GET_SIZE(names))
        return NULL;
    PyObject *name = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, symbol->text, symbol->size);
    PyObject *known = name ? PyDict_GetItemWithError(names, name) : NULL;
    Py_XDECREF(name);
    return known;
}

/* ---- The way ---------------------------------------------------------------------------------------------------- */

static int
find_ticker(ShortWay *way, const char *frame, Found *found)
{
    if (!shape_begin(way->shapes[TICKER], frame, found) || found->at != found->end
        || !(found->known = look_up(way->known[TICKER], &found->native)))
        return 0;
    found->kind = TICKER;
    found->symbol = PyTuple_GET_ITEM(found->known, 0);
    found->action = Py_None;
    return 1;
}

/* 0: the book has no numbers here, or an error is set. */
static int
attach(FollowedBook *book, const NumbersOf *numbers_of, const Piece *native)
{
    PyObject *numbers = look_up(numbers_of->books, native), *top = numbers ? look_up(numbers_of->tops, native) : NULL;
    if (!numbers || PyErr_Occurred())
        return 0;
    if (!PyObject_TypeCheck(numbers, numbers_type) || (top && !PyObject_TypeCheck(top, top_type))) {
        PyErr_SetString(PyExc_TypeError, "a book has numbers, and perhaps its best levels");
        return 0;
    }
    book->numbers = (BookNumbers *)Py_NewRef(numbers);
    book->top = (Top *)Py_XNewRef(top);
    return 1;
}

/* Whether an update with these two numbers is the next one. */
static int
is_next(const FollowedBook *book, long long first, long long last)
{
    long long before = book->state->update_id;
    return book->order == PREVIOUS ? first == before : first <= last && last > before && first <= before + 1;
}

/* A change may where nothing but the levels can be wrong, or the checksum after them. Where updates are numbered it has to
 * be next in its order. */
static int
find_change(ShortWay *way, const NumbersOf *numbers_of, const char *frame, Found *found)
{
    if (!shape_begin(way->shapes[CHANGE], frame, found) || !shape_at_levels(found)
        || !(found->known = look_up(way->known[CHANGE], &found->native)))
        return 0;
    FollowedBook *book = (FollowedBook *)found->known;
    if (!book->numbers && !attach(book, numbers_of, &found->native))
        return 0;
    if (!book->numbers->valid || (book->top && !top_is_ready(book->top)))
        return 0;
    found->kind = CHANGE;
    found->numbers = book->numbers;
    found->action = book->top ? action_snapshot : action_delta;
    found->symbol = book->symbol;
    return !book->state || is_next(book, (long long)found->integers[1].value, (long long)found->integers[2].value);
}

int
short_way_find(ShortWay *way, const NumbersOf *numbers_of, const char *frame, Py_ssize_t size, Found *found)
{
    found->end = frame + size;
    int done = find_ticker(way, frame, found);
    if (!done && !PyErr_Occurred())
        done = find_change(way, numbers_of, frame, found);
    if (!done && !PyErr_Occurred())
        done = trade_find(way->shapes[TRADE], way->known[TRADE], numbers_of->trades, frame, found);
    return PyErr_Occurred() ? -1 : done;
}

/* Reads both sides, and changes nothing. 1: done, 0: for the adapter, -1: an error is set. */
static int
read_sides(ShortWay *way, FollowedBook *book, Found *found)
{
    found->at = side_read(book->bids, way->bids, found->at, found->end);
    if (found->at && shape_go_on(found) && shape_at_levels(found)) {
        found->at = side_read(book->asks, way->asks, found->at, found->end);
        if (found->at && shape_go_on(found) && found->at == found->end)
            return 1;
    }
    if (!PyErr_Occurred())
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear(); /* no number: the adapter says so */
    return 0;
}

/* A change whose checksum is wrong goes to the adapter although the book has it already: there it changes nothing more,
 * as each level's size is set and not added to, is found wrong again, and the book starts again. */
int
short_way_carry_out(ShortWay *way, Found *found, long long received_us, PyObject **value)
{
    if (found->kind == TICKER) {
        ((Number *)PyTuple_GET_ITEM(found->known, 2))->value++;
        *value = ticker_value(PyTuple_GET_ITEM(found->known, 1), found, received_us);
        return *value ? 1 : -1;
    }
    if (found->kind == TRADE) {
        *value = trade_carry_out(found, received_us);
        return *value ? 1 : -1;
    }
    FollowedBook *book = (FollowedBook *)found->known;
    BookNumbers *numbers = found->numbers;
    *value = NULL;
    int done = read_sides(way, book, found);
    if (done <= 0)
        return done;
    if (side_apply(book->bids, way->bids, book->depth) || side_apply(book->asks, way->asks, book->depth)) {
        if (book->state)
            book->state->update_id = BROKEN;
        return -1;
    }
    if (book->state)
        book->state->update_id = (long long)found->integers[2].value;
    else if ((done = digest_is(book->bids, book->asks, &book->digest, found->integers[0].value)) <= 0)
        return done;
    numbers->messages++;
    if (book->top && (done = top_follow(book->top, way->bids, way->asks)) <= 0)
        return done ? -1 : 1;
    numbers->book_seq++;
    numbers->sequence = book->state ? book->state->update_id : -1;
    numbers->exchange_us = book->state ? (long long)found->integers[0].value * book->unit : found->us;
    *value = book->top ? top_value(book->top, numbers, received_us)
                       : delta_value(book->prefix, way->bids, way->asks, numbers, received_us);
    return *value ? 1 : -1;
}

/* Steals *known*. */
static PyObject *
add_symbol(PyObject *names, PyObject *native, PyObject *known)
{
    int failed = !known || PyDict_SetItem(names, native, known);
    Py_XDECREF(known);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
way_ticker(ShortWay *way, PyObject *arguments)
{
    PyObject *native, *symbol, *prefix, *count;
    if (!PyArg_ParseTuple(arguments, "UUSO!", &native, &symbol, &prefix, number_type, &count))
        return NULL;
    return add_symbol(way->known[TICKER], native, PyTuple_Pack(3, symbol, prefix, count));
}

static PyObject *
way_trade(ShortWay *way, PyObject *arguments)
{
    PyObject *native, *symbol, *prefix;
    if (!PyArg_ParseTuple(arguments, "UUS", &native, &symbol, &prefix))
        return NULL;
    return add_symbol(way->known[TRADE], native, PyTuple_Pack(2, symbol, prefix));
}

static PyObject *
add_book(ShortWay *way, PyObject *native, FollowedBook known)
{
    if (!Py_IS_TYPE(known.bids, side_type) || !Py_IS_TYPE(known.asks, side_type))
        Py_RETURN_NONE; /* a book in Python, which the adapter goes on to serve */
    FollowedBook *book = (FollowedBook *)followed_type->tp_alloc(followed_type, 0);
    if (!book)
        return NULL;
    book->symbol = Py_NewRef(known.symbol);
    book->prefix = Py_NewRef(known.prefix);
    book->bids = (Side *)Py_NewRef((PyObject *)known.bids);
    book->asks = (Side *)Py_NewRef((PyObject *)known.asks);
    book->state = (UpdateId *)Py_XNewRef((PyObject *)known.state);
    book->order = known.order;
    book->unit = known.unit;
    book->depth = known.depth;
    book->digest = known.digest;
    int failed = PyDict_SetItem(way->known[CHANGE], native, (PyObject *)book);
    Py_DECREF(book);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
way_follow(ShortWay *way, PyObject *arguments)
{
    PyObject *native;
    FollowedBook book = {.depth = -1};
    if (!PyArg_ParseTuple(arguments, "UUSOOO!ii", &native, &book.symbol, &book.prefix, &book.bids, &book.asks, update_id_type,
                          &book.state, &book.order, &book.unit))
        return NULL;
    if (way->by_checksum || (book.order != NEXT && book.order != PREVIOUS)) {
        PyErr_SetString(PyExc_ValueError, "the shape has no numbers of updates, or there is no such order");
        return NULL;
    }
    return add_book(way, native, book);
}

static PyObject *
way_follow_checked(ShortWay *way, PyObject *arguments)
{
    PyObject *native;
    FollowedBook book = {.state = NULL};
    if (!PyArg_ParseTuple(arguments, "UUSOOn(nii)", &native, &book.symbol, &book.prefix, &book.bids, &book.asks, &book.depth,
                          &book.digest.levels, &book.digest.order, &book.digest.spelling))
        return NULL;
    if (!way->by_checksum || book.depth < 0 || !digest_is_known(&book.digest)) {
        PyErr_SetString(PyExc_ValueError, "the shape has no checksum, or there is no such digest");
        return NULL;
    }
    return add_book(way, native, book);
}

/* NULL: an error is set. */
static PyObject *
drop(PyObject *names, PyObject *native)
{
    if (PyDict_DelItem(names, native)) {
        if (!PyErr_ExceptionMatches(PyExc_KeyError))
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

static PyObject *
way_leave(ShortWay *way, PyObject *native)
{
    return drop(way->known[CHANGE], native);
}

static PyObject *
way_forget(ShortWay *way, PyObject *native)
{
    for (int i = 0; i < KINDS; i++) {
        PyObject *done = drop(way->known[i], native);
        if (!done)
            return NULL;
        Py_DECREF(done);
    }
    Py_RETURN_NONE;
}

/* ShortWay(ticker_shape, change_shape, trade_shape); the Python form says what each needs. */
static PyObject *
way_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    static const char *const names[] = {"ticker", "change of a book", "trade"};
    PyObject *texts[KINDS];
    const char *shapes[KINDS];
    if (!PyArg_ParseTuple(arguments, "SSS", &texts[TICKER], &texts[CHANGE], &texts[TRADE]))
        return NULL;
    for (int i = 0; i < KINDS; i++) {
        shapes[i] = PyBytes_AS_STRING(texts[i]);
        if (!shape_is_of(shapes[i], i))
            return PyErr_Format(PyExc_ValueError, "a shape has not what a %s needs", names[i]);
    }
    ShortWay *way = (ShortWay *)type->tp_alloc(type, 0);
    if (!way)
        return NULL;
    way->by_checksum = strchr(shapes[CHANGE], '^') != NULL;
    way->bids = changes_new();
    way->asks = changes_new();
    int whole = way->bids && way->asks;
    for (int i = 0; whole && i < KINDS; i++)
        whole = (way->shapes[i] = shape_new(shapes, i)) && (way->known[i] = PyDict_New());
    if (!whole)
        Py_CLEAR(way);
    return (PyObject *)way;
}

static void
way_free(ShortWay *way)
{
    PyTypeObject *type = Py_TYPE(way);
    for (int i = 0; i < KINDS; i++) {
        PyMem_Free(way->shapes[i]);
        Py_XDECREF(way->known[i]);
    }
    if (way->bids)
        changes_clear(way->bids);
    if (way->asks)
        changes_clear(way->asks);
    PyMem_Free(way->bids);
    PyMem_Free(way->asks);
    type->tp_free((PyObject *)way);
    Py_DECREF(type);
}

static void
followed_free(FollowedBook *book)
{
    PyTypeObject *type = Py_TYPE(book);
    Py_XDECREF(book->symbol);
    Py_XDECREF(book->prefix);
    Py_XDECREF(book->bids);
    Py_XDECREF(book->asks);
    Py_XDECREF(book->state);
    Py_XDECREF(book->numbers);
    Py_XDECREF(book->top);
    type->tp_free((PyObject *)book);
    Py_DECREF(type);
}

PyTypeObject *short_way_type;

/* What both hold knows nothing of them, so they are part of no cycle and not for the collector. */
int
add_short_way(PyObject *module)
{
    static PyMethodDef methods[] = {
        {"ticker", (PyCFunction)way_ticker, METH_VARARGS, NULL},
        {"trade", (PyCFunction)way_trade, METH_VARARGS, NULL},
        {"follow", (PyCFunction)way_follow, METH_VARARGS, NULL},
        {"follow_checked", (PyCFunction)way_follow_checked, METH_VARARGS, NULL},
        {"leave", (PyCFunction)way_leave, METH_O, NULL},
        {"forget", (PyCFunction)way_forget, METH_O, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot way_slots[] = {
        {Py_tp_new, way_new}, {Py_tp_dealloc, way_free}, {Py_tp_methods, methods}, {0, NULL},
    };
    static PyType_Slot followed_slots[] = {{Py_tp_dealloc, followed_free}, {0, NULL}};
    static PyType_Spec way_spec = {
        .name = "tickwire._native.ShortWay", .basicsize = sizeof(ShortWay), .flags = Py_TPFLAGS_DEFAULT,
        .slots = way_slots,
    };
    static PyType_Spec followed_spec = {
        .name = "tickwire._native.FollowedBook", .basicsize = sizeof(FollowedBook),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = followed_slots,
    };
    short_way_type = add_type(module, "ShortWay", &way_spec);
    followed_type = short_way_type ? (PyTypeObject *)PyType_FromSpec(&followed_spec) : NULL;
    return followed_type ? 0 : -1;
}
