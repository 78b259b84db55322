/* Protobuf: the compiled form of ProtobufEncoder and ProtobufReader in records/formats/protobuf.py. */
#include "formats.h"

enum { VARINT = 0, SIZED = 2 }; /* types on the wire */
enum { ALWAYS = 15 };           /* the number of received_us, which is always there */

static char *
put_tag(char *to, int number, int wire)
{
    *to++ = (char)(number << 3 | wire);
    return to;
}

static char *
put_piece(char *to, int number, const Piece *piece)
{
    return put_short(put_varint(put_tag(to, number, SIZED), (uint64_t)piece->size), piece->text, piece->size);
}

static int
size_of(const Piece *piece) /* with its tag; 0: left out, -1: use the Python form */
{
    return !piece->size ? 0 : piece->size > 0x7F ? -1 : (int)piece->size + 2;
}

static char *
put_levels(const Field *field, Text *text, char *to)
{
    Piece level[2];
    int found = 0;
    if (!take_levels_begin(text))
        return NULL;
    for (int first = 1; (found = take_level(text, first, level)) > 0; first = 0) {
        int price = size_of(&level[0]), size = size_of(&level[1]);
        if (price < 0 || size < 0)
            return NULL;
        to = put_varint(put_tag(to, field->number, SIZED), (uint64_t)(price + size));
        for (int i = 0; i < 2; i++)
            if (level[i].size)
                to = put_piece(to, i + 1, &level[i]);
    }
    return found ? to : NULL;
}

static char *
put_field(const Field *field, Text *text, char *to)
{
    Piece piece;
    long long number;
    int optional = field->type == TEXT_OR_NULL || field->type == LONG_OR_NULL;
    if (field->type == LEVELS)
        return put_levels(field, text, to);
    if (optional && take_null(text))
        return to;
    if (field->type == LONG || field->type == LONG_OR_NULL) {
        if (!take_long(text, &number))
            return NULL;
        if (!number && !optional && field->number != ALWAYS)
            return to;
        return put_varint(put_tag(to, field->number, VARINT), (uint64_t)number);
    }
    if (!take_text(text, &piece))
        return NULL;
    if (field->type == WORD) {
        int word = word_number(field, &piece);
        return word < 0 ? NULL : put_varint(put_tag(to, field->number, VARINT), (uint64_t)word + 1);
    }
    return piece.size || optional ? put_piece(to, field->number, &piece) : to;
}

static PyObject *
protobuf_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    return encoder_new(type, arguments, put_field, 1);
}

/* ---- Reading; 0: it is for the Python form ------------------------------------------------------------------------- */

static int
take_piece(Text *data, Piece *piece)
{
    uint64_t size;
    return take_varint(data, &size) && take_bytes(data, size, piece);
}

static int
read_level(const Piece *message, Piece level[2])
{
    Text data = {message->text, message->text + message->size};
    level[0] = level[1] = (Piece){"", 0, 0};
    while (data.at < data.end) {
        int number = *data.at++ >> 3;
        if ((data.at[-1] & 7) != SIZED || number < 1 || number > 2 || !take_piece(&data, &level[number - 1]))
            return 0;
    }
    return 1;
}

/* If a field repeats, the last one counts. */
static int
read_value(const Field *field, int wire, Text *data, Piece *value)
{
    uint64_t number;
    int is_number = field->type == LONG || field->type == LONG_OR_NULL || field->type == WORD;
    if (wire != (is_number ? VARINT : SIZED))
        return 0;
    if (!is_number)
        return take_piece(data, value);
    if (!take_varint(data, &number) || (field->type == WORD && (--number >= WORDS || !field->words[number])))
        return 0;
    *value = (Piece){data->at, 0, (long long)number};
    return 1;
}

/* Missing fields are null, empty or zero; words and received_us must be present. */
static int
add_absent(const Field *field, Piece *value)
{
    if (value->text || field->type == TEXT_OR_NULL || field->type == LONG_OR_NULL)
        return 1;
    value->text = "";
    return field->type != WORD && field->number != ALWAYS;
}

static int
read_protobuf(const Fields *fields, Text *data, Piece *values, TakeLevel take, void *taker)
{
    if (*data->at++) /* message index: the first one of its file */
        return 0;
    for (int i = 0; data->at < data->end;) {
        unsigned char tag = (unsigned char)*data->at++;
        /* Fields are mostly in order. */
        int from = i;
        while (fields->fields[i].number != tag >> 3)
            if ((i = i + 1 == fields->count ? 0 : i + 1) == from)
                return 0;
        Piece level[2];
        if (tag > 0x7F || !read_value(&fields->fields[i], tag & 7, data, &values[i]))
            return 0;
        if (fields->fields[i].type == LEVELS && !(read_level(&values[i], level) && take(taker, i, level)))
            return 0;
    }
    for (int i = 0; i < fields->count; i++)
        if (!add_absent(&fields->fields[i], &values[i]))
            return 0;
    return 1;
}

static PyObject *
protobuf_reader_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    return reader_new(type, arguments, read_protobuf);
}

int
add_protobuf(PyObject *module)
{
    return add_encoder(module, "tickwire._native.ProtobufEncoder", protobuf_new)
                   && add_reader(module, "tickwire._native.ProtobufReader", protobuf_reader_new)
               ? 0
               : -1;
}
