/* Books followed from Kafka: the compiled form of follow() in kafka/consuming/followed.py.
 *
 * Applies changes that are as our own writer makes them, in any format, and next in their book. Everything else
 * is for the Python form, and nothing has changed then.
 */
#include "formats.h"
#include "side.h"

typedef struct {
    PyObject_HEAD
    PyObject *partition, *offset, *epoch, *last_seq, *book, *depth, *sequence;
    char whole, overtaken;
} FollowedBook;

static PyTypeObject *followed_type;

static PyMemberDef followed_members[] = {
    {"partition", T_OBJECT_EX, offsetof(FollowedBook, partition), 0, NULL},
    {"offset", T_OBJECT_EX, offsetof(FollowedBook, offset), 0, NULL},
    {"epoch", T_OBJECT_EX, offsetof(FollowedBook, epoch), 0, NULL},
    {"last_seq", T_OBJECT_EX, offsetof(FollowedBook, last_seq), 0, NULL},
    {"book", T_OBJECT_EX, offsetof(FollowedBook, book), 0, NULL},
    {"depth", T_OBJECT_EX, offsetof(FollowedBook, depth), 0, NULL},
    {"sequence", T_OBJECT_EX, offsetof(FollowedBook, sequence), 0, NULL},
    {"whole", T_BOOL, offsetof(FollowedBook, whole), 0, NULL},
    {"overtaken", T_BOOL, offsetof(FollowedBook, overtaken), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static void
followed_free(FollowedBook *followed)
{
    PyObject **held[] = {&followed->partition, &followed->offset, &followed->epoch, &followed->last_seq,
                         &followed->book, &followed->depth, &followed->sequence};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        Py_CLEAR(*held[i]);
    plain_free((PyObject *)followed);
}

/* ---- What a record says ------------------------------------------------------------------------------------------- */

enum { KEY, VALUE, HEADERS, TOPIC, PARTITION, OFFSET, UNREADABLE, PARTS };
static PyObject *part_names[PARTS], *reader_name, *decoders_name, *bids_name, *asks_name;

/* Fields of an order book, in the order in which they are written. */
enum { ACTION, EXCHANGE, SYMBOL, EXCHANGE_SYMBOL, DEPTH, BIDS, ASKS, EPOCH, BOOK_SEQ, REASON, SEQUENCE };
static const Fields *fields;
enum { DELTA = 1 }; /* which of the words of an action */

typedef struct {
    Piece values[MOST_FIELDS];
    Changes sides[2]; /* bids, asks */
    const char *end;  /* of the value */
} Message;

static int
is_text(PyObject *bytes, const char *expected)
{
    return PyBytes_CheckExact(bytes) && !strcmp(PyBytes_AS_STRING(bytes), expected)
           && PyBytes_GET_SIZE(bytes) == (Py_ssize_t)strlen(expected);
}

static int
is_content(PyObject *said, int framed)
{
    return framed ? is_text(said, "application/avro") || is_text(said, "application/protobuf")
                  : is_text(said, "application/json");
}

/* Whether the headers fit such a value; *framed*: it begins with the id of its schema. */
static int
headers_fit(PyObject *headers, int framed)
{
    static PyObject *fitting[2]; /* headers that fit: thousands of records of a topic share one object */
    if (headers == fitting[framed])
        return 1;
    if (!PyTuple_CheckExact(headers))
        return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(headers); i++) {
        PyObject *pair = PyTuple_GET_ITEM(headers, i);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyUnicode_CheckExact(PyTuple_GET_ITEM(pair, 0)))
            return 0;
        PyObject *name = PyTuple_GET_ITEM(pair, 0), *said = PyTuple_GET_ITEM(pair, 1);
        if ((!PyUnicode_CompareWithASCIIString(name, "content-type") && !is_content(said, framed))
            || (!PyUnicode_CompareWithASCIIString(name, "schema") && !is_text(said, "orderbook/2")))
            return 0;
    }
    Py_XSETREF(fitting[framed], Py_NewRef(headers));
    return 1;
}

/* How to read values with this beginning, if the record's reader has met one; NULL: use the Python form. */
static ReadValue
find_reader(PyObject *record, PyObject *value)
{
    static PyObject *head; /* of the last one, which most have */
    if (PyBytes_GET_SIZE(value) <= HEAD)
        return NULL;
    if (!head || memcmp(PyBytes_AS_STRING(head), PyBytes_AS_STRING(value), HEAD))
        Py_XSETREF(head, PyBytes_FromStringAndSize(PyBytes_AS_STRING(value), HEAD));
    PyObject *reader = head ? PyObject_GetAttr(record, reader_name) : NULL;
    PyObject *decoders = reader ? PyObject_GetAttr(reader, decoders_name) : NULL;
    PyObject *decoder = decoders && PyDict_Check(decoders) ? PyDict_GetItemWithError(decoders, head) : NULL;
    ReadValue read = decoder ? reader_of(decoder, fields) : NULL;
    Py_XDECREF(decoders);
    Py_XDECREF(reader);
    return read;
}

/* Adds a level of a change, if it is in order. */
static int
add_level(void *taker, int place, const Piece level[2])
{
    Message *message = taker;
    Changes *side = &message->sides[place == ASKS];
    if (message->values[ACTION].value != DELTA)
        return 0;
    Decimal price = {.text = level[0].text, .size = level[0].size}, size = {.text = level[1].text, .size = level[1].size};
    price.known = take_price(price.text, message->end, &price.value) == price.text + price.size;
    size.known = take_size(size.text, message->end, &size.value) == size.text + size.size;
    return !changes_add_level(side, place == ASKS ? -1 : 1, &price, &size) && side->ordered;
}

/* 0: not a change as we write it, or an error is set. */
static int
read_message(PyObject *record, PyObject *const *parts, Message *message)
{
    PyObject *value = parts[VALUE];
    int framed = PyBytes_GET_SIZE(value) && !*PyBytes_AS_STRING(value);
    if (!headers_fit(parts[HEADERS], framed))
        return 0;
    ReadValue read = framed ? find_reader(record, value) : read_json;
    Text data = {PyBytes_AS_STRING(value) + (framed ? HEAD : 0), PyBytes_AS_STRING(value) + PyBytes_GET_SIZE(value)};
    message->end = data.end;
    if (!read || !read(fields, &data, message->values, add_level, message) || message->values[ACTION].value != DELTA
        || message->values[REASON].text)
        return 0;
    for (int i = 0; i < fields->count; i++) /* others may not be UTF-8 */
        if (fields->fields[i].type == NAME && !is_ascii(&message->values[i]))
            return 0;
    return 1;
}

/* ---- The book ----------------------------------------------------------------------------------------------------- */

/* The book of the record's key, borrowed; NULL: there is none, the key is not that of the message, or an error is set. */
static FollowedBook *
find_book(PyObject *books, PyObject *key, const Message *message)
{
    static PyObject *names[TEXTS];
    Piece said = {PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), 0};
    if (!is_key(&said, &message->values[EXCHANGE], &message->values[SYMBOL]))
        return NULL;
    PyObject *name = make_name(names, &said);
    PyObject *book = name ? PyDict_GetItemWithError(books, name) : NULL;
    Py_XDECREF(name);
    return book && PyObject_TypeCheck(book, followed_type) ? (FollowedBook *)book : NULL;
}

static int
is_number(PyObject *number, long long expected)
{
    int overflow;
    return number && PyLong_CheckExact(number) && PyLong_AsLongLongAndOverflow(number, &overflow) == expected && !overflow;
}

static int
is_here(PyObject *place, PyObject *const *parts)
{
    if (!place || !PyTuple_CheckExact(place) || PyTuple_GET_SIZE(place) != 2)
        return 0;
    int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(place, 1), parts[PARTITION], Py_EQ);
    return same > 0 ? PyObject_RichCompareBool(PyTuple_GET_ITEM(place, 0), parts[TOPIC], Py_EQ) : same;
}

static int
set_number(PyObject **place, const Message *message, int field)
{
    const Piece *said = &message->values[field];
    if (!said->text)
        Py_XSETREF(*place, Py_NewRef(Py_None));
    else if (!is_number(*place, said->value)) {
        PyObject *number = PyLong_FromLongLong(said->value);
        if (!number)
            return -1;
        Py_XSETREF(*place, number);
    }
    return 0;
}

/* A side without a layout of its own for levels, a new reference. NULL: it is another one, or an error is set. */
static Side *
side_of(PyObject *book, PyObject *name)
{
    Side *side = (Side *)PyObject_GetAttr(book, name);
    if (side && (!Py_IS_TYPE((PyObject *)side, side_type) || side->names || side->factor_text))
        Py_CLEAR(side);
    return side;
}

static int
carry_out(FollowedBook *followed, Message *message, PyObject *offset)
{
    Side *bids = side_of(followed->book, bids_name), *asks = bids ? side_of(followed->book, asks_name) : NULL;
    int done = asks != NULL;
    if (done
        && (side_apply(bids, &message->sides[0], -1) || side_apply(asks, &message->sides[1], -1)
            || set_number(&followed->last_seq, message, BOOK_SEQ) || set_number(&followed->depth, message, DEPTH)
            || set_number(&followed->sequence, message, SEQUENCE)))
        done = -1;
    if (done > 0) {
        Py_XSETREF(followed->offset, Py_NewRef(offset));
        followed->overtaken = 0;
    }
    Py_XDECREF(bids);
    Py_XDECREF(asks);
    return done;
}

static int
follow_message(PyObject *books, PyObject *record, PyObject *const *parts, Message *message)
{
    if (!read_message(record, parts, message))
        return 0;
    FollowedBook *followed = find_book(books, parts[KEY], message);
    long long seq = message->values[BOOK_SEQ].value;
    if (!followed || !followed->whole || !followed->book || followed->book == Py_None || seq <= 0
        || !is_number(followed->epoch, message->values[EPOCH].value) || !is_number(followed->last_seq, seq - 1)
        || is_here(followed->partition, parts) <= 0)
        return 0;
    return carry_out(followed, message, parts[OFFSET]);
}

/* 1: done, 0: use the Python form, -1: an error is set. */
static int
follow_record(PyObject *books, PyObject *record)
{
    PyObject *parts[PARTS] = {NULL};
    int done = 1;
    for (int i = 0; done > 0 && i < PARTS; i++)
        if (!(parts[i] = PyObject_GetAttr(record, part_names[i])))
            done = -1;
    if (done > 0
        && (parts[UNREADABLE] != Py_None || !PyBytes_CheckExact(parts[KEY]) || !PyBytes_CheckExact(parts[VALUE])))
        done = 0;
    if (done > 0) {
        Message message;
        memset(message.values, 0, sizeof message.values);
        changes_init(&message.sides[0]);
        changes_init(&message.sides[1]);
        done = follow_message(books, record, parts, &message);
        changes_free(&message.sides[0]);
        changes_free(&message.sides[1]);
    }
    for (int i = 0; i < PARTS; i++)
        Py_XDECREF(parts[i]);
    if (!done)
        PyErr_Clear(); /* of what is no level, say: the Python form says so */
    return done;
}

static PyObject *
native_follow(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t at = count == 4 ? PyLong_AsSsize_t(arguments[2]) : -1, end = at < 0 ? -1 : PyLong_AsSsize_t(arguments[3]);
    if (end < 0 || !PyDict_Check(arguments[0])) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "follow() takes books, records, a start and an end");
        return NULL;
    }
    PyObject *records = PySequence_Fast(arguments[1], "records are a sequence");
    int done = records ? 1 : -1;
    while (done > 0 && at < end && at < PySequence_Fast_GET_SIZE(records)) {
        PyObject *record = Py_NewRef(PySequence_Fast_GET_ITEM(records, at));
        done = follow_record(arguments[0], record);
        Py_DECREF(record);
        at += done > 0;
    }
    Py_XDECREF(records);
    return done < 0 ? NULL : PyLong_FromSsize_t(at);
}

int
add_followed(PyObject *module)
{
    static const Name names[] = {
        {&part_names[KEY], "key"},       {&part_names[VALUE], "value"},         {&part_names[HEADERS], "headers"},
        {&part_names[TOPIC], "topic"},   {&part_names[PARTITION], "partition"}, {&part_names[OFFSET], "offset"},
        {&part_names[UNREADABLE], "unreadable"}, {&reader_name, "_reader"}, {&decoders_name, "decoders"},
        {&bids_name, "bids"},            {&asks_name, "asks"},
    };
    static PyMethodDef functions[] = {
        {"follow", (PyCFunction)(void (*)(void))native_follow, METH_FASTCALL, NULL}, {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_members, followed_members}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, followed_free}, {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.FollowedBook", .basicsize = sizeof(FollowedBook),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = slots,
    };
    PyObject *kind = PyUnicode_FromString("orderbook");
    fields = kind ? fields_of(kind) : NULL;
    Py_XDECREF(kind);
    if (!fields || make_names(names, sizeof names / sizeof *names) || PyModule_AddFunctions(module, functions))
        return -1;
    return (followed_type = add_type(module, &spec)) ? 0 : -1;
}
