/* Values of other formats than JSON, made of an event's JSON text without an object in between.
 *
 * Every value is as the Python form in records/formats/ has it; what is not written as we write it is left to that.
 */
#include "formats.h"

#define FIELD(name, type, number, ...) {name, ",\"" name "\":", sizeof name + 3, type, number, {__VA_ARGS__}}

static const Fields KINDS_OF_FIELDS[FORMAT_KINDS] = {
    {"ticker", "Ticker", 0,
     "{\"type\":\"ticker\"",
     {FIELD("exchange", NAME, 1, NULL), FIELD("symbol", NAME, 2, NULL), FIELD("exchange_symbol", NAME, 3, NULL),
      FIELD("bid", TEXT_OR_NULL, 4, NULL), FIELD("bid_size", TEXT_OR_NULL, 5, NULL), FIELD("ask", TEXT_OR_NULL, 6, NULL),
      FIELD("ask_size", TEXT_OR_NULL, 7, NULL), FIELD("last", TEXT_OR_NULL, 8, NULL),
      FIELD("sequence", LONG_OR_NULL, 9, NULL), FIELD("exchange_us", LONG_OR_NULL, 10, NULL),
      FIELD("received_us", LONG, 15, NULL)},
     11},
    {"orderbook", "OrderBook", 1,
     "{\"type\":\"orderbook\"",
     {FIELD("action", WORD, 1, "snapshot", "delta", "invalid"), FIELD("exchange", NAME, 2, NULL),
      FIELD("symbol", NAME, 3, NULL), FIELD("exchange_symbol", NAME, 4, NULL), FIELD("depth", LONG_OR_NULL, 5, NULL),
      FIELD("bids", LEVELS, 6, NULL), FIELD("asks", LEVELS, 7, NULL), FIELD("epoch", LONG, 8, NULL),
      FIELD("book_seq", LONG, 9, NULL), FIELD("reason", TEXT_OR_NULL, 10, NULL),
      FIELD("sequence", LONG_OR_NULL, 11, NULL), FIELD("exchange_us", LONG_OR_NULL, 12, NULL),
      FIELD("received_us", LONG, 15, NULL)},
     13},
    {"trade", "Trade", 2,
     "{\"type\":\"trade\"",
     {FIELD("exchange", NAME, 1, NULL), FIELD("symbol", NAME, 2, NULL), FIELD("exchange_symbol", NAME, 3, NULL),
      FIELD("trade_id", TEXT, 4, NULL), FIELD("price", TEXT, 5, NULL), FIELD("size", TEXT, 6, NULL),
      FIELD("side", WORD, 7, "buy", "sell"), FIELD("exchange_us", LONG_OR_NULL, 8, NULL),
      FIELD("received_us", LONG, 15, NULL)},
     9},
};

/* ---- Reading JSON text -------------------------------------------------------------------------------------------- */

int
take_mark(Text *text, const char *mark, Py_ssize_t size)
{
    if (text->end - text->at < size || memcmp(text->at, mark, (size_t)size))
        return 0;
    text->at += size;
    return 1;
}

static char is_plain[256]; /* of JSON text: ASCII that needs no escape */

/* A zero byte, which is neither plain nor a digit nor anything else that is taken, stands behind the bytes of every object:
 * so nothing below looks whether it is at the end. */

/* Text without escapes and in ASCII. */
int
take_text(Text *text, Piece *piece)
{
    const char *at = text->at;
    if (*at++ != '"')
        return 0;
    piece->text = at;
    while (is_plain[(unsigned char)*at])
        at++;
    if (*at != '"')
        return 0;
    piece->size = at - piece->text;
    text->at = at + 1;
    return 1;
}

int
take_null(Text *text)
{
    return text->at < text->end && *text->at == 'n' && take_mark(text, "null", 4);
}

int
take_long(Text *text, long long *number)
{
    int negative = *text->at == '-';
    const char *first = text->at + negative, *at = first;
    uint64_t value = 0; /* of more than 18 digits it is wrong, and not used */
    for (unsigned char digit; (digit = (unsigned char)(*at - '0')) <= 9; at++)
        value = value * 10 + digit;
    if (at == first || at - first > 18 || (*first == '0' && at - first > 1))
        return 0;
    *number = negative ? -(long long)value : (long long)value;
    text->at = at;
    return 1;
}

static inline void
skip_space(Text *text)
{
    while (*text->at <= ' ' && is_space(*text->at))
        text->at++;
}

static inline int
take_char(Text *text, char wanted) /* levels may have been written by the exchange, with spaces between */
{
    skip_space(text);
    if (*text->at != wanted)
        return 0;
    text->at++;
    skip_space(text);
    return 1;
}

int
take_levels_begin(Text *text)
{
    return take_char(text, '[');
}

int
take_level(Text *text, int first, Piece level[2])
{
    if (take_char(text, ']'))
        return -1;
    return (first || take_char(text, ',')) && take_char(text, '[') && take_text(text, &level[0]) && take_char(text, ',')
           && take_text(text, &level[1]) && take_char(text, ']');
}

int
word_number(const Field *field, const Piece *piece)
{
    for (int i = 0; i < WORDS && field->words[i]; i++)
        if ((Py_ssize_t)strlen(field->words[i]) == piece->size
            && !memcmp(field->words[i], piece->text, (size_t)piece->size))
            return i;
    return -1;
}

int
is_key(const Piece *key, const Piece *exchange, const Piece *symbol)
{
    return key->size == exchange->size + 1 + symbol->size && !memcmp(key->text, exchange->text, (size_t)exchange->size)
           && key->text[exchange->size] == '|'
           && !memcmp(key->text + exchange->size + 1, symbol->text, (size_t)symbol->size);
}

static int
read_value(const Field *field, Text *text, Piece *value)
{
    if ((field->type == TEXT_OR_NULL || field->type == LONG_OR_NULL) && take_null(text))
        return 1;
    value->text = text->at;
    if (field->type == LONG || field->type == LONG_OR_NULL)
        return take_long(text, &value->value);
    return take_text(text, value) && (field->type != WORD || (value->value = word_number(field, value)) >= 0);
}

int
read_json(const Fields *fields, Text *text, Piece *values, TakeLevel take, void *taker)
{
    if (!take_mark(text, fields->mark, (Py_ssize_t)strlen(fields->mark)))
        return 0;
    for (int i = 0; i < fields->count; i++) {
        const Field *field = &fields->fields[i];
        if (!take_mark(text, field->mark, field->mark_size))
            return 0;
        if (field->type != LEVELS) {
            if (!read_value(field, text, &values[i]))
                return 0;
            continue;
        }
        Piece level[2];
        int found = take_levels_begin(text);
        for (int first = 1; found && (found = take_level(text, first, level)) > 0; first = 0)
            if (!take(taker, i, level))
                return 0;
        if (!found)
            return 0;
    }
    return text->end - text->at == 1 && *text->at == '}';
}

/* ---- Encoders ----------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    const Fields *fields;
    PutField put;
    PyObject *python; /* the Python form */
    char *room;       /* for one value */
    Py_ssize_t size;
    char head[6];
    int head_size;
} Encoder;

enum { ROOM = 1024 };
static PyObject *encoder_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names);

const Fields *
fields_of(PyObject *kind)
{
    for (int i = 0; i < FORMAT_KINDS; i++)
        if (PyUnicode_Check(kind) && !PyUnicode_CompareWithASCIIString(kind, KINDS_OF_FIELDS[i].name))
            return &KINDS_OF_FIELDS[i];
    PyErr_Format(PyExc_KeyError, "%S", kind);
    return NULL;
}

PyObject *
python_form_of(PyTypeObject *type, PyObject *arguments)
{
    PyObject *form = python_form(strrchr(type->tp_name, '.') + 1);
    PyObject *made = form ? PyObject_CallObject(form, arguments) : NULL;
    Py_XDECREF(form);
    return made;
}

PyObject *
encoder_new(PyTypeObject *type, PyObject *arguments, PutField put, int indexed)
{
    PyObject *kind;
    unsigned int id;
    if (!PyArg_ParseTuple(arguments, "OI", &kind, &id))
        return NULL;
    const Fields *fields = fields_of(kind);
    Encoder *encoder = fields ? (Encoder *)type->tp_alloc(type, 0) : NULL;
    if (!encoder)
        return NULL;
    encoder->call = encoder_call;
    encoder->fields = fields;
    encoder->put = put;
    for (int i = 1; i < HEAD; i++)
        encoder->head[i] = (char)(id >> 8 * (HEAD - 1 - i));
    encoder->head_size = HEAD + indexed;
    encoder->size = ROOM;
    encoder->python = python_form_of(type, arguments);
    if (!(encoder->room = PyMem_Malloc(ROOM)))
        PyErr_NoMemory();
    if (!encoder->python || !encoder->room)
        Py_CLEAR(encoder);
    return (PyObject *)encoder;
}

static int
make_room(Encoder *encoder, Py_ssize_t size)
{
    if (size <= encoder->size)
        return 1;
    char *room = PyMem_Realloc(encoder->room, size);
    if (!room)
        return 0;
    encoder->room = room;
    encoder->size = size;
    return 1;
}

static PyObject *
encode(Encoder *encoder, const char *json, Py_ssize_t size) /* NULL without an error: for the Python form */
{
    /* No value takes more than the digits and texts of its JSON text, and twice as much as that stands between. */
    if (!make_room(encoder, encoder->head_size + 2 * size + 64))
        return PyErr_NoMemory();
    Text text = {json, json + size};
    char *to = put(encoder->room, encoder->head, encoder->head_size);
    if (!take_mark(&text, encoder->fields->mark, (Py_ssize_t)strlen(encoder->fields->mark)))
        return NULL;
    for (int i = 0; i < encoder->fields->count; i++) {
        const Field *field = &encoder->fields->fields[i];
        if (!take_mark(&text, field->mark, field->mark_size) || !(to = encoder->put(field, &text, to)))
            return NULL;
    }
    if (text.end - text.at != 1 || *text.at != '}')
        return NULL;
    return PyBytes_FromStringAndSize(encoder->room, to - encoder->room);
}

static PyObject *
encoder_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    Encoder *encoder = (Encoder *)self;
    PyObject *text = PyVectorcall_NARGS(count) == 1 && !names ? arguments[0] : NULL;
    if (!text || !PyBytes_Check(text))
        return PyErr_Format(PyExc_TypeError, "an encoder takes bytes");
    PyObject *value = encode(encoder, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text));
    return value || PyErr_Occurred() ? value : PyObject_CallOneArg(encoder->python, text);
}

static void
encoder_free(Encoder *encoder)
{
    Py_XDECREF(encoder->python);
    PyMem_Free(encoder->room);
    plain_free((PyObject *)encoder);
}

PyTypeObject *
add_encoder(PyObject *module, const char *name, newfunc new)
{
    static PyMemberDef members[] = {
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(Encoder, call), READONLY, NULL}, {NULL, 0, 0, 0, NULL},
    };
    PyType_Slot slots[] = {
        {Py_tp_new, new}, {Py_tp_call, PyVectorcall_Call}, {Py_tp_dealloc, encoder_free}, {Py_tp_members, members},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = name, .basicsize = sizeof(Encoder), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
        .slots = slots,
    };
    return add_type(module, &spec);
}

int
add_formats(PyObject *module)
{
    for (int c = ' '; c <= '~'; c++)
        is_plain[c] = c != '"' && c != '\\';
    for (int kind = 0; kind < FORMAT_KINDS; kind++)
        if (add_event_kind(&KINDS_OF_FIELDS[kind]))
            return -1;
    return add_avro(module) || add_protobuf(module) ? -1 : 0;
}
