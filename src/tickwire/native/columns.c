/* Converts JSON texts of events to the buffers of Arrow columns: the compiled form of read_columns in export/columns.py.
 *
 * It runs without the interpreter's lock, so that the next records can be read from Kafka meanwhile.
 */
#include "formats.h"
#include "side.h"

typedef struct {
    char *begin, *end, *limit;
} Buffer;

typedef struct {
    Buffer valid, ends, values; /* a bit for each value; 0, then the end of each text; the values */
    Py_ssize_t count, nulls;
} Column;

enum { ROWS = MOST_FIELDS + 4 };
typedef struct {
    const Fields *fields;
    Column columns[ROWS]; /* with a value per message; then with one per level, or a null for none */
    Column *message, *side, *price, *size; /* the columns of levels */
    char is_number[MOST_FIELDS];
    int of_books, exact; /* exact: numbers as decimals with 24 places */
    long long taken;     /* number of messages read */
    int place;           /* side of the last level, and its price below */
    Key last;
} Columns;

typedef struct {
    Piece key, value;
} Message;

static int
reserve(Buffer *buffer, Py_ssize_t more)
{
    if (buffer->limit - buffer->end >= more)
        return 1;
    Py_ssize_t size = buffer->end - buffer->begin, room = 2 * (buffer->limit - buffer->begin) + more;
    char *begin = PyMem_RawRealloc(buffer->begin, (size_t)room);
    if (!begin)
        return 0;
    *buffer = (Buffer){begin, begin + size, begin + room};
    return 1;
}

/* Reserves room for all that a message of this size may add to any column: a level takes at least nine characters. */
static int
make_room(Columns *columns, Py_ssize_t size)
{
    Py_ssize_t most = size / 9 + 2;
    for (Column *column = columns->columns; column < columns->columns + ROWS; column++)
        if (column->values.end - column->values.begin > INT32_MAX - size || !reserve(&column->valid, most)
            || !reserve(&column->ends, (most + 1) * (Py_ssize_t)sizeof(int32_t))
            || !reserve(&column->values, Py_MAX(size, most * (Py_ssize_t)sizeof(Key))))
            return 0;
    return 1;
}

static inline void
count(Column *column, int there)
{
    if (!(column->count & 7))
        *column->valid.end++ = 0;
    column->valid.end[-1] |= (char)(there << (column->count++ & 7));
    column->nulls += !there;
}

static inline void
add_fixed(Column *column, const void *value, size_t size) /* NULL: null */
{
    count(column, value != NULL);
    if (value)
        memcpy(column->values.end, value, size);
    else
        memset(column->values.end, 0, size);
    column->values.end += size;
}

static inline void
add_text(Column *column, const Piece *text) /* NULL: null */
{
    int32_t end = 0;
    if (!column->count) {
        memcpy(column->ends.end, &end, sizeof end);
        column->ends.end += sizeof end;
    }
    count(column, text != NULL);
    if (text)
        column->values.end = put(column->values.end, text->text, text->size);
    end = (int32_t)(column->values.end - column->values.begin);
    memcpy(column->ends.end, &end, sizeof end);
    column->ends.end += sizeof end;
}

static int
add_number(const Columns *columns, Column *column, const Piece *text, Key *key)
{
    if (!read_plain(text->text, text->size, key) || *key < 0)
        return 0;
    if (columns->exact)
        add_fixed(column, key, sizeof *key);
    else
        add_text(column, text);
    return 1;
}

static void
add_no_number(const Columns *columns, Column *column)
{
    if (columns->exact)
        add_fixed(column, NULL, sizeof(Key));
    else
        add_text(column, NULL);
}

/* Levels must be best first, as in a message. */
static int
add_level(void *taker, int place, const Piece level[2])
{
    Columns *columns = taker;
    int of_bids = *columns->fields->fields[place].name == 'b', sign = of_bids ? -1 : 1;
    Piece side = {of_bids ? "bid" : "ask", 3, 0};
    Key key, size;
    if (!add_number(columns, columns->price, &level[0], &key) || !add_number(columns, columns->size, &level[1], &size)
        || (place == columns->place && sign * key <= sign * columns->last))
        return 0;
    columns->place = place;
    columns->last = key;
    add_fixed(columns->message, &columns->taken, sizeof columns->taken);
    add_text(columns->side, &side);
    return 1;
}

static int
add_value(Columns *columns, int place, const Piece *value)
{
    const Field *field = &columns->fields->fields[place];
    Column *column = &columns->columns[place];
    Key key;
    if (field->type == LONG || field->type == LONG_OR_NULL) {
        add_fixed(column, value->text ? &value->value : NULL, sizeof value->value);
        return field->type == LONG_OR_NULL || value->value >= 0;
    }
    if (columns->is_number[place] && value->text)
        return add_number(columns, column, value, &key) && (key || strcmp(field->name, "size")); /* that of a trade */
    if (columns->is_number[place])
        add_no_number(columns, column);
    else
        add_text(column, value->text ? value : NULL);
    return 1;
}

static int
take_message(Columns *columns, const Message *message)
{
    const Fields *fields = columns->fields;
    Text text = {message->value.text, message->value.text + message->value.size};
    Piece values[MOST_FIELDS] = {{NULL, 0, 0}};
    const Piece *names[3];
    int name_count = 0;
    Py_ssize_t levels = columns->side->count;
    columns->place = -1;
    if (!make_room(columns, message->value.size) || !read_json(fields, &text, values, add_level, columns))
        return 0;
    for (int i = 0; i < fields->count; i++) {
        if (fields->fields[i].type == NAME)
            names[name_count++] = &values[i];
        if (fields->fields[i].type != LEVELS && !add_value(columns, i, &values[i]))
            return 0;
    }
    if (!is_key(&message->key, names[0], names[1]))
        return 0;
    if (columns->of_books && columns->side->count == levels) {
        add_fixed(columns->message, &columns->taken, sizeof columns->taken);
        add_text(columns->side, NULL);
        add_no_number(columns, columns->price);
        add_no_number(columns, columns->size);
    }
    columns->taken++;
    return 1;
}

/* ---- For Python --------------------------------------------------------------------------------------------------- */

static Message *
messages_of(PyObject *values, PyObject *keys)
{
    Py_ssize_t count = PyTuple_GET_SIZE(values);
    Message *messages = PyTuple_GET_SIZE(keys) == count ? PyMem_Calloc((size_t)count + 1, sizeof(Message)) : NULL;
    for (Py_ssize_t i = 0; messages && i < count; i++) {
        PyObject *value = PyTuple_GET_ITEM(values, i), *key = PyTuple_GET_ITEM(keys, i);
        if (!PyBytes_Check(value) || !PyBytes_Check(key)) {
            PyMem_Free(messages);
            return NULL;
        }
        messages[i].value = (Piece){PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), 0};
        messages[i].key = (Piece){PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), 0};
    }
    return messages;
}

static PyObject *
as_bytes(const Buffer *buffer, int there)
{
    return there ? PyBytes_FromStringAndSize(buffer->begin, buffer->end - buffer->begin) : Py_NewRef(Py_None);
}

/* For each column with values: the number of nulls, and the buffers of validity, ends and values. */
static PyObject *
give(const Columns *columns)
{
    PyObject *list = PyList_New(0);
    for (const Column *column = columns->columns; list && column < columns->columns + ROWS; column++) {
        if (!column->count)
            continue;
        PyObject *made = Py_BuildValue("nNNN", column->nulls, as_bytes(&column->valid, column->nulls > 0),
                                       as_bytes(&column->ends, column->ends.end > column->ends.begin),
                                       as_bytes(&column->values, 1));
        if (!made || PyList_Append(list, made))
            Py_CLEAR(list);
        Py_XDECREF(made);
    }
    return list;
}

static PyObject *
native_read_columns(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *kind, *values, *keys;
    Columns columns = {0};
    if (!PyArg_ParseTuple(arguments, "OO!O!p", &kind, &PyTuple_Type, &values, &PyTuple_Type, &keys, &columns.exact)
        || !(columns.fields = fields_of(kind)))
        return NULL;
    for (int i = 0; i < columns.fields->count; i++) {
        const Field *field = &columns.fields->fields[i];
        columns.is_number[i] = (field->type == TEXT || field->type == TEXT_OR_NULL) && strcmp(field->name, "trade_id")
                               && strcmp(field->name, "reason");
        columns.of_books |= field->type == LEVELS;
    }
    columns.message = columns.columns + MOST_FIELDS;
    columns.side = columns.message + 1;
    columns.price = columns.message + 2;
    columns.size = columns.message + 3;
    Message *messages = messages_of(values, keys);
    Py_ssize_t count = messages ? PyTuple_GET_SIZE(values) : 0;
    Py_BEGIN_ALLOW_THREADS
    while (columns.taken < count && take_message(&columns, &messages[columns.taken]))
        continue;
    Py_END_ALLOW_THREADS
    PyObject *answer = messages && columns.taken == count ? give(&columns) : Py_NewRef(Py_None);
    PyMem_Free(messages);
    for (int i = 0; i < ROWS; i++) {
        PyMem_RawFree(columns.columns[i].valid.begin);
        PyMem_RawFree(columns.columns[i].ends.begin);
        PyMem_RawFree(columns.columns[i].values.begin);
    }
    return answer;
}

int
add_columns(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"read_columns", native_read_columns, METH_VARARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    return PyModule_AddFunctions(module, functions);
}
