/* The compiled form of ShortWayReceiver in events/short_way.py. */
#include "native.h"
#include <time.h>

#define SMALL_STEP_US 600000000LL /* as in wire/clock.py, which accepts a larger step back */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    ShortWay *way;
    NumbersOf numbers_of;
    DirectPublisher *direct;
    Number *clock; /* time of the last arrival */
    Number *frames;
    Number *counts[KINDS];  /* of events */
    PyObject *types[KINDS]; /* of theirs, as routes are kept under */
    PyObject *message;      /* the session's: bytes -> None */
    PyObject *failed;       /* Exception -> None */
} ShortWayReceiver;

static PyObject *relay_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names);

static PyObject *
relay_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *way, *books, *tops, *trades, *direct, *clock, *frames, *counts, *types, *message, *failed;
    if (!PyArg_ParseTuple(arguments, "O!O!O!O!O!O!O!O!O!OO", short_way_type, &way, &PyDict_Type, &books, &PyDict_Type, &tops,
                          &PyDict_Type, &trades, direct_type, &direct, number_type, &clock, number_type, &frames,
                          &PyTuple_Type, &counts, &PyTuple_Type, &types, &message, &failed))
        return NULL;
    int whole = PyTuple_GET_SIZE(counts) == KINDS && PyTuple_GET_SIZE(types) == KINDS;
    for (int i = 0; whole && i < KINDS; i++)
        whole = PyObject_TypeCheck(PyTuple_GET_ITEM(counts, i), number_type);
    if (!whole) {
        PyErr_SetString(PyExc_TypeError, "a relay is made with counts and types of tickers, order books and trades");
        return NULL;
    }
    ShortWayReceiver *relay = (ShortWayReceiver *)type->tp_alloc(type, 0);
    if (!relay)
        return NULL;
    relay->call = relay_call;
    relay->way = (ShortWay *)Py_NewRef(way);
    relay->numbers_of = (NumbersOf){Py_NewRef(books), Py_NewRef(tops), Py_NewRef(trades)};
    relay->direct = (DirectPublisher *)Py_NewRef(direct);
    relay->clock = (Number *)Py_NewRef(clock);
    relay->frames = (Number *)Py_NewRef(frames);
    for (int i = 0; i < KINDS; i++) {
        relay->counts[i] = (Number *)Py_NewRef(PyTuple_GET_ITEM(counts, i));
        relay->types[i] = Py_NewRef(PyTuple_GET_ITEM(types, i));
    }
    relay->message = Py_NewRef(message);
    relay->failed = Py_NewRef(failed);
    return (PyObject *)relay;
}

static int
relay_traverse(ShortWayReceiver *relay, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(relay));
    Py_VISIT(relay->way);
    Py_VISIT(relay->numbers_of.books);
    Py_VISIT(relay->numbers_of.tops);
    Py_VISIT(relay->numbers_of.trades);
    Py_VISIT(relay->direct);
    for (int i = 0; i < KINDS; i++)
        Py_VISIT(relay->types[i]);
    Py_VISIT(relay->message);
    Py_VISIT(relay->failed);
    return 0;
}

static int
relay_drop(ShortWayReceiver *relay)
{
    Py_CLEAR(relay->way);
    Py_CLEAR(relay->numbers_of.books);
    Py_CLEAR(relay->numbers_of.tops);
    Py_CLEAR(relay->numbers_of.trades);
    Py_CLEAR(relay->direct);
    Py_CLEAR(relay->clock);
    Py_CLEAR(relay->frames);
    for (int i = 0; i < KINDS; i++) {
        Py_CLEAR(relay->counts[i]);
        Py_CLEAR(relay->types[i]);
    }
    Py_CLEAR(relay->message);
    Py_CLEAR(relay->failed);
    return 0;
}

static void
relay_free(ShortWayReceiver *relay)
{
    PyObject_GC_UnTrack(relay);
    relay_drop(relay);
    plain_free((PyObject *)relay);
}

static PyObject *
tell_failed(ShortWayReceiver *relay)
{
    PyObject *error = take_error();
    PyObject *answer = PyObject_CallOneArg(relay->failed, error);
    Py_DECREF(error);
    return answer;
}

/* (frame) -> None */
static PyObject *
relay_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    ShortWayReceiver *relay = (ShortWayReceiver *)self;
    if (PyVectorcall_NARGS(count) != 1 || names || !PyBytes_Check(*arguments)) {
        PyErr_SetString(PyExc_TypeError, "a frame's bytes are expected");
        return NULL;
    }
    PyObject *frame = *arguments, *route = NULL, *value = NULL;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long us = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, last = relay->clock->value;
    if (us < last) {
        if (last - us >= SMALL_STEP_US)
            return PyObject_CallOneArg(relay->message, frame);
        us = last;
    }
    relay->clock->value = us;
    if (!direct_is_free(relay->direct))
        return PyObject_CallOneArg(relay->message, frame);
    PyObject *text = short_way_text(relay->way, frame);
    if (!text) { /* the session reports the error */
        PyErr_Clear();
        return PyObject_CallOneArg(relay->message, frame);
    }
    Found found;
    int done = short_way_find(relay->way, &relay->numbers_of, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), &found);
    if (done > 0) {
        route = direct_route(relay->direct, relay->types[found.kind], found.symbol);
        done = route ? short_way_carry_out(relay->way, &found, us, &value) : -(PyErr_Occurred() != NULL);
    }
    Py_DECREF(text);
    if (!done)
        return PyObject_CallOneArg(relay->message, frame);
    relay->frames->value++;
    if (value) {
        relay->counts[found.kind]->value++;
        done = direct_send(relay->direct, route, value, found.action, us) ? -1 : 1;
        Py_DECREF(value);
    }
    if (done < 0)
        return tell_failed(relay);
    Py_RETURN_NONE;
}

int
add_relay(PyObject *module)
{
    static PyMemberDef members[] = {
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(ShortWayReceiver, call), READONLY, NULL},
        {NULL, 0, 0, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, relay_new},     {Py_tp_dealloc, relay_free},        {Py_tp_traverse, relay_traverse},
        {Py_tp_clear, relay_drop},  {Py_tp_call, PyVectorcall_Call},    {Py_tp_members, members},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.ShortWayReceiver", .basicsize = sizeof(ShortWayReceiver),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, .slots = slots,
    };
    return add_type(module, &spec) ? 0 : -1;
}
