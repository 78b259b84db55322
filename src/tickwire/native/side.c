/* One side of an order book, and the numbers in it: the compiled form of events/side.py and events/decimals.py.
 *
 * Those two say what each function means; the same tests run on both forms. This one differs in three things only.
 * Levels that come as JSON text (msgspec.Raw) are read here, and leave as JSON text, so no Python object is made a
 * level. Prices are 128-bit integers of 10^-24. The best level stands at the end of the array, because most changes
 * are near the best price and then move little.
 *
 * Text that is not plain ("1e5", escapes, other shapes) is left to the Python form: rare, so it may be slow.
 */
#include "native.h"

typedef __int128 Key;

enum { MAX_DIGITS = LEVEL_DIGITS / 2, INLINE_TEXT = 46, STACK_CHANGES = 64 };

static PyObject *raw_type;        /* msgspec.Raw */
static PyObject *slow_price_key;  /* tickwire.events.decimals.price_key */
static PyObject *slow_is_zero;    /* tickwire.events.decimals.is_zero */
static PyObject *slow_read;       /* tickwire.events.side.read_levels */

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

static Key powers[PLACES + 1];

/* Reads plain decimal text: digits, perhaps a point and more digits, perhaps a minus in front. 0: it is not plain. */
static int
read_plain(const char *text, Py_ssize_t size, Key *value)
{
    const char *end = text + size;
    int negative = size > 0 && *text == '-';
    if (size > MAX_DIGITS)
        return 0;
    text += negative;
    uint64_t whole = 0, fraction = 0, fraction_high = 0;
    int digits = 0, places = 0;
    while (text < end && (unsigned char)(*text - '0') <= 9) {
        if (whole || *text != '0')
            digits++;
        if (digits > WHOLE_DIGITS)
            return 0;
        whole = whole * 10 + (uint64_t)(*text++ - '0');
    }
    if (text == end - size + negative)
        return 0; /* no digit in front of the point */
    if (text < end && *text == '.') {
        text++;
        while (text < end && (unsigned char)(*text - '0') <= 9 && places < PLACES) {
            if (places < 18)
                fraction = fraction * 10 + (uint64_t)(*text - '0');
            else
                fraction_high = fraction_high * 10 + (uint64_t)(*text - '0');
            places++, text++;
        }
        if (!places)
            return 0;
    }
    if (text != end)
        return 0;
    Key key = (Key)whole * powers[PLACES];
    if (places <= 18)
        key += (Key)fraction * powers[PLACES - places];
    else
        key += (Key)fraction * powers[PLACES - 18] + (Key)fraction_high * powers[PLACES - places];
    *value = negative ? -key : key;
    return 1;
}

/* 1: zero, 0: a plain number that is not, -1: not plain. */
static int
plain_zero(const char *text, Py_ssize_t size)
{
    const char *end = text + size, *start = text;
    int zero = 1;
    while (text < end && (unsigned char)(*text - '0') <= 9)
        zero &= *text++ == '0';
    if (text == start)
        return -1;
    if (text < end && *text == '.') {
        start = ++text;
        while (text < end && (unsigned char)(*text - '0') <= 9)
            zero &= *text++ == '0';
        if (text == start)
            return -1;
    }
    return text == end && size <= MAX_DIGITS ? zero : -1;
}

static int
key_from_int(PyObject *number, Key *key)
{
    PyObject *shift = PyLong_FromLong(64);
    PyObject *high = shift ? PyNumber_Rshift(number, shift) : NULL;
    Py_XDECREF(shift);
    if (!high)
        return -1;
    long long top = PyLong_AsLongLong(high);
    Py_DECREF(high);
    if (top == -1 && PyErr_Occurred())
        return -1;
    unsigned long long low = PyLong_AsUnsignedLongLongMask(number);
    if (PyErr_Occurred())
        return -1;
    *key = (Key)(((unsigned __int128)(unsigned long long)top << 64) | low);
    return 0;
}

static PyObject *
int_from_key(Key key)
{
    if (key >= INT64_MIN && key <= INT64_MAX)
        return PyLong_FromLongLong((long long)key);
    unsigned char bytes[sizeof key]; /* little-endian, so that it does not matter which the machine is */
    for (size_t i = 0; i < sizeof key; i++)
        bytes[i] = (unsigned char)((unsigned __int128)key >> (8 * i));
    return _PyLong_FromByteArray(bytes, sizeof bytes, 1, 1);
}

static int
read_price(const char *text, Py_ssize_t size, Key *key)
{
    if (read_plain(text, size, key))
        return 0;
    PyObject *number = PyObject_CallFunction(slow_price_key, "s#", text, size);
    if (!number)
        return -1;
    int failed = key_from_int(number, key);
    Py_DECREF(number);
    return failed;
}

static int
read_zero(const char *text, Py_ssize_t size)
{
    int zero = plain_zero(text, size);
    if (zero >= 0)
        return zero;
    PyObject *answer = PyObject_CallFunction(slow_is_zero, "s#", text, size);
    if (!answer)
        return -1;
    zero = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return zero;
}

static PyObject *
native_price_key(PyObject *Py_UNUSED(module), PyObject *text)
{
    Key key;
    if (PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text)
        && read_plain((const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text), &key))
        return int_from_key(key);
    return PyObject_CallOneArg(slow_price_key, text);
}

static PyObject *
native_is_zero(PyObject *Py_UNUSED(module), PyObject *text)
{
    if (PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text)) {
        int zero = plain_zero((const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
        if (zero >= 0)
            return PyBool_FromLong(zero);
    }
    return PyObject_CallOneArg(slow_is_zero, text);
}

/* ---- Changes: levels as they come ------------------------------------------------------------------------------- */

typedef struct {
    Key key; /* signed so that the best is the greatest */
    const char *price, *size;
    int zero;
    uint8_t price_size, size_size;
} Change;

struct Changes {
    Change *items;
    Py_ssize_t count, room;
    int ordered;   /* best first, one a price */
    int canonical; /* the text is as we would write it */
    const char *text, *text_end;
    char *cut_off; /* prices of levels that left the book */
    Change stack[STACK_CHANGES];
};

static void
changes_init(Changes *changes)
{
    changes->items = changes->stack;
    changes->count = 0;
    changes->room = STACK_CHANGES;
    changes->ordered = changes->canonical = 1;
    changes->cut_off = NULL;
}

static void
changes_free(Changes *changes)
{
    PyMem_Free(changes->cut_off);
    if (changes->items != changes->stack)
        PyMem_Free(changes->items);
}

static Change *
changes_add(Changes *changes)
{
    if (changes->count == changes->room) {
        size_t bytes = sizeof(Change) * (size_t)changes->room * 2;
        Change *more = changes->items == changes->stack ? PyMem_Malloc(bytes) : PyMem_Realloc(changes->items, bytes);
        if (!more) {
            PyErr_NoMemory();
            return NULL;
        }
        if (changes->items == changes->stack)
            memcpy(more, changes->stack, sizeof changes->stack);
        changes->items = more;
        changes->room *= 2;
    }
    return &changes->items[changes->count++];
}

/* Checks a level and adds it. -1 with an error set: it is none. */
static int
add_level(Changes *changes, int sign, const char *price, Py_ssize_t price_size, const char *size, Py_ssize_t size_size)
{
    Key key;
    if (read_price(price, price_size, &key))
        return -1;
    int zero = read_zero(size, size_size);
    if (zero < 0)
        return -1;
    Change *change = changes_add(changes);
    if (!change)
        return -1;
    *change = (Change){.key = sign * key, .price = price, .size = size, .zero = zero,
                       .price_size = (uint8_t)price_size, .size_size = (uint8_t)size_size};
    if (changes->count > 1 && change[-1].key <= change->key)
        changes->ordered = 0;
    return 0;
}

/* Sorts best first and keeps of one price the last that was said. Merge sort: stable, and no input makes it slow. */
static int
put_in_order(Changes *changes)
{
    if (changes->ordered)
        return 0;
    Py_ssize_t count = changes->count;
    Change *from = changes->items, *to = PyMem_Malloc(sizeof(Change) * (size_t)count), *spare = to;
    if (!to) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t width = 1; width < count; width *= 2) {
        for (Py_ssize_t start = 0; start < count; start += 2 * width) {
            Py_ssize_t middle = Py_MIN(start + width, count), end = Py_MIN(start + 2 * width, count);
            Py_ssize_t left = start, right = middle;
            for (Py_ssize_t at = start; at < end; at++) {
                if (left < middle && (right >= end || from[left].key >= from[right].key))
                    to[at] = from[left++];
                else
                    to[at] = from[right++];
            }
        }
        Change *swap = from;
        from = to;
        to = swap;
    }
    Py_ssize_t kept = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (kept && changes->items[kept - 1].key == from[i].key)
            kept--;
        changes->items[kept++] = from[i];
    }
    PyMem_Free(spare);
    changes->count = kept;
    changes->ordered = 1;
    changes->canonical = 0;
    return 0;
}

/* ---- JSON text of levels ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *at, *end;
    Changes *changes;
} Reader;

static void
skip_space(Reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && is_space(*at))
        at++;
    if (at != reader->at) {
        reader->changes->canonical = 0;
        reader->at = at;
    }
}

static int
take(Reader *reader, char expected)
{
    skip_space(reader);
    if (reader->at >= reader->end || *reader->at != expected)
        return 0;
    reader->at++;
    return 1;
}

/* Tells whether digits, points and signs are a number of JSON, which a string need not be. */
static int
is_json_number(const char *at, const char *end)
{
    at += at < end && *at == '-';
    if (at >= end || (unsigned char)(*at - '0') > 9 || (*at == '0' && at + 1 < end && at[1] != '.'))
        return 0;
    const char *point = memchr(at, '.', (size_t)(end - at));
    return !point || (point + 1 < end && !memchr(point + 1, '.', (size_t)(end - point - 1)));
}

/* Takes a string or a number that is plain decimal text. 0: something else stands there. */
static int
take_number(Reader *reader, const char **text, Py_ssize_t *size)
{
    skip_space(reader);
    int quoted = reader->at < reader->end && *reader->at == '"';
    const char *at = reader->at + quoted;
    *text = at;
    while (at < reader->end && ((unsigned char)(*at - '0') <= 9 || *at == '.' || *at == '-'))
        at++;
    *size = at - *text;
    if (!*size || at >= reader->end || (quoted && *at != '"'))
        return 0;
    if (!quoted) {
        reader->changes->canonical = 0;
        if (!is_json_number(*text, at))
            return 0;
    }
    reader->at = at + quoted;
    return 1;
}

static int
take_name(Reader *reader, PyObject *names, Py_ssize_t i)
{
    Py_ssize_t size;
    const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(names, i), &size);
    if (!name || !take(reader, '"') || reader->end - reader->at < size || memcmp(reader->at, name, (size_t)size))
        return 0;
    reader->at += size;
    return take(reader, '"') && take(reader, ':');
}

/* Reads [["price","size"],…] or, with names, [{"price":…,"size":…},…], and says where it ends: 1: done, 0: not plain,
 * -1: an error is set. */
static int
read_levels(Changes *changes, int sign, PyObject *names, const char *text, const char *end, const char **stop)
{
    Reader reader = {text, end, changes};
    if (names)
        changes->canonical = 0;
    if (!take(&reader, '['))
        return 0;
    skip_space(&reader);
    if (!take(&reader, ']')) {
        do {
            const char *price, *size;
            Py_ssize_t price_size, size_size;
            if (names) {
                if (!take(&reader, '{') || !take_name(&reader, names, 0)
                    || !take_number(&reader, &price, &price_size) || !take(&reader, ',')
                    || !take_name(&reader, names, 1) || !take_number(&reader, &size, &size_size)
                    || !take(&reader, '}'))
                    return 0;
            } else if (!take(&reader, '[') || !take_number(&reader, &price, &price_size) || !take(&reader, ',')
                       || !take_number(&reader, &size, &size_size) || !take(&reader, ']'))
                return 0;
            if (add_level(changes, sign, price, price_size, size, size_size))
                return -1;
        } while (take(&reader, ','));
        if (!take(&reader, ']'))
            return 0;
    }
    *stop = reader.at;
    return 1;
}

/* Does the same with text that holds nothing else. */
static int
read_text(Changes *changes, int sign, PyObject *names, const char *text, Py_ssize_t text_size)
{
    const char *stop;
    int done = read_levels(changes, sign, names, text, text + text_size, &stop);
    if (done <= 0)
        return done;
    Reader rest = {stop, text + text_size, changes};
    skip_space(&rest);
    return rest.at == rest.end;
}

static PyObject *
write_pair(PyObject *price, PyObject *size)
{
    PyObject *pair = price && size ? PyTuple_Pack(2, price, size) : NULL;
    Py_XDECREF(price);
    Py_XDECREF(size);
    return pair;
}

static PyObject *
raw_from(PyObject *bytes)
{
    PyObject *raw = bytes ? PyObject_CallOneArg(raw_type, bytes) : NULL;
    Py_XDECREF(bytes);
    return raw;
}

/* ---- Side ------------------------------------------------------------------------------------------------------- */

typedef struct {
    Key key;
    uint8_t price_size, size_size;
    char text[INLINE_TEXT]; /* price and size, or where they are longer a pointer to them */
} Level;

struct Side {
    PyObject_HEAD
    Level *levels; /* the best stands last */
    Py_ssize_t count, room;
    int sign;
    PyObject *names; /* of price and size where levels are objects, else NULL */
};

static const char *
text_of(const Level *level)
{
    if (level->price_size + level->size_size <= INLINE_TEXT)
        return level->text;
    char *text;
    memcpy(&text, level->text, sizeof text);
    return text;
}

static void
drop_text(Level *level)
{
    if (level->price_size + level->size_size > INLINE_TEXT)
        PyMem_Free((char *)text_of(level));
}

static int
fill(Level *level, const Change *change)
{
    char *text = level->text;
    if (change->price_size + change->size_size > INLINE_TEXT) {
        text = PyMem_Malloc((size_t)change->price_size + change->size_size);
        if (!text) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(level->text, &text, sizeof text);
    }
    level->key = change->key;
    level->price_size = change->price_size;
    level->size_size = change->size_size;
    memcpy(put(text, change->price, change->price_size), change->size, change->size_size);
    return 0;
}

static int
make_room(Side *side, Py_ssize_t count)
{
    if (count <= side->room)
        return 0;
    Py_ssize_t room = Py_MAX(count, side->room + side->room / 2 + 8);
    Level *levels = PyMem_Realloc(side->levels, sizeof(Level) * (size_t)room);
    if (!levels) {
        PyErr_NoMemory();
        return -1;
    }
    side->levels = levels;
    side->room = room;
    return 0;
}

/* The first place, from the worst, whose key is not below *key*. Looks near the best first. */
static Py_ssize_t
find(const Side *side, Key key)
{
    const Level *levels = side->levels;
    Py_ssize_t high = side->count, step = 1, low;
    while ((low = side->count - step) > 0 && levels[low].key >= key) {
        high = low;
        step *= 2;
    }
    low = Py_MAX(low, 0);
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (levels[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int
change_one(Side *side, const Change *change)
{
    Py_ssize_t at = find(side, change->key);
    int known = at < side->count && side->levels[at].key == change->key;
    if (change->zero) {
        if (known) {
            drop_text(&side->levels[at]);
            side->count--;
            memmove(&side->levels[at], &side->levels[at + 1], sizeof(Level) * (size_t)(side->count - at));
        }
        return 0;
    }
    if (known) {
        Level fresh;
        if (fill(&fresh, change))
            return -1;
        drop_text(&side->levels[at]);
        side->levels[at] = fresh;
        return 0;
    }
    Level fresh;
    if (make_room(side, side->count + 1) || fill(&fresh, change))
        return -1;
    memmove(&side->levels[at + 1], &side->levels[at], sizeof(Level) * (size_t)(side->count - at));
    side->levels[at] = fresh;
    side->count++;
    return 0;
}

/* Does all changes, which are in order, in one pass over the levels. */
static int
change_many(Side *side, const Changes *changes)
{
    Py_ssize_t room = side->count + changes->count, count = 0, old = 0;
    Level *levels = PyMem_Malloc(sizeof(Level) * (size_t)Py_MAX(room, 1));
    if (!levels) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t next = changes->count - 1; /* changes have the best first, levels have it last */
    for (;;) {
        const Change *change = next >= 0 ? &changes->items[next] : NULL;
        if (old < side->count && (!change || side->levels[old].key < change->key)) {
            levels[count++] = side->levels[old++];
            continue;
        }
        if (!change)
            break;
        if (old < side->count && side->levels[old].key == change->key)
            drop_text(&side->levels[old++]);
        if (!change->zero && fill(&levels[count], change)) {
            /* Out of memory: what is left of the book is of no use, but must be freed once only. */
            memcpy(&levels[count], &side->levels[old], sizeof(Level) * (size_t)(side->count - old));
            count += side->count - old;
            PyMem_Free(side->levels);
            side->levels = levels, side->count = count, side->room = room;
            return -1;
        }
        count += !change->zero;
        next--;
    }
    PyMem_Free(side->levels);
    side->levels = levels, side->count = count, side->room = Py_MAX(room, 1);
    return 0;
}

static int
apply(Side *side, Changes *changes)
{
    if (changes->count > 32)
        return change_many(side, changes);
    for (Py_ssize_t i = 0; i < changes->count; i++)
        if (change_one(side, &changes->items[i]))
            return -1;
    return 0;
}

/* Drops every level behind the best *depth* (-1: none); what leaves is added to *changes* as removals. */
static int
cut(Side *side, Py_ssize_t depth, Changes *changes)
{
    Py_ssize_t extra = depth < 0 ? 0 : side->count - depth;
    if (extra <= 0)
        return 0;
    size_t size = 0;
    for (Py_ssize_t i = 0; i < extra; i++)
        size += side->levels[i].price_size;
    char *texts = PyMem_Malloc(size);
    if (!texts) {
        PyErr_NoMemory();
        return -1;
    }
    PyMem_Free(changes->cut_off);
    changes->cut_off = texts;
    for (Py_ssize_t i = extra - 1; i >= 0; i--) {
        Level *level = &side->levels[i];
        Change *change = changes_add(changes);
        if (!change)
            return -1;
        memcpy(texts, text_of(level), level->price_size);
        *change = (Change){.key = level->key, .price = texts, .size = "0", .zero = 1,
                           .price_size = level->price_size, .size_size = 1};
        texts += level->price_size;
    }
    for (Py_ssize_t i = 0; i < extra; i++)
        drop_text(&side->levels[i]);
    side->count = depth;
    memmove(side->levels, side->levels + extra, sizeof(Level) * (size_t)depth);
    changes->ordered = changes->canonical = 0;
    return put_in_order(changes);
}

/* What a list of levels needs at most, and writing it: for changes that were read, and for levels as they stand. */
Py_ssize_t
changes_size(const Changes *changes)
{
    if (changes->canonical)
        return changes->text_end - changes->text;
    Py_ssize_t size = 2;
    for (Py_ssize_t i = 0; i < changes->count; i++)
        size += changes->items[i].price_size + changes->items[i].size_size + 8;
    return size;
}

static char *
put_level(char *at, int first, const char *price, Py_ssize_t price_size, const char *size, Py_ssize_t size_size)
{
    at = put(at, first ? "[\"" : ",[\"", first ? 2 : 3);
    at = put(at, price, price_size);
    at = put(at, "\",\"", 3);
    at = put(at, size, size_size);
    return put(at, "\"]", 2);
}

char *
changes_write(const Changes *changes, char *at)
{
    if (changes->canonical)
        return put(at, changes->text, changes->text_end - changes->text);
    at = put(at, "[", 1);
    for (Py_ssize_t i = 0; i < changes->count; i++) {
        const Change *change = &changes->items[i];
        at = put_level(at, !i, change->price, change->price_size, change->size, change->size_size);
    }
    return put(at, "]", 1);
}

static PyObject *
changes_as_text(const Changes *changes)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, changes_size(changes));
    if (!bytes)
        return NULL;
    char *end = changes_write(changes, PyBytes_AS_STRING(bytes));
    return _PyBytes_Resize(&bytes, end - PyBytes_AS_STRING(bytes)) ? NULL : raw_from(bytes);
}

static PyObject *
changes_as_list(const Changes *changes)
{
    PyObject *list = PyList_New(changes->count);
    for (Py_ssize_t i = 0; list && i < changes->count; i++) {
        const Change *change = &changes->items[i];
        PyObject *pair = write_pair(PyUnicode_FromStringAndSize(change->price, change->price_size),
                                    PyUnicode_FromStringAndSize(change->size, change->size_size));
        if (!pair)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static int
read_list(Changes *changes, int sign, PyObject *levels)
{
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(levels); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(levels, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "a level is a tuple of price and size");
            return -1;
        }
        Py_ssize_t price_size, size_size;
        const char *price = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 0), &price_size);
        const char *size = price ? PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 1), &size_size) : NULL;
        if (!size) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
                PyErr_Clear();
                PyErr_SetString(PyExc_ValueError, "not a level: its text is no Unicode");
            }
            return -1;
        }
        if (add_level(changes, sign, price, price_size, size, size_size))
            return -1;
    }
    return 0;
}

/* Applies what was read, cuts to *depth* (-1: nothing), and says what a reader has to apply. */
static PyObject *
finish(Side *side, Changes *changes, PyObject *given, int as_text, Py_ssize_t depth)
{
    if (put_in_order(changes) || apply(side, changes) || cut(side, depth, changes))
        return NULL;
    if (!changes->canonical)
        return as_text ? changes_as_text(changes) : changes_as_list(changes);
    Py_INCREF(given);
    return given;
}

static PyObject *
change_from_list(Side *side, PyObject *given, Py_ssize_t depth)
{
    PyObject *levels = PySequence_Fast(given, "levels are a sequence, or JSON text as msgspec.Raw");
    if (!levels)
        return NULL;
    Changes changes;
    changes_init(&changes);
    PyObject *said = NULL;
    if (!read_list(&changes, side->sign, levels)) {
        if (levels != given)
            changes.canonical = 0;
        said = finish(side, &changes, given, 0, depth);
    }
    changes_free(&changes);
    Py_DECREF(levels);
    return said;
}

static PyObject *
change_from_text(Side *side, PyObject *given, Py_ssize_t depth)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(given, &buffer, PyBUF_SIMPLE))
        return NULL;
    Changes changes;
    changes_init(&changes);
    PyObject *said = NULL;
    int done = read_text(&changes, side->sign, side->names, buffer.buf, buffer.len);
    if (done > 0)
        said = finish(side, &changes, given, 1, depth);
    changes_free(&changes);
    PyBuffer_Release(&buffer);
    if (done)
        return said;
    PyObject *list = PyObject_CallFunctionObjArgs(slow_read, given, side->names ? side->names : Py_None, NULL);
    if (!list)
        return NULL;
    said = change_from_list(side, list, depth);
    Py_DECREF(list);
    return said;
}

static PyObject *
side_change(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = -1;
    if (count < 1 || count > 2) {
        PyErr_SetString(PyExc_TypeError, "change() takes levels and perhaps a depth");
        return NULL;
    }
    if (count == 2 && arguments[1] != Py_None) {
        depth = PyLong_AsSsize_t(arguments[1]);
        if (depth == -1 && PyErr_Occurred())
            return NULL;
    }
    if (Py_IS_TYPE(arguments[0], (PyTypeObject *)raw_type))
        return change_from_text(side, arguments[0], depth);
    return change_from_list(side, arguments[0], depth);
}

/* How many of the best are asked for: *argument* of them, or all. */
static Py_ssize_t
asked(const Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    if (!count || arguments[0] == Py_None)
        return side->count;
    Py_ssize_t depth = PyLong_AsSsize_t(arguments[0]);
    if (depth < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a depth is not negative");
        return -1;
    }
    return Py_MIN(depth, side->count);
}

static PyObject *
pair_of(const Level *level)
{
    const char *text = text_of(level);
    return write_pair(PyUnicode_FromStringAndSize(text, level->price_size),
                      PyUnicode_FromStringAndSize(text + level->price_size, level->size_size));
}

static PyObject *
side_top(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = asked(side, arguments, count);
    PyObject *list = depth < 0 ? NULL : PyList_New(depth);
    for (Py_ssize_t i = 0; list && i < depth; i++) {
        PyObject *pair = pair_of(&side->levels[side->count - 1 - i]);
        if (!pair)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *
side_text(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = asked(side, arguments, count), size = 2;
    if (depth < 0)
        return NULL;
    for (Py_ssize_t i = 0; i < depth; i++) {
        const Level *level = &side->levels[side->count - 1 - i];
        size += level->price_size + level->size_size + 8;
    }
    size -= depth > 0;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    if (!bytes)
        return NULL;
    char *at = put(PyBytes_AS_STRING(bytes), "[", 1);
    for (Py_ssize_t i = 0; i < depth; i++) {
        const Level *level = &side->levels[side->count - 1 - i];
        const char *text = text_of(level);
        at = put_level(at, !i, text, level->price_size, text + level->price_size, level->size_size);
    }
    put(at, "]", 1);
    return raw_from(bytes);
}

static char *
put_digits(char *at, const char *text, Py_ssize_t size)
{
    int begun = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        if (text[i] == '.' || (text[i] == '0' && !begun))
            continue;
        begun = 1;
        *at++ = text[i];
    }
    return at;
}

char *
side_put_digits(const Side *side, Py_ssize_t depth, char *at)
{
    for (Py_ssize_t i = 0; i < Py_MIN(depth, side->count); i++) {
        const Level *level = &side->levels[side->count - 1 - i];
        const char *text = text_of(level);
        at = put_digits(at, text, level->price_size);
        at = put_digits(at, text + level->price_size, level->size_size);
    }
    return at;
}

static PyObject *
side_digits(Side *side, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t depth = asked(side, arguments, count);
    PyObject *bytes = depth < 0 ? NULL : PyBytes_FromStringAndSize(NULL, depth * LEVEL_DIGITS);
    if (!bytes)
        return NULL;
    char *end = side_put_digits(side, depth, PyBytes_AS_STRING(bytes));
    return _PyBytes_Resize(&bytes, end - PyBytes_AS_STRING(bytes)) ? NULL : bytes;
}

static PyObject *
side_truncate(Side *side, PyObject *argument)
{
    Py_ssize_t depth = asked(side, &argument, 1);
    if (depth < 0)
        return NULL;
    Py_ssize_t extra = side->count - depth;
    PyObject *dropped = PyList_New(extra);
    for (Py_ssize_t i = 0; dropped && i < extra; i++) {
        PyObject *pair = pair_of(&side->levels[extra - 1 - i]);
        if (!pair)
            Py_CLEAR(dropped);
        else
            PyList_SET_ITEM(dropped, i, pair);
    }
    if (!dropped)
        return NULL;
    for (Py_ssize_t i = 0; i < extra; i++)
        drop_text(&side->levels[i]);
    if (extra)
        memmove(side->levels, side->levels + extra, sizeof(Level) * (size_t)depth);
    side->count = depth;
    return dropped;
}

static PyObject *
side_best(Side *side, PyObject *Py_UNUSED(ignored))
{
    if (!side->count)
        Py_RETURN_NONE;
    return pair_of(&side->levels[side->count - 1]);
}

static PyObject *
side_best_key(Side *side, PyObject *Py_UNUSED(ignored))
{
    if (!side->count)
        Py_RETURN_NONE;
    return int_from_key(side->sign * side->levels[side->count - 1].key);
}

static Py_ssize_t
side_length(Side *side)
{
    return side->count;
}

static int
side_init(Side *side, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"highest_first", "names", NULL};
    int highest_first;
    PyObject *of_levels = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$pO:Side", names, &highest_first, &of_levels))
        return -1;
    if (of_levels != Py_None
        && !(PyTuple_Check(of_levels) && PyTuple_GET_SIZE(of_levels) == 2
             && PyUnicode_Check(PyTuple_GET_ITEM(of_levels, 0)) && PyUnicode_Check(PyTuple_GET_ITEM(of_levels, 1)))) {
        PyErr_SetString(PyExc_TypeError, "names are a tuple of two strings");
        return -1;
    }
    side->sign = highest_first ? 1 : -1;
    Py_XDECREF(side->names);
    side->names = of_levels == Py_None ? NULL : of_levels;
    Py_XINCREF(side->names);
    return 0;
}

static void
side_free(Side *side)
{
    PyTypeObject *type = Py_TYPE(side);
    for (Py_ssize_t i = 0; i < side->count; i++)
        drop_text(&side->levels[i]);
    PyMem_Free(side->levels);
    Py_XDECREF(side->names);
    type->tp_free((PyObject *)side);
    Py_DECREF(type);
}

static PyMethodDef side_methods[] = {
    {"change", (PyCFunction)(void (*)(void))side_change, METH_FASTCALL, NULL},
    {"top", (PyCFunction)(void (*)(void))side_top, METH_FASTCALL, NULL},
    {"text", (PyCFunction)(void (*)(void))side_text, METH_FASTCALL, NULL},
    {"digits", (PyCFunction)(void (*)(void))side_digits, METH_FASTCALL, NULL},
    {"truncate", (PyCFunction)side_truncate, METH_O, NULL},
    {"best", (PyCFunction)side_best, METH_NOARGS, NULL},
    {"best_key", (PyCFunction)side_best_key, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot side_slots[] = {
    {Py_tp_init, side_init},       {Py_tp_dealloc, side_free},       {Py_tp_methods, side_methods},
    {Py_sq_length, side_length},   {Py_tp_new, PyType_GenericNew},   {0, NULL},
};

static PyType_Spec side_spec = {
    .name = "tickwire._native.Side",
    .basicsize = sizeof(Side),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = side_slots,
};

PyTypeObject *side_type;

/* For the short way, which keeps one for each side and uses it again. */
Changes *
changes_new(void)
{
    Changes *changes = PyMem_Malloc(sizeof(Changes));
    if (!changes)
        return (Changes *)PyErr_NoMemory();
    changes_init(changes);
    return changes;
}

void
changes_clear(Changes *changes)
{
    changes_free(changes);
    changes_init(changes);
}

const char *
changes_read(Changes *changes, Side *side, const char *text, const char *end)
{
    const char *stop;
    changes_clear(changes);
    changes->text = text;
    if (read_levels(changes, side->sign, side->names, text, end, &stop) <= 0 || put_in_order(changes))
        return NULL;
    return changes->text_end = stop;
}

int
changes_apply(Changes *changes, Side *side, Py_ssize_t depth)
{
    return apply(side, changes) || cut(side, depth, changes) ? -1 : 0;
}

int
add_side(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"price_key", native_price_key, METH_O, NULL},
        {"is_zero", native_is_zero, METH_O, NULL},
        {NULL, NULL, 0, NULL},
    };
    powers[0] = 1;
    for (int i = 1; i <= PLACES; i++)
        powers[i] = powers[i - 1] * 10;
    raw_type = attribute("msgspec", "Raw");
    slow_price_key = attribute("tickwire.events.decimals", "price_key");
    slow_is_zero = attribute("tickwire.events.decimals", "is_zero");
    slow_read = attribute("tickwire.events.side", "read_levels");
    if (!raw_type || !slow_price_key || !slow_is_zero || !slow_read || PyModule_AddFunctions(module, functions))
        return -1;
    return (side_type = add_type(module, "Side", &side_spec)) ? 0 : -1;
}
