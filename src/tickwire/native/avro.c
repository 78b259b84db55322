/* Avro: the compiled form of AvroEncoder and AvroReader in records/formats/avro.py. */
#include "formats.h"

enum { COUNT_BYTES = 5 }; /* of levels, at most */

static char *
put_long(char *to, long long number)
{
    return put_varint(to, (uint64_t)number << 1 ^ (number < 0 ? ~0ULL : 0));
}

static char *
put_piece(char *to, const Piece *piece)
{
    return put_short(put_long(to, piece->size), piece->text, piece->size);
}

static char *
put_levels(Text *text, char *to)
{
    char *begin = to + COUNT_BYTES, *end = begin;
    Piece level[2];
    int found = 0, count = 0;
    if (!take_levels_begin(text))
        return NULL;
    for (; (found = take_level(text, !count, level)) > 0; count++)
        end = put_piece(put_piece(end, &level[0]), &level[1]);
    if (!found)
        return NULL;
    if (count) {
        to = put_long(to, count);
        memmove(to, begin, (size_t)(end - begin));
        to += end - begin;
    }
    *to++ = 0;
    return to;
}

static char *
put_field(const Field *field, Text *text, char *to)
{
    Piece piece;
    long long number;
    if (field->type == LEVELS)
        return put_levels(text, to);
    if (field->type == TEXT_OR_NULL || field->type == LONG_OR_NULL) {
        int is_null = take_null(text);
        *to++ = is_null ? 0 : 2; /* the branch of the union */
        if (is_null)
            return to;
    }
    if (field->type == LONG || field->type == LONG_OR_NULL)
        return take_long(text, &number) ? put_long(to, number) : NULL;
    if (!take_text(text, &piece) || (field->type == WORD && word_number(field, &piece) < 0))
        return NULL;
    return put_piece(to, &piece);
}

static PyObject *
avro_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    return encoder_new(type, arguments, put_field, 0);
}

/* ---- Reading what our own schema describes; 0: it is for the Python form ------------------------------------------- */

static int
take_zigzag(Text *data, long long *number)
{
    uint64_t found;
    if (!take_varint(data, &found))
        return 0;
    *number = (long long)(found >> 1) ^ -(long long)(found & 1);
    return 1;
}

static int
take_piece(Text *data, Piece *piece)
{
    long long size;
    return take_zigzag(data, &size) && size >= 0 && take_bytes(data, (uint64_t)size, piece);
}

static int
take_levels(Text *data, int place, TakeLevel take, void *taker)
{
    Piece level[2];
    long long count;
    if (!take_zigzag(data, &count) || count < 0)
        return 0;
    for (long long left = count; left; left--)
        if (!take_piece(data, &level[0]) || !take_piece(data, &level[1]) || !take(taker, place, level))
            return 0;
    return !count || (take_zigzag(data, &count) && !count); /* one block is all that we write */
}

static int
read_value(const Field *field, Text *data, Piece *value)
{
    if (field->type == TEXT_OR_NULL || field->type == LONG_OR_NULL) {
        long long branch;
        if (!take_zigzag(data, &branch) || branch < 0 || branch > 1)
            return 0;
        if (!branch)
            return 1;
    }
    value->text = data->at;
    if (field->type == LONG || field->type == LONG_OR_NULL)
        return take_zigzag(data, &value->value);
    return take_piece(data, value) && (field->type != WORD || (value->value = word_number(field, value)) >= 0);
}

static int
read_avro(const Fields *fields, Text *data, Piece *values, TakeLevel take, void *taker)
{
    for (int i = 0; i < fields->count; i++)
        if (!(fields->fields[i].type == LEVELS ? take_levels(data, i, take, taker)
                                               : read_value(&fields->fields[i], data, &values[i])))
            return 0;
    return data->at == data->end;
}

static PyObject *
avro_reader_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    return reader_new(type, arguments, read_avro);
}

int
add_avro(PyObject *module)
{
    return add_encoder(module, "tickwire._native.AvroEncoder", avro_new)
                   && add_reader(module, "tickwire._native.AvroReader", avro_reader_new)
               ? 0
               : -1;
}
