/* Makes the values of records directly from frames of known shapes: the best bid and offer, changes of a book, trades.
 *
 * The compiled form of events/short_way.py. Whatever is not exactly of a shape, of a symbol that was added, plain decimal
 * text and next in its order is left to the adapter, with nothing changed. The tests hold both forms against adapters.
 */
#include "formats.h"
#include "short_way.h"

enum { MAX_SYMBOL = 40, BROKEN = -2 };

/* ---- Looking up --------------------------------------------------------------------------------------------------- */

PyObject *
look_up(PyObject *names, const Piece *symbol)
{
    static PyObject *texts[TEXTS];
    if (symbol->size > MAX_SYMBOL || !PyDict_GET_SIZE(names))
        return NULL;
    PyObject *name = make_name(texts, symbol);
    PyObject *known = name ? PyDict_GetItemWithError(names, name) : NULL;
    Py_XDECREF(name);
    return known;
}

/* ---- The way ---------------------------------------------------------------------------------------------------- */

static int
find_ticker(ShortWay *way, const char *frame, Found *found)
{
    if (!shape_begin(way->shapes[TICKER], frame, found) || found->at != found->end
        || !(found->known = look_up(way->known[TICKER], &found->names[0])))
        return 0;
    found->kind = TICKER;
    found->symbol = PyTuple_GET_ITEM(found->known, 0);
    found->action = Py_None;
    return 1;
}

/* 0: the book has no numbers, or an error is set. */
static int
attach(ShortWayBook *book, const NumbersOf *numbers_of)
{
    PyObject *numbers = PyDict_GetItemWithError(numbers_of->books, book->native);
    PyObject *top = numbers ? PyDict_GetItemWithError(numbers_of->tops, book->native) : NULL;
    if (!numbers || PyErr_Occurred())
        return 0;
    if (!PyObject_TypeCheck(numbers, numbers_type) || (top && !PyObject_TypeCheck(top, top_type))) {
        PyErr_SetString(PyExc_TypeError, "expected a book's numbers, and optionally its best levels");
        return 0;
    }
    book->numbers = (BookNumbers *)Py_NewRef(numbers);
    book->top = (Top *)Py_XNewRef(top);
    return 1;
}

static int
is_text(PyObject *known, const Piece *said)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(known, &size);
    return text && size == said->size && !memcmp(text, said->text, (size_t)size);
}

/* Reads a whole frame and changes nothing. 0: the adapter must handle it, or an error is set. */
static int
read_change(ShortWay *way, const char *frame, Found *found)
{
    if (!PyDict_GET_SIZE(way->known[CHANGE]) || !shape_begin(way->shapes[CHANGE], frame, found))
        return 0;
    changes_clear(way->sides[0]);
    changes_clear(way->sides[1]);
    way->sides[0]->canonical = way->sides[1]->canonical = 0; /* a missing side has no text */
    for (char side; (side = shape_at_levels(found));) {
        const char *stop;
        Changes *of_side = way->sides[side == 'a'];
        of_side->text = found->at;
        of_side->canonical = !way->layout.word_count;
        if (levels_read(&way->layout, way->sides, side == 'a', found->at, found->end, &stop) <= 0)
            return 0;
        of_side->text_end = found->at = stop;
        if (!shape_go_on(found))
            return 0;
    }
    if (found->at != found->end)
        return 0;
    for (int i = 0; i < 2; i++) {
        Changes *changes = way->sides[i];
        if (changes_put_in_order(changes) || (changes->count && !changes->items[i ? 0 : changes->count - 1].key))
            return 0; /* a level without a price is for the adapter */
    }
    return 1;
}

/* Whether an update is the next one. */
static int
is_next(const ShortWay *way, const ShortWayBook *book, const Found *found)
{
    long long before = book->state->update_id, last = found->integers[LAST].value, first = found->integers[FIRST].value;
    switch (way->order) {
    case NEXT: return first <= last && last > before && first <= before + 1;
    case PREVIOUS:
        return found->integers[PREVIOUS_ONE].value == before
               && !(last == before && !way->sides[0]->count && !way->sides[1]->count);
    case STEP: return last == before + 1 && last != 1;
    case BEHIND: return first == before + 1 && last >= first;
    default: return 1;
    }
}

/* 0: the adapter must handle it, or an error is set. */
static int
in_units(const Side *side, Changes *changes)
{
    return !side->factor_text || changes_multiply(changes, &side->factor) > 0;
}

/* A change may take the short way if nothing is wrong, except perhaps the checksum after it. */
static int
find_change(ShortWay *way, const NumbersOf *numbers_of, const char *frame, Found *found)
{
    if (!read_change(way, frame, found) || !(found->known = look_up(way->known[CHANGE], &found->names[0])))
        return 0;
    ShortWayBook *book = (ShortWayBook *)found->known;
    if (found->name_count > 1 && (!book->other || !is_text(book->other, &found->names[1])))
        return 0;
    if (!book->numbers && !attach(book, numbers_of))
        return 0;
    if (!book->numbers->valid || (book->top && !top_is_ready(book->top)) || book->state->update_id == BROKEN)
        return 0;
    found->kind = CHANGE;
    found->numbers = book->numbers;
    found->action = book->top ? action_snapshot : action_delta;
    found->symbol = book->symbol;
    return is_next(way, book, found) && in_units(book->bids, way->sides[0]) && in_units(book->asks, way->sides[1]);
}

/* The adapter reports invalid levels. */
static int
leave_to_adapter(void)
{
    if (!PyErr_Occurred())
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear();
    return 0;
}

PyObject *
short_way_text(const ShortWay *way, PyObject *frame)
{
    if (!way->unpack)
        return Py_NewRef(frame);
    PyObject *text = PyObject_CallOneArg(way->unpack, frame);
    if (text && !PyBytes_Check(text)) {
        Py_CLEAR(text);
        PyErr_SetString(PyExc_TypeError, "unpacking a frame must give bytes");
    }
    return text;
}

int
short_way_find(ShortWay *way, const NumbersOf *numbers_of, const char *frame, Py_ssize_t size, Found *found)
{
    found->end = frame + size;
    int done = find_ticker(way, frame, found);
    if (!done && !PyErr_Occurred())
        done = find_change(way, numbers_of, frame, found) ? 1 : leave_to_adapter();
    if (!done && !PyErr_Occurred())
        done = trade_find(way->shapes[TRADE], way->known[TRADE], numbers_of->trades, frame, found);
    return PyErr_Occurred() ? -1 : done;
}

/* -1: an error is set, and the book is unusable. */
static int
change_side(ShortWay *way, Side *side, int which, Py_ssize_t depth)
{
    if (!way->whole)
        return side_apply(side, way->sides[which], depth);
    Changes *all = way->sides[which], *changes = way->said[which];
    changes_clear(changes);
    way->sides[which] = changes;
    way->said[which] = all;
    return side_become_all(side, all, &way->before[which], changes);
}

/* A change whose checksum is wrong, or after which too few levels are known or there are too many, goes to the adapter although the book has it
 * already: there it changes nothing more, as each level's size is set and not added to, and is found the same again. */
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
    ShortWayBook *book = (ShortWayBook *)found->known;
    BookNumbers *numbers = found->numbers;
    int numbered = found->integers[LAST].text != NULL, done;
    *value = NULL;
    if (change_side(way, book->bids, 0, book->depth) || change_side(way, book->asks, 1, book->depth)) {
        book->state->update_id = BROKEN;
        return -1;
    }
    if (!side_knows(book->bids, book->least) || !side_knows(book->asks, book->least)
        || book->bids->count > book->most || book->asks->count > book->most)
        return 0;
    if (way->checked
        && (done = digest_is(book->bids, book->asks, &way->digest, (uint64_t)found->integers[CHECKSUM].value)) <= 0)
        return done;
    if (numbered)
        book->state->update_id = found->integers[LAST].value;
    numbers->messages++;
    if (book->top && (done = top_follow(book->top, way->sides[0], way->sides[1])) <= 0)
        return done ? -1 : 1;
    numbers->book_seq++;
    numbers->sequence = numbered ? book->state->update_id : -1;
    numbers->exchange_us = found->us;
    *value = book->top ? top_value(book->top, numbers, received_us)
                       : delta_value(book->prefix, way->sides[0], way->sides[1], numbers, received_us);
    return *value ? 1 : -1;
}
