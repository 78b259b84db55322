/* Messages of Protobuf as JSON text: the compiled form of ProtobufText in events/protobuf.py, to which all that is not
 * usual is left. */
#include "formats.h"

enum { VARINT = 0, SIXTY_FOUR = 1, SIZED = 2, THIRTY_TWO = 5 }; /* types on the wire */
enum { OF_TEXT, OF_NUMBER, OF_MESSAGE };
enum { MOST = 48, MOST_OF_ONE = 12 }; /* fields */

typedef struct {
    int number, of, many;
    const char *name;
    Py_ssize_t name_size;
    int first, count; /* of a message's own fields among all */
} Part;

typedef struct {
    PyObject_HEAD
    PyObject *fields;
    Part parts[MOST];
    int used, count; /* parts; those of the message itself, which come first */
    char *text;
    Py_ssize_t size, room;
} ProtobufText;

static int
add_parts(ProtobufText *self, PyObject *fields, int *first, int *count)
{
    Py_ssize_t size = PyTuple_Check(fields) ? PyTuple_GET_SIZE(fields) : 0;
    if (size < 1 || size > MOST_OF_ONE || self->used + size > MOST) {
        PyErr_Format(PyExc_ValueError, "a message has one to %d fields", MOST_OF_ONE);
        return -1;
    }
    *first = self->used;
    *count = (int)size;
    self->used += (int)size;
    for (int i = 0; i < size; i++) {
        Part *part = &self->parts[*first + i];
        PyObject *field = PyTuple_GET_ITEM(fields, i), *name, *of;
        if (!PyTuple_Check(field) || !PyArg_ParseTuple(field, "iUOp", &part->number, &name, &of, &part->many)
            || !(part->name = PyUnicode_AsUTF8AndSize(name, &part->name_size)))
            return -1;
        part->of = PyLong_Check(of) ? (int)PyLong_AsLong(of) : OF_MESSAGE;
        if (part->of == OF_MESSAGE && add_parts(self, of, &part->first, &part->count))
            return -1;
    }
    return 0;
}

/* ---- 0 says from here on: it is for the Python form, or an error is set -------------------------------------------- */

static int
say(ProtobufText *self, const char *text, Py_ssize_t size)
{
    if (self->size + size > self->room) {
        Py_ssize_t room = 2 * (self->size + size) + 256;
        char *more = PyMem_Realloc(self->text, (size_t)room);
        if (!more) {
            PyErr_NoMemory();
            return 0;
        }
        self->text = more;
        self->room = room;
    }
    put(self->text + self->size, text, size);
    self->size += size;
    return 1;
}

/* Takes the next field, as a text or a number; one of another type is empty. */
static int
take_field(Text *data, uint64_t *tag, Piece *piece)
{
    uint64_t number;
    if (!take_varint(data, tag) || !(*tag >> 3) || *tag >> 32)
        return 0;
    int wire = *tag & 7;
    if (wire == VARINT) {
        int done = take_varint(data, &number);
        *piece = (Piece){"", 0, (long long)number};
        return done;
    }
    if (wire == SIZED) {
        if (!take_varint(data, &number))
            return 0;
    } else if (wire == SIXTY_FOUR || wire == THIRTY_TWO)
        number = wire == SIXTY_FOUR ? 8 : 4;
    else
        return 0;
    return take_bytes(data, number, piece);
}

static int
say_text(ProtobufText *self, const Piece *piece)
{
    for (Py_ssize_t i = 0; i < piece->size; i++)
        if (piece->text[i] < ' ' || piece->text[i] > '~' || piece->text[i] == '"' || piece->text[i] == '\\')
            return 0;
    return say(self, "\"", 1) && say(self, piece->text, piece->size) && say(self, "\"", 1);
}

static int
say_number(ProtobufText *self, long long number)
{
    char digits[24];
    return say(self, digits, put_number(digits, number) - digits);
}

static int say_message(ProtobufText *self, const Part *parts, int count, Text data);

static int
say_value(ProtobufText *self, const Part *part, const Piece *piece)
{
    if (part->of == OF_NUMBER)
        return say_number(self, piece->value);
    if (part->of == OF_TEXT)
        return say_text(self, piece);
    return say_message(self, &self->parts[part->first], part->count, (Text){piece->text, piece->text + piece->size});
}

/* All fields of this number, of which there is one at least where *seen*. */
static int
say_many(ProtobufText *self, const Part *part, Text data, int seen)
{
    uint64_t tag;
    Piece piece;
    if (!say(self, "[", 1))
        return 0;
    for (int said = 0; said < seen;) {
        if (!take_field(&data, &tag, &piece))
            return 0;
        if ((int)(tag >> 3) == part->number && ((said++ && !say(self, ",", 1)) || !say_value(self, part, &piece)))
            return 0;
    }
    return say(self, "]", 1);
}

static int
say_message(ProtobufText *self, const Part *parts, int count, Text data)
{
    Piece found[MOST_OF_ONE];
    int seen[MOST_OF_ONE] = {0}, named = parts->name_size > 0, said = 0;
    for (Text at = data; at.at < at.end;) {
        uint64_t tag;
        Piece piece;
        int i = 0;
        if (!take_field(&at, &tag, &piece))
            return 0;
        while (i < count && (uint64_t)parts[i].number != tag >> 3)
            i++;
        if (i == count)
            continue;
        if ((int)(tag & 7) != (parts[i].of == OF_NUMBER ? VARINT : SIZED) || (seen[i]++ && !parts[i].many))
            return 0;
        found[i] = piece;
    }
    if (!say(self, named ? "{" : "[", 1))
        return 0;
    for (int i = 0; i < count; i++) {
        const Part *part = &parts[i];
        if (!seen[i]) {
            if (part->of == OF_MESSAGE && !part->many)
                continue;
            found[i] = (Piece){"", 0, 0};
        }
        if ((said++ && !say(self, ",", 1))
            || (named && !(say(self, "\"", 1) && say(self, part->name, part->name_size) && say(self, "\":", 2))))
            return 0;
        if (!(part->many ? say_many(self, part, data, seen[i]) : say_value(self, part, &found[i])))
            return 0;
    }
    return say(self, named ? "}" : "]", 1);
}

/* ---- The type ------------------------------------------------------------------------------------------------------ */

static PyObject *
text_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *fields;
    int first;
    if (!PyArg_ParseTuple(arguments, "O!", &PyTuple_Type, &fields))
        return NULL;
    ProtobufText *self = (ProtobufText *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->fields = Py_NewRef(fields);
    if (add_parts(self, fields, &first, &self->count))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *
text_call(ProtobufText *self, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *data;
    if (!PyArg_ParseTuple(arguments, "S", &data))
        return NULL;
    const char *at = PyBytes_AS_STRING(data);
    self->size = 0;
    if (say_message(self, self->parts, self->count, (Text){at, at + PyBytes_GET_SIZE(data)}))
        return PyBytes_FromStringAndSize(self->text, self->size);
    if (PyErr_Occurred())
        return NULL;
    PyObject *form = call_python_form("ProtobufText", self->fields), *text = form ? PyObject_CallOneArg(form, data) : NULL;
    Py_XDECREF(form);
    return text;
}

static void
text_free(ProtobufText *self)
{
    PyMem_Free(self->text);
    Py_XDECREF(self->fields);
    plain_free((PyObject *)self);
}

int
add_protobuf_text(PyObject *module)
{
    static PyType_Slot slots[] = {
        {Py_tp_new, text_new}, {Py_tp_dealloc, text_free}, {Py_tp_call, text_call}, {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.ProtobufText", .basicsize = sizeof(ProtobufText), .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
    };
    return add_type(module, &spec) ? 0 : -1;
}
