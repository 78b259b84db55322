/* Interfaces of the compiled forms of records/formats/avro.py and protobuf.py. */
#ifndef TICKWIRE_FORMATS_H
#define TICKWIRE_FORMATS_H

#include "native.h"

/* NAME: text that often repeats; WORD: one of a few known words */
typedef enum { NAME, TEXT, TEXT_OR_NULL, WORD, LONG, LONG_OR_NULL, LEVELS } FieldType;

enum { FORMAT_KINDS = 3, WORDS = 3, MOST_FIELDS = 13 };

typedef struct {
    const char *name, *mark; /* the text before its value in JSON */
    Py_ssize_t mark_size;
    FieldType type;
    int number; /* field number in Protobuf */
    const char *words[WORDS];
} Field;

typedef struct {
    const char *name, *type; /* of the kind, and the type of its events */
    int kind;                /* number of the kind */
    const char *mark;        /* beginning of its JSON text */
    Field fields[MOST_FIELDS];
    int count;
} Fields;

typedef struct {
    const char *at, *end;
} Text;

/* Functions that read an event's JSON text. 0: it is not as we write it; use the Python form. */
int take_mark(Text *text, const char *mark, Py_ssize_t size);
int take_text(Text *text, Piece *piece);
int take_null(Text *text); /* 0: not null, and nothing was read */
int take_long(Text *text, long long *number);
int take_levels_begin(Text *text);
int take_level(Text *text, int first, Piece level[2]); /* -1: no level is left */

int word_number(const Field *field, const Piece *piece); /* -1: not a word of this field */
int is_key(const Piece *key, const Piece *exchange, const Piece *symbol); /* whether it is exchange|symbol */

/* Reads an event's value in any format into *values*, one for each field, in order; the caller sets them to zeros first.
 * A null has no text; *value* is a number, or the index of a field's word. Levels are passed to *take* one by one, which
 * may refuse one (0). 0: it is not as we write it; use the Python form. Only *take* may set an error. */
typedef int (*TakeLevel)(void *taker, int place, const Piece level[2]);
typedef int (*ReadValue)(const Fields *fields, Text *data, Piece *values, TakeLevel take, void *taker);
int read_json(const Fields *fields, Text *text, Piece *values, TakeLevel take, void *taker);

/* The same as put(), but faster for short text, for which a call of memcpy takes longer. */
static inline char *
put_short(char *to, const char *text, Py_ssize_t size)
{
    if (size < 8 || size > 16) {
        if (size > 16)
            return put(to, text, size);
        for (Py_ssize_t i = 0; i < size; i++)
            to[i] = text[i];
    } else { /* two halves, which may overlap */
        memcpy(to, text, 8);
        memcpy(to + size - 8, text + size - 8, 8);
    }
    return to + size;
}

static inline char *
put_varint(char *to, uint64_t number)
{
    for (; number > 0x7F; number >>= 7)
        *to++ = (char)(number | 0x80);
    *to++ = (char)number;
    return to;
}

static inline int
take_varint(Text *data, uint64_t *number) /* 0: incomplete, or more than 63 bits: use the Python form */
{
    *number = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        if (data->at == data->end)
            return 0;
        unsigned char byte = (unsigned char)*data->at++;
        *number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

static inline int
take_bytes(Text *data, uint64_t size, Piece *piece) /* 0: there are not so many */
{
    if (size > (uint64_t)(data->end - data->at))
        return 0;
    piece->text = data->at;
    piece->size = (Py_ssize_t)size;
    data->at += size;
    return 1;
}

/* Writes the value of a field whose JSON text is next; NULL: use the Python form. */
typedef char *(*PutField)(const Field *field, Text *text, char *to);
PyObject *encoder_new(PyTypeObject *type, PyObject *arguments, PutField put, int indexed);
/* Adds a type with the name of its Python form. */
PyTypeObject *add_encoder(PyObject *module, const char *name, newfunc new);

const Fields *fields_of(PyObject *kind); /* NULL with an error set */
/* Makes an object of the Python form with the type's name. */
PyObject *python_form_of(PyTypeObject *type, PyObject *arguments);

/* readers.c */
enum { HEAD = 5 }; /* bytes before a value that is not JSON: zero, and the schema's id */
enum { TEXT_BITS = 10, TEXTS = 1 << TEXT_BITS };
int is_ascii(const Piece *piece);
/* The text of a name; *texts* caches TEXTS of them, so that equal names are one object. */
PyObject *make_name(PyObject **texts, const Piece *piece);
/* *read* gets the bytes after the head, at least one. */
PyObject *reader_new(PyTypeObject *type, PyObject *arguments, ReadValue read);
/* The function with which an object reads such events; NULL if it does not. */
ReadValue reader_of(PyObject *reader, const Fields *fields);
PyTypeObject *add_reader(PyObject *module, const char *name, newfunc new);
int add_event_kind(const Fields *fields);

int add_avro(PyObject *module);
int add_protobuf(PyObject *module);

#endif
