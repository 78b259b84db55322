/* Reads frames of a known shape without creating Python objects; events/shape.py describes shapes. */
#include "native.h"

enum { LONGEST_NAME = 40 }; /* of an added member */
static const long long GREATEST_NUMBER = 1LL << 53; /* that every JSON reader keeps exact */
enum { MILLIS = ROLES, MICROS, NANOS }; /* of times */

struct Shape {
    char text[SHAPE_SIZE];
    uint8_t run[SHAPE_SIZE];     /* number of literal characters from here on */
    uint8_t role[SHAPE_SIZE], length[SHAPE_SIZE]; /* of an integer here; length of the part, with its letter */
    uint8_t in_text[SHAPE_SIZE]; /* inside a JSON string, where spaces are significant */
    char known[KINDS * SHAPE_SIZE]; /* names of all members that the adapter may read, each in quotes */
    char words[SHAPE_SIZE];         /* the two words of a side, one after the other */
    const char *sides[2];           /* sizes of the words for buy and sell */
    Py_ssize_t side_sizes[2];
};

/* Copies the names of members with their quotes, each followed by a separator; returns the end. */
static char *
put_names(char *to, const char *shape)
{
    for (const char *end; (shape = strchr(shape, '"')) && (end = strchr(shape + 1, '"')); shape = end + 1)
        if (end[1] == ':')
            to = put(to, shape, end + 2 - shape);
    return to;
}

/* Copies the shape, but only the "<" of the two words of a side. */
static void
put_shape(Shape *shape, const char *text)
{
    const char *words = strchr(text, '<');
    if (!words) {
        strcpy(shape->text, text);
        return;
    }
    const char *middle = shape_skip_letters(words + 1), *end = shape_skip_letters(middle + 1);
    strcpy(put(shape->text, text, words + 1 - text), end + 1);
    put(shape->words, words + 1, end - words);
    shape->sides[0] = shape->words;
    shape->side_sizes[0] = middle - words - 1;
    shape->sides[1] = shape->words + (middle - words);
    shape->side_sizes[1] = end - middle - 1;
}

Shape *
shape_new(const char *const shapes[KINDS], Kind kind)
{
    for (int i = 0; i < KINDS; i++)
        if (strlen(shapes[i]) >= SHAPE_SIZE) {
            PyErr_Format(PyExc_ValueError, "a shape has at most %d characters", SHAPE_SIZE - 1);
            return NULL;
        }
    Shape *shape = PyMem_Calloc(1, sizeof(Shape));
    if (!shape)
        return (Shape *)PyErr_NoMemory();
    char *names = shape->known;
    for (int i = 0; i < KINDS; i++)
        names = put_names(names, shapes[i]);
    put_shape(shape, shapes[kind]);
    const char *text = shape->text;
    size_t size = strlen(text);
    for (size_t i = 0, in_text = 0; i < size; i++) {
        shape->in_text[i] = (uint8_t)in_text;
        in_text ^= text[i] == '"';
        char letter = shape_role_of(text + i);
        shape->role[i] = (uint8_t)(letter && text[i] == '#' ? strchr(SHAPE_ROLES, letter) - SHAPE_ROLES : LAST);
        shape->length[i] = (uint8_t)(1 + (letter != 0));
    }
    for (size_t i = size; i-- > 0;)
        shape->run[i] = strchr("~$#%*^=+()<", text[i]) ? 0 : (uint8_t)(shape->run[i + 1] + 1);
    return shape;
}

/* Reads digits, optionally a point and more digits: text that price_key and is_zero handle without the Python form. */
static const char *
take_decimal(const char *at, const char *end, Piece *piece)
{
    int zero = 1;
    const char *start = at;
    while (at < end && (unsigned char)(*at - '0') <= 9)
        zero &= *at++ == '0';
    if (at == start || at - start > WHOLE_DIGITS)
        return NULL;
    if (at < end && *at == '.') {
        const char *point = at++;
        while (at < end && (unsigned char)(*at - '0') <= 9)
            zero &= *at++ == '0';
        if (at - point < 2 || at - point > PLACES + 1)
            return NULL;
    }
    *piece = (Piece){start, at - start, zero};
    return at;
}

static const char *
take_integer(const char *at, const char *end, Piece *piece, long long greatest)
{
    const char *start = at;
    long long value = 0;
    while (at < end && (unsigned char)(*at - '0') <= 9 && at - start < 18)
        value = value * 10 + (*at++ - '0');
    if (at < end && (unsigned char)(*at - '0') <= 9 && greatest == INT64_MAX) {
        if (value > (INT64_MAX - 9) / 10)
            return NULL;
        value = value * 10 + (*at++ - '0');
    }
    if (at == start || (at - start > 1 && *start == '0') || value > greatest)
        return NULL;
    *piece = (Piece){start, at - start, value};
    return at;
}

/* Reads an integer of some role; times are converted to microseconds. */
static const char *
take_role(Found *found, int role, const char *at)
{
    Piece time;
    if (role < ROLES)
        return take_integer(at, found->end, &found->integers[role], GREATEST_NUMBER);
    if (!(at = take_integer(at, found->end, &time, role == NANOS ? INT64_MAX : GREATEST_NUMBER)))
        return NULL;
    found->us = role == MILLIS ? time.value * 1000 : role == NANOS ? time.value / 1000 : time.value;
    return at;
}

/* Reads characters that need no escape in JSON, up to *stop*. */
static const char *
take_text(const char *at, const char *end, char stop, Piece *text)
{
    const char *start = at;
    while (at < end && *at > ' ' && *at < 0x7f && *at != '"' && *at != '\\' && *at != stop)
        at++;
    *text = (Piece){start, at - start, 0};
    return at;
}

/* Reads a JSON number that is plain decimal text; a leading zero is not allowed. */
static const char *
take_json_decimal(const char *at, const char *end, Piece *piece)
{
    const char *start = at;
    at = take_decimal(at, end, piece);
    return at && start[0] == '0' && start + 1 < at && start[1] != '.' ? NULL : at;
}

/* Reads one of the two words of a side. */
static const char *
take_side(const Shape *shape, const char *at, const char *end, int *sells)
{
    for (int i = 0; i < 2; i++)
        if (end - at >= shape->side_sizes[i] && !memcmp(at, shape->sides[i], (size_t)shape->side_sizes[i])) {
            *sells = i;
            return at + shape->side_sizes[i];
        }
    return NULL;
}

static const char *
skip_digits(const char *at, const char *end)
{
    while (at < end && (unsigned char)(*at - '0') <= 9)
        at++;
    return at;
}

/* Reads any JSON number without an exponent. */
static const char *
take_ignored(const char *at, const char *end)
{
    const char *start = at + (at < end && *at == '-'), *whole = skip_digits(start, end);
    if (whole == start || (*start == '0' && whole > start + 1))
        return NULL;
    if (whole == end || *whole != '.')
        return whole;
    at = skip_digits(whole + 1, end);
    return at > whole + 1 ? at : NULL;
}

static const char *
skip_spaces(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

static const char *
take_string(const char *at, const char *end, Piece *text)
{
    if (at >= end || *at != '"')
        return NULL;
    at = take_text(at + 1, end, '@', text);
    return at < end && *at == '"' ? at + 1 : NULL;
}

static const char *
take_word(const char *at, const char *end) /* of JSON */
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(end - at) >= size && !memcmp(at, words[i], size))
            return at + size;
    }
    return NULL;
}

/* Skips a number, a string or a word of a member that no shape has; NULL: anything else. */
static const char *
skip_member(const Shape *shape, const char *at, const char *end)
{
    Piece name, ignored;
    char quoted[LONGEST_NAME + 3] = "";
    at = skip_spaces(at, end);
    if (at >= end || *at != ',' || !(at = take_string(skip_spaces(at + 1, end), end, &name)) || name.size > LONGEST_NAME
        || strstr(shape->known, memcpy(quoted, name.text - 1, (size_t)name.size + 2)))
        return NULL;
    at = skip_spaces(at, end);
    if (at >= end || *at != ':')
        return NULL;
    at = skip_spaces(at + 1, end);
    if (at < end && *at == '"')
        return take_string(at, end, &ignored);
    return at < end && *at >= 'a' ? take_word(at, end) : take_ignored(at, end);
}

static const char *
skip_members(const Shape *shape, const char *at, const char *end)
{
    for (const char *next; (next = skip_member(shape, at, end));)
        at = next;
    return at;
}

/* Reads one part; NULL: the frame has something else. */
static const char *
take(Found *found, const Shape *shape, Py_ssize_t place, const char *at)
{
    const char *end = found->end;
    Piece ignored;
    if (!shape->in_text[place])
        at = skip_spaces(at, end);
    switch (shape->text[place]) {
    case '~': return take_text(at, end, '@', &ignored);
    case '$': return take_text(at, end, shape->text[place + 1] == '@' ? '@' : '"', &found->names[found->name_count++]);
    case '#': return take_role(found, shape->role[place], at);
    case '%':
        return (shape->in_text[place] ? take_decimal : take_json_decimal)(
            at, end, &found->decimals[found->decimal_count++]);
    case '*': return take_ignored(at, end);
    case '^': return take_time(at, end, &found->us);
    case '<': return take_side(shape, at, end, &found->sells);
    case '+': return skip_members(shape, at, end);
    case '(':
    case ')': return at;
    default: return at < end && *at == shape->text[place] ? at + 1 : NULL;
    }
}

/* Whether an optional part begins here; one with spaces in it does not count. */
static int
begins(const Shape *shape, Py_ssize_t place, const char *at, const char *end)
{
    int run = shape->run[place];
    return end - at >= run && !memcmp(at, shape->text + place, (size_t)Py_MAX(run, 1));
}

/* Matches the rest of the frame up to levels or its end. 0: the frame has another shape. */
static int
match(Found *found)
{
    const Shape *shape = found->shape;
    const char *at = found->at;
    Py_ssize_t place = found->place;
    while (shape->text[place] && shape->text[place] != '=' && at) {
        int run = shape->run[place];
        if (run && found->end - at >= run && !memcmp(at, shape->text + place, (size_t)run)) {
            at += run;
            place += run;
            continue;
        }
        at = take(found, shape, place, at);
        if (shape->text[place] == '(' && !begins(shape, place + 1, at, found->end))
            while (shape->text[place] != ')')
                place++;
        place += shape->length[place];
    }
    found->at = at;
    found->place = place;
    return at != NULL;
}

int
shape_begin(const Shape *shape, const char *frame, Found *found)
{
    if (!*shape->text)
        return 0;
    found->shape = shape;
    found->at = frame;
    found->place = 0;
    found->name_count = found->decimal_count = 0;
    for (int i = 0; i < ROLES; i++)
        found->integers[i].text = NULL;
    found->us = -1;
    return match(found);
}

char
shape_at_levels(const Found *found)
{
    return found->shape->text[found->place] == '=' ? found->shape->text[found->place + 1] : 0;
}

int
shape_go_on(Found *found)
{
    found->place += 2;
    return match(found);
}
