/* Reads levels as exchanges write them from JSON text, without creating Python objects.
 *
 * Text that is not plain ("1e5", escapes, other shapes) is left to the Python form: rare, so it may be slow.
 */
#include "side.h"

typedef struct {
    const char *at, *end;
    const Layout *layout;
    int canonical; /* the text so far is ["price","size"] without spaces */
} Reader;

typedef struct {
    Decimal price, size;
    Meaning meaning; /* of its word */
} Read;

/* Checks a level and adds it. -1 with an error set: it is not valid. */
int
changes_add_level(Changes *changes, int sign, const Decimal *price, const Decimal *size)
{
    Key key = price->value;
    if (!price->known && read_price(price->text, price->size, &key))
        return -1;
    int zero = size->known ? !size->value : read_zero(size->text, size->size);
    if (zero < 0)
        return -1;
    if (key <= 0 && !zero) {
        PyErr_SetString(PyExc_ValueError, "not a level: its price is not above zero");
        return -1;
    }
    Change *change = changes_add(changes);
    if (!change)
        return -1;
    if (zero)
        changes->spare += size->size - 1;
    *change = (Change){.key = sign * key, .price = price->text, .size = size->text, .zero = zero,
                       .price_size = (uint8_t)price->size, .size_size = (uint8_t)size->size};
    if (changes->count > 1 && change[-1].key <= change->key)
        changes->ordered = 0;
    return 0;
}

static void
skip_space(Reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && is_space(*at))
        at++;
    if (at != reader->at) {
        reader->canonical = 0;
        reader->at = at;
    }
}

static int
take(Reader *reader, char expected)
{
    if (reader->at < reader->end && *reader->at == expected) {
        reader->at++;
        return 1;
    }
    skip_space(reader);
    if (reader->at >= reader->end || *reader->at != expected)
        return 0;
    reader->at++;
    return 1;
}

/* Tells whether digits, points and signs are a number of JSON, which a string need not be. "-0" is left to Python, where
 * it is the integer 0. */
static int
is_json_number(const char *at, const char *end)
{
    if (end - at == 2 && !memcmp(at, "-0", 2))
        return 0;
    at += at < end && *at == '-';
    if (at >= end || (unsigned char)(*at - '0') > 9 || (*at == '0' && at + 1 < end && at[1] != '.'))
        return 0;
    const char *point = memchr(at, '.', (size_t)(end - at));
    return !point || (point + 1 < end && !memchr(point + 1, '.', (size_t)(end - point - 1)));
}

static const char of_number[256] = {
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1,
    ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['.'] = 1, ['-'] = 1,
};

/* Reads a string or a number that is plain decimal text. 0: anything else. */
static int
take_number(Reader *reader, int is_price, Decimal *number)
{
    skip_space(reader);
    const char *end = reader->end;
    int quoted = reader->at < end && *reader->at == '"';
    const char *start = reader->at + quoted, *at = (is_price ? take_price : take_size)(start, end, &number->value);
    number->known = at && at < end && (quoted ? *at == '"' : !of_number[(unsigned char)*at]);
    if (!number->known)
        for (at = start; at < end && of_number[(unsigned char)*at];)
            at++;
    number->text = start;
    number->size = at - start;
    if (at == start || at >= end || (quoted && *at != '"'))
        return 0;
    if (!quoted) {
        reader->canonical = 0;
        if (number->known ? *start == '0' && at - start > 1 && start[1] != '.' : !is_json_number(start, at))
            return 0;
    }
    reader->at = at + quoted;
    return 1;
}

/* Reads a string without escapes. */
static int
take_string(Reader *reader, Piece *text)
{
    if (!take(reader, '"'))
        return 0;
    const char *at = reader->at;
    while (at < reader->end && *at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\')
        at++;
    *text = (Piece){reader->at, at - reader->at, 0};
    reader->at = at;
    return take(reader, '"');
}

/* Skips a number or a string that is not needed. */
static int
skip_value(Reader *reader)
{
    Piece text;
    Decimal number;
    skip_space(reader);
    return reader->at < reader->end && *reader->at == '"' ? take_string(reader, &text) : take_number(reader, 0, &number);
}

static int
is_text(const Piece *piece, const Word *word)
{
    return piece->size == word->size && !memcmp(piece->text, word->text, (size_t)word->size);
}

static int
take_word(Reader *reader, Meaning *meaning)
{
    Piece text;
    if (!take_string(reader, &text))
        return 0;
    for (int i = 0; i < reader->layout->word_count; i++)
        if (is_text(&text, &reader->layout->words[i])) {
            *meaning = reader->layout->words[i].meaning;
            return 1;
        }
    return 0;
}

/* {"price":…,"size":…}, in any order; other members are skipped. */
static int
take_object(Reader *reader, Read *level)
{
    unsigned found = 0;
    if (!take(reader, '{'))
        return 0;
    do {
        Piece name;
        if (!take_string(reader, &name) || !take(reader, ':'))
            return 0;
        unsigned which = is_text(&name, &reader->layout->names[0]) ? 1 : is_text(&name, &reader->layout->names[1]) ? 2 : 0;
        if (found & which)
            return 0; /* a repeated member */
        found |= which;
        if (!(which ? take_number(reader, which == 1, which == 1 ? &level->price : &level->size) : skip_value(reader)))
            return 0;
    } while (take(reader, ','));
    return found == 3 && take(reader, '}');
}

/* ["word","price","size"]: a word that says the side stands with two strings and no more, in front of a removed level are
 * two numbers and no more. */
static int
take_worded(Reader *reader, Read *level)
{
    const char *at = reader->at;
    int done = at + 1 < reader->end && at[0] == '[' && at[1] == '"' && take(reader, '[') && take_word(reader, &level->meaning)
               && reader->at < reader->end && *reader->at == ',' && take(reader, ',')
               && take_number(reader, 1, &level->price) && take(reader, ',') && take_number(reader, 0, &level->size);
    if (!done || level->meaning == OF_SIDE)
        return done;
    if (level->meaning != REMOVED && (level->price.text[-1] != '"' || level->size.text[-1] != '"'))
        return 0;
    skip_space(reader);
    return reader->at < reader->end && *reader->at == ']';
}

/* ["price","size"], and perhaps more elements, which are skipped. */
static int
take_array(Reader *reader, Read *level)
{
    if (reader->layout->word_count) {
        if (!take_worded(reader, level))
            return 0;
    } else if (!take(reader, '[') || !take_number(reader, 1, &level->price) || !take(reader, ',')
               || !take_number(reader, 0, &level->size))
        return 0;
    for (; !take(reader, ']'); reader->canonical = 0)
        if (!take(reader, ',') || !skip_value(reader))
            return 0;
    return 1;
}

static int
take_level(Reader *reader, Changes *const sides[2], int which)
{
    Read level = {.meaning = OF_SIDE};
    if (!(reader->layout->names[0].size ? take_object : take_array)(reader, &level))
        return 0;
    if (level.meaning == OF_BIDS || level.meaning == OF_ASKS)
        which = level.meaning == OF_ASKS;
    else if (level.meaning == REMOVED)
        level.size = (Decimal){"0", 1, 1, 0};
    return changes_add_level(sides[which], which ? -1 : 1, &level.price, &level.size) ? -1 : 1;
}

int
levels_read(const Layout *layout, Changes *const sides[2], int which, const char *text, const char *end, const char **stop)
{
    Reader reader = {text, end, layout, !(layout->names[0].size || layout->word_count)};
    int done;
    if (!take(&reader, '['))
        return 0;
    skip_space(&reader);
    if (!take(&reader, ']')) {
        do
            if ((done = take_level(&reader, sides, which)) <= 0)
                return done;
        while (take(&reader, ','));
        if (!take(&reader, ']'))
            return 0;
    }
    if (!reader.canonical)
        for (int i = 0; i < 2; i++)
            if (sides[i])
                sides[i]->canonical = 0;
    *stop = reader.at;
    return 1;
}

int
levels_read_text(const Layout *layout, Changes *const sides[2], int which, const char *text, Py_ssize_t size)
{
    const char *stop, *end = text + size;
    sides[which]->text = text;
    sides[which]->text_end = end;
    int done = levels_read(layout, sides, which, text, end, &stop);
    if (done <= 0)
        return done;
    while (stop < end && is_space(*stop)) {
        sides[which]->canonical = 0;
        stop++;
    }
    return stop == end;
}
