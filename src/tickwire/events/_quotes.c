/* Best bid and offer from a frame of a known shape, straight to the value of its record.
 *
 * Only a short way, and it is compiled or it is not there: whatever is not exactly of the shape, of a symbol that was
 * added, and plain decimal text is answered with None, and the adapter reads the frame as always. The tests hold the
 * two against each other.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { QUOTED = 4, WHOLE_DIGITS = 14, PLACES = 24, MAX_DIGITS = 80, MAX_SYMBOL = 40 };

static const uint64_t GREATEST_NUMBER = 1ULL << 53; /* that every JSON reader keeps exact */
static PyObject *quote_type; /* tickwire.events.types.TickerText */

typedef struct {
    const char *text;
    Py_ssize_t size;
    int zero;
} Number;

typedef struct {
    PyObject_HEAD
    PyObject *shape;    /* bytes; see reader_init */
    PyObject *exchange; /* str */
    PyObject *symbols;  /* the exchange's name -> (canonical name, the exchange's name, what stands before the bid) */
} Reader;

/* Takes digits, perhaps a point and more digits, as price_key and is_zero take them without asking Python. */
static const char *
take_decimal(const char *at, const char *end, Number *number)
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
    *number = (Number){start, at - start, zero};
    return at;
}

static const char *
take_integer(const char *at, const char *end, Number *number)
{
    const char *start = at;
    uint64_t value = 0;
    while (at < end && (unsigned char)(*at - '0') <= 9 && at - start < 17)
        value = value * 10 + (uint64_t)(*at++ - '0');
    if (at == start || (at - start > 1 && *start == '0') || value > GREATEST_NUMBER)
        return NULL;
    *number = (Number){start, at - start, value == 0};
    return at;
}

/* Takes what needs no escape in JSON. */
static const char *
take_text(const char *at, const char *end, Number *text)
{
    const char *start = at;
    while (at < end && *at > ' ' && *at < 0x7f && *at != '"' && *at != '\\')
        at++;
    *text = (Number){start, at - start, 0};
    return at;
}

/* 1: the frame has the shape. */
static int
match(Reader *reader, const char *at, const char *end, Number *symbol, Number *sequence, Number quoted[QUOTED])
{
    const char *shape = PyBytes_AS_STRING(reader->shape);
    Number ignored;
    int count = 0;
    for (; *shape && at; shape++)
        switch (*shape) {
        case '~': at = take_text(at, end, &ignored); break;
        case '$': at = take_text(at, end, symbol); break;
        case '#': at = take_integer(at, end, sequence); break;
        case '%': at = take_decimal(at, end, &quoted[count++]); break;
        default: at = at < end && *at == *shape ? at + 1 : NULL;
        }
    return at == end;
}

static char *
put(char *to, const char *text, Py_ssize_t size)
{
    memcpy(to, text, (size_t)size);
    return to + size;
}

#define PUT(to, literal) put(to, literal, sizeof literal - 1)

/* A side without size is empty, and so is its price. */
static char *
put_pair(char *to, const char *name, Py_ssize_t name_size, const Number pair[2])
{
    if (pair[1].zero) {
        to = PUT(to, "null");
        to = put(to, name, name_size);
        return PUT(to, "null");
    }
    *to++ = '"';
    to = put(to, pair[0].text, pair[0].size);
    *to++ = '"';
    to = put(to, name, name_size);
    *to++ = '"';
    to = put(to, pair[1].text, pair[1].size);
    *to++ = '"';
    return to;
}

static PyObject *
make_value(PyObject *prefix, const Number *sequence, const Number quoted[QUOTED], long long received_us)
{
    static const char BID_SIZE[] = ",\"bid_size\":", ASK[] = ",\"ask\":", ASK_SIZE[] = ",\"ask_size\":";
    static const char SEQUENCE[] = ",\"last\":null,\"sequence\":", TIME[] = ",\"exchange_us\":null,\"received_us\":";
    char received[24];
    int received_size = PyOS_snprintf(received, sizeof received, "%lld}", received_us);
    Py_ssize_t most = PyBytes_GET_SIZE(prefix) + sizeof BID_SIZE + sizeof ASK + sizeof ASK_SIZE + sizeof SEQUENCE
                      + sizeof TIME + sequence->size + received_size;
    for (int i = 0; i < QUOTED; i++)
        most += quoted[i].size + 4;
    PyObject *value = PyBytes_FromStringAndSize(NULL, most);
    if (!value)
        return NULL;
    char *to = put(PyBytes_AS_STRING(value), PyBytes_AS_STRING(prefix), PyBytes_GET_SIZE(prefix));
    to = put_pair(to, BID_SIZE, sizeof BID_SIZE - 1, quoted);
    to = PUT(to, ASK);
    to = put_pair(to, ASK_SIZE, sizeof ASK_SIZE - 1, quoted + 2);
    to = PUT(to, SEQUENCE);
    to = put(to, sequence->text, sequence->size);
    to = PUT(to, TIME);
    to = put(to, received, received_size);
    _PyBytes_Resize(&value, to - PyBytes_AS_STRING(value));
    return value;
}

static PyObject *
reader_read(Reader *reader, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "a frame and the time are read");
        return NULL;
    }
    long long received_us = PyLong_AsLongLong(arguments[1]);
    if (received_us == -1 && PyErr_Occurred())
        return NULL;
    const char *frame = PyBytes_AS_STRING(arguments[0]);
    Number symbol = {0}, sequence = {0}, quoted[QUOTED];
    if (!match(reader, frame, frame + PyBytes_GET_SIZE(arguments[0]), &symbol, &sequence, quoted)
        || symbol.size > MAX_SYMBOL)
        Py_RETURN_NONE;
    PyObject *name = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, symbol.text, symbol.size);
    PyObject *known = name ? PyDict_GetItemWithError(reader->symbols, name) : NULL;
    Py_XDECREF(name);
    if (!known) {
        if (PyErr_Occurred())
            return NULL;
        Py_RETURN_NONE;
    }
    Py_INCREF(known);
    PyObject *value = make_value(PyTuple_GET_ITEM(known, 2), &sequence, quoted, received_us), *quote = NULL;
    if (value) {
        PyObject *fields[] = {NULL, reader->exchange, PyTuple_GET_ITEM(known, 0), PyTuple_GET_ITEM(known, 1),
                              arguments[1], value};
        quote = PyObject_Vectorcall(quote_type, fields + 1, 5 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(value);
    Py_DECREF(known);
    return quote;
}

static PyObject *
reader_add(Reader *reader, PyObject *arguments)
{
    PyObject *native, *known;
    PyObject *canonical, *same, *prefix;
    if (!PyArg_ParseTuple(arguments, "UO!", &native, &PyTuple_Type, &known)
        || !PyArg_ParseTuple(known, "UUS", &canonical, &same, &prefix)
        || PyDict_SetItem(reader->symbols, native, known))
        return NULL;
    Py_RETURN_NONE;
}

/* QuoteReader(exchange, shape): in the shape stand "~" for any text, "$" for the symbol, "#" for the sequence, and four
 * times "%" for bid, its size, ask, its size; everything else stands for itself. */
static int
reader_init(Reader *reader, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *exchange, *shape;
    if (!PyArg_ParseTuple(arguments, "US", &exchange, &shape))
        return -1;
    int counts[128] = {0};
    for (const char *at = PyBytes_AS_STRING(shape); *at; at++)
        counts[*at & 127]++;
    if (counts['%'] != QUOTED || counts['$'] != 1 || counts['#'] != 1) {
        PyErr_SetString(PyExc_ValueError, "a shape has a symbol, a sequence and four numbers");
        return -1;
    }
    PyObject *symbols = PyDict_New();
    if (!symbols)
        return -1;
    Py_INCREF(exchange);
    Py_INCREF(shape);
    Py_XSETREF(reader->exchange, exchange);
    Py_XSETREF(reader->shape, shape);
    Py_XSETREF(reader->symbols, symbols);
    return 0;
}

static void
reader_free(Reader *reader)
{
    PyTypeObject *type = Py_TYPE(reader);
    Py_XDECREF(reader->exchange);
    Py_XDECREF(reader->shape);
    Py_XDECREF(reader->symbols);
    type->tp_free((PyObject *)reader);
    Py_DECREF(type);
}

static PyMethodDef reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL, NULL},
    {"add", (PyCFunction)reader_add, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_init, reader_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, reader_free},
    {Py_tp_methods, reader_methods},
    {0, NULL},
};

/* Holds only text, bytes and a dict of them, which is no part of a cycle: not for the collector. */
static PyType_Spec reader_spec = {
    .name = "tickwire.events._quotes.QuoteReader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = reader_slots,
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "tickwire.events._quotes", .m_size = -1,
};

PyMODINIT_FUNC
PyInit__quotes(void)
{
    PyObject *types = PyImport_ImportModule("tickwire.events.types");
    quote_type = types ? PyObject_GetAttrString(types, "TickerText") : NULL;
    Py_XDECREF(types);
    PyObject *module = quote_type ? PyModule_Create(&definition) : NULL;
    PyObject *type = module ? PyType_FromSpec(&reader_spec) : NULL;
    if (!type || PyModule_AddObject(module, "QuoteReader", type)) {
        Py_XDECREF(type);
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
