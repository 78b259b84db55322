/* Reads events from values in formats other than JSON: the compiled form of AvroReader and ProtobufReader in
 * records/formats/.
 *
 * What is not as our own writer has it, or cannot be read, is left to the Python form, which says why.
 */
#include "formats.h"

enum { LONGEST = 32 };

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    const Fields *fields;
    ReadValue read;
    PyObject *python;       /* the Python form */
    PyObject *texts[TEXTS]; /* cache of names, ASCII only and not longer than LONGEST */
} Reader;

static PyObject *names_of[FORMAT_KINDS], *words_of[FORMAT_KINDS][WORDS], *types_of[FORMAT_KINDS];

int
is_ascii(const Piece *piece)
{
    const char *text = piece->text;
    Py_ssize_t size = piece->size;
    uint64_t part, all = 0;
    for (; size >= 8; text += 8, size -= 8) {
        memcpy(&part, text, 8);
        all |= part;
    }
    while (size)
        all |= (unsigned char)text[--size];
    return !(all & 0x8080808080808080ULL);
}

static PyObject *
make_text(const Piece *piece)
{
    if (!is_ascii(piece))
        return PyUnicode_DecodeUTF8(piece->text, piece->size, NULL);
    PyObject *text = PyUnicode_New(piece->size, 127);
    if (text)
        memcpy(PyUnicode_1BYTE_DATA(text), piece->text, (size_t)piece->size);
    return text;
}

/* Names of exchanges and symbols repeat often. */
PyObject *
make_name(PyObject **texts, const Piece *piece)
{
    if (piece->size < 4 || piece->size > LONGEST)
        return make_text(piece);
    uint64_t first = 0, last = 0;
    if (piece->size < 8) {
        memcpy(&first, piece->text, 4);
        memcpy(&last, piece->text + piece->size - 4, 4);
    } else { /* symbols may have the same four characters at both ends */
        memcpy(&first, piece->text, 8);
        memcpy(&last, piece->text + piece->size - 8, 8);
    }
    uint64_t mixed = (first ^ last * 31 ^ (uint64_t)piece->size) * 0x9E3779B97F4A7C15;
    PyObject **place = &texts[mixed >> (64 - TEXT_BITS)];
    if (*place && PyUnicode_GET_LENGTH(*place) == piece->size
        && !memcmp(PyUnicode_1BYTE_DATA(*place), piece->text, (size_t)piece->size))
        return Py_NewRef(*place);
    PyObject *text = make_text(piece);
    if (text && PyUnicode_IS_ASCII(text))
        Py_XSETREF(*place, Py_NewRef(text));
    return text;
}

static int
add_level(void *lists, int place, const Piece level[2])
{
    PyObject *price = make_text(&level[0]), *size = price ? make_text(&level[1]) : NULL;
    PyObject *pair = size ? PyTuple_New(2) : NULL;
    if (!pair) {
        Py_XDECREF(price);
        Py_XDECREF(size);
        return 0;
    }
    PyTuple_SET_ITEM(pair, 0, price);
    PyTuple_SET_ITEM(pair, 1, size);
    int failed = PyList_Append(((PyObject **)lists)[place], pair);
    Py_DECREF(pair);
    return !failed;
}

static PyObject *
make_value(const Reader *reader, const Field *field, const Piece *value)
{
    if (!value->text)
        return Py_NewRef(Py_None);
    switch (field->type) {
    case NAME: return make_name((PyObject **)reader->texts, value);
    case WORD: return Py_NewRef(words_of[reader->fields->kind][value->value]);
    case LONG:
    case LONG_OR_NULL: return PyLong_FromLongLong(value->value);
    default: return make_text(value);
    }
}

static PyObject *
make_event(const Fields *fields, PyObject *const *values)
{
    PyObject **type = &types_of[fields->kind];
    if (!*type && !(*type = attribute("tickwire.events.types", fields->type)))
        return NULL;
    return PyObject_Vectorcall(*type, values, 0, names_of[fields->kind]);
}

static PyObject *
read_event(Reader *reader, PyObject *value)
{
    const Fields *fields = reader->fields;
    PyObject *made[MOST_FIELDS] = {NULL}, *event = NULL;
    Piece found[MOST_FIELDS] = {{NULL, 0, 0}};
    Text data = {PyBytes_AS_STRING(value) + HEAD, PyBytes_AS_STRING(value) + PyBytes_GET_SIZE(value)};
    int done = data.at < data.end;
    for (int i = 0; done && i < fields->count; i++)
        if (fields->fields[i].type == LEVELS)
            done = (made[i] = PyList_New(0)) != NULL;
    done = done && reader->read(fields, &data, found, add_level, made);
    for (int i = 0; done && i < fields->count; i++)
        if (!made[i])
            done = (made[i] = make_value(reader, &fields->fields[i], &found[i])) != NULL;
    if (done)
        event = make_event(fields, made);
    for (int i = 0; i < fields->count; i++)
        Py_XDECREF(made[i]);
    return event;
}

static PyObject *
reader_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    Reader *reader = (Reader *)self;
    PyObject *value = PyVectorcall_NARGS(count) == 1 && !names ? arguments[0] : NULL;
    if (!value || !PyBytes_Check(value))
        return PyErr_Format(PyExc_TypeError, "a reader takes bytes");
    PyObject *event = read_event(reader, value);
    if (event)
        return event;
    PyErr_Clear(); /* text that is not UTF-8: the Python form says so */
    return PyObject_CallOneArg(reader->python, value);
}

PyObject *
reader_new(PyTypeObject *type, PyObject *arguments, ReadValue read)
{
    PyObject *kind;
    if (!PyArg_ParseTuple(arguments, "O", &kind))
        return NULL;
    const Fields *fields = fields_of(kind);
    Reader *reader = fields ? (Reader *)type->tp_alloc(type, 0) : NULL;
    if (!reader)
        return NULL;
    reader->call = reader_call;
    reader->fields = fields;
    reader->read = read;
    if (!(reader->python = python_form_of(type, arguments)))
        Py_CLEAR(reader);
    return (PyObject *)reader;
}

static void
reader_free(Reader *reader)
{
    for (int i = 0; i < TEXTS; i++)
        Py_XDECREF(reader->texts[i]);
    Py_XDECREF(reader->python);
    plain_free((PyObject *)reader);
}

ReadValue
reader_of(PyObject *reader, const Fields *fields)
{
    int is_one = Py_TYPE(reader)->tp_dealloc == (destructor)reader_free;
    return is_one && ((Reader *)reader)->fields == fields ? ((Reader *)reader)->read : NULL;
}

PyTypeObject *
add_reader(PyObject *module, const char *name, newfunc new)
{
    static PyMemberDef members[] = {
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(Reader, call), READONLY, NULL}, {NULL, 0, 0, 0, NULL},
    };
    PyType_Slot slots[] = {
        {Py_tp_new, new}, {Py_tp_call, PyVectorcall_Call}, {Py_tp_dealloc, reader_free}, {Py_tp_members, members},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = name, .basicsize = sizeof(Reader), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
        .slots = slots,
    };
    return add_type(module, &spec);
}

int
add_event_kind(const Fields *fields)
{
    PyObject *names = names_of[fields->kind] = PyTuple_New(fields->count);
    if (!names)
        return -1;
    for (int i = 0; i < fields->count; i++) {
        const Field *field = &fields->fields[i];
        PyObject *name = PyUnicode_InternFromString(field->name);
        if (!name)
            return -1;
        PyTuple_SET_ITEM(names, i, name);
        for (int j = 0; field->type == WORD && j < WORDS && field->words[j]; j++)
            if (!(words_of[fields->kind][j] = PyUnicode_InternFromString(field->words[j])))
                return -1;
    }
    return 0;
}
