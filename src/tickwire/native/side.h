/* Interfaces of the parts of an order book's side: numbers, changes, levels. */
#ifndef TICKWIRE_SIDE_H
#define TICKWIRE_SIDE_H

#include "native.h"

enum { INLINE_TEXT = 46, STACK_CHANGES = 64, LEVEL_DIGITS = 160 /* upper limit, of price and size */ };
enum { DIGEST_SIZE = 2 * MOST_LEVELS * (LEVEL_DIGITS + 16) }; /* 16: signs, colons, points, exponents */

/* How an exchange writes levels. */
enum { MOST_WORDS = 4 };
typedef enum { OF_SIDE, OF_BIDS, OF_ASKS, REMOVED } Meaning; /* meaning of a word in a level */
typedef struct {
    const char *text;
    Py_ssize_t size;
    Meaning meaning;
} Word;
typedef struct {
    Word names[2]; /* names of price and size if levels are objects; borrowed text */
    Word words[MOST_WORDS]; /* words before price and size */
    int word_count;
} Layout;

/* decimals.c */
typedef __int128 Key; /* a price in units of 10^-24 */

typedef struct { /* a number's text */
    const char *text;
    Py_ssize_t size;
    int known; /* whether its value was read already */
    Key value; /* for a size: whether it is not zero */
} Decimal;

/* Read plain decimal text of up to eight digits and eight places, eight characters at a time; *end* is the end of readable
 * memory. Return the end of the number; NULL: other text, which may still be a number, or the memory ends too early. */
const char *take_price(const char *text, const char *end, Key *value);
const char *take_size(const char *text, const char *end, Key *value);
/* Reads plain decimal text: an optional minus, digits, optionally a point and more digits. 0: it is not plain. */
int read_plain(const char *text, Py_ssize_t size, Key *value);
/* -1: an error is set; ValueError if the text is not a price or size. */
int read_price(const char *text, Py_ssize_t size, Key *key);
int read_zero(const char *text, Py_ssize_t size); /* 1: the size is zero, 0: it is not */
PyObject *int_from_key(Key key);

/* changes.c */
typedef struct {
    Key key; /* signed so that the best is the greatest */
    const char *price, *size;
    int zero;
    uint8_t price_size, size_size;
} Change;

struct Changes {
    Change *items;
    Py_ssize_t count, room;
    int ordered;   /* best first, one change for each price */
    int canonical; /* the text is as we would write it, except for the sizes of removals */
    Py_ssize_t spare; /* number of characters by which those are longer than "0" */
    const char *text, *text_end;
    char *cut_off; /* prices of levels that left the book */
    char *products; /* sizes that were multiplied */
    Change stack[STACK_CHANGES];
};

void changes_init(Changes *changes);
void changes_free(Changes *changes);
Change *changes_add(Changes *changes); /* NULL with an error set */
/* Sorts best first, and keeps the last change of each price. -1: an error is set. */
int changes_put_in_order(Changes *changes);
int changes_read_list(Changes *changes, int sign, PyObject *levels); /* -1: an error is set */
PyObject *changes_as_text(const Changes *changes);
PyObject *changes_as_list(const Changes *changes);

typedef struct { /* units in a contract: its digits without the point, and its decimal places */
    uint64_t digits;  /* 0: sizes stay as they are written */
    int places;
} Factor;
/* decimals.c. 0: not plain decimal text of few digits */
int read_factor(const char *text, Py_ssize_t size, Factor *factor);
enum { PRODUCT_SIZE = PLACES + 24 };
/* Writes a size times a factor, exactly and without trailing zeros; returns the end. NULL: use the Python form. */
char *put_product(char *to, const char *text, Py_ssize_t size, const Factor *factor);
/* Multiplies all sizes. 1: done, 0: use the Python form, -1: an error is set. */
int changes_multiply(Changes *changes, const Factor *factor);

/* levels.c */
/* Checks a level and adds it. -1 with an error set: it is not valid. */
int changes_add_level(Changes *changes, int sign, const Decimal *price, const Decimal *size);
/* Reads levels into *sides*: bids (*which* is 0) or asks (1), unless their words name the side; *stop* gets their end.
 * 1: done, 0: not plain, -1: an error is set. */
int levels_read(const Layout *layout, Changes *const sides[2], int which, const char *text, const char *end,
                const char **stop);
/* Does the same with text that has nothing but levels. */
int levels_read_text(const Layout *layout, Changes *const sides[2], int which, const char *text, Py_ssize_t size);

extern PyObject *raw_type; /* msgspec.Raw */
PyObject *raw_from(PyObject *bytes); /* steals the reference */
PyObject *pair_from(const char *price, Py_ssize_t price_size, const char *size, Py_ssize_t size_size);

/* Writes ["price","size"], with a comma before it unless it is the first. */
static inline char *
put_level(char *at, int first, const char *price, Py_ssize_t price_size, const char *size, Py_ssize_t size_size)
{
    at = put(at, first ? "[\"" : ",[\"", first ? 2 : 3);
    at = put(at, price, price_size);
    at = put(at, "\",\"", 3);
    at = put(at, size, size_size);
    return put(at, "\"]", 2);
}

/* side.c */
typedef struct {
    Key key;
    uint8_t price_size, size_size;
    char text[INLINE_TEXT]; /* price and size, or a pointer to them if they are longer */
} Level;

struct Side {
    PyObject_HEAD
    Level *levels; /* the best is last */
    Py_ssize_t count, room;
    Key horizon;     /* key of the worst price up to which all levels are known */
    int bound;       /* whether there is a horizon */
    int sign;
    PyObject *names; /* names of price and size if levels are objects, else NULL */
    Layout layout;   /* points into the text of *names* */
    PyObject *factor_text; /* units in a contract if sizes in text count contracts, else NULL */
    Factor factor;
};

static inline const char *
level_text(const Level *level)
{
    if (level->price_size + level->size_size <= INLINE_TEXT)
        return level->text;
    char *text;
    memcpy(&text, level->text, sizeof text);
    return text;
}

/* Whether the best *least* levels lie within the horizon. */
static inline int
side_knows(const Side *side, Py_ssize_t least)
{
    return !side->bound || least <= 0 || (side->count >= least && side->levels[side->count - least].key >= side->horizon);
}

PyObject *side_as_text(const Side *side, Py_ssize_t depth); /* of the best *depth* levels, as msgspec.Raw */
PyObject *pair_of(const Level *level);
/* The first index, from the worst level on, whose key is not below *key*; at most *high*. Searches near *high* first. */
Py_ssize_t side_find(const Side *side, Key key, Py_ssize_t high);
/* Drops the *extra* worst levels. */
void side_drop(Side *side, Py_ssize_t extra);
/* Swaps the contents of *side* and *now*, and adds to *changes*, in order, what a reader has to apply. Their text points
 * into the levels, so it must be written before these change. -1: an error is set. */
int side_become(Side *side, Side *now, Changes *changes);
/* The same for a list of all levels; *before* gets the old contents of *side*, until it is used again. */
int side_become_all(Side *side, const Changes *all, Side *before, Changes *changes);

#endif
