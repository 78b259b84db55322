/* The compiled form of ShortWayReceiver in events/short_way.py. */
#include "native.h"
#include <time.h>

#define SMALL_STEP_US 600000000LL /* as in wire/clock.py, which takes a larger step back */

typedef struct {
    PyObject_HEAD
    ShortWay *way;
    PyObject *numbers_of; /* native name -> BookNumbers, of the books whose changes may take the short way */
    PyObject *tops;     /* native name -> Top, of those of them whose best levels are written instead */
    DirectPublisher *direct;
    Number *clock;                    /* the last arrival */
    Number *frames, *tickers, *books; /* counts */
    PyObject *ticker_type, *book_type; /* of the events, as routes are kept under */
    PyObject *message;                 /* the session's: bytes -> None */
    PyObject *failed;                  /* Exception -> None */
} ShortWayReceiver;

static PyObject *
relay_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *way, *numbers_of, *tops, *direct, *clock, *frames, *tickers, *books, *types, *message, *failed;
    if (!PyArg_ParseTuple(arguments, "O!O!O!O!O!O!O!O!O!OO", short_way_type, &way, &PyDict_Type, &numbers_of, &PyDict_Type,
                          &tops, direct_type, &direct, number_type, &clock, number_type, &frames, number_type, &tickers,
                          number_type, &books, &PyTuple_Type, &types, &message, &failed))
        return NULL;
    if (PyTuple_GET_SIZE(types) != 2) {
        PyErr_SetString(PyExc_TypeError, "a relay is made with the types of tickers and of order books");
        return NULL;
    }
    ShortWayReceiver *relay = (ShortWayReceiver *)type->tp_alloc(type, 0);
    if (!relay)
        return NULL;
    PyObject *held[] = {way, numbers_of, tops, direct, clock, frames, tickers, books, PyTuple_GET_ITEM(types, 0),
                        PyTuple_GET_ITEM(types, 1), message, failed};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        Py_INCREF(held[i]);
    relay->way = (ShortWay *)way;
    relay->numbers_of = numbers_of;
    relay->tops = tops;
    relay->direct = (DirectPublisher *)direct;
    relay->clock = (Number *)clock;
    relay->frames = (Number *)frames;
    relay->tickers = (Number *)tickers;
    relay->books = (Number *)books;
    relay->ticker_type = PyTuple_GET_ITEM(types, 0);
    relay->book_type = PyTuple_GET_ITEM(types, 1);
    relay->message = message;
    relay->failed = failed;
    return (PyObject *)relay;
}

static int
relay_traverse(ShortWayReceiver *relay, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(relay));
    Py_VISIT(relay->numbers_of);
    Py_VISIT(relay->tops);
    Py_VISIT(relay->direct);
    Py_VISIT(relay->ticker_type);
    Py_VISIT(relay->book_type);
    Py_VISIT(relay->message);
    Py_VISIT(relay->failed);
    return 0;
}

static int
relay_drop(ShortWayReceiver *relay)
{
    Py_CLEAR(relay->way);
    Py_CLEAR(relay->numbers_of);
    Py_CLEAR(relay->tops);
    Py_CLEAR(relay->direct);
    Py_CLEAR(relay->clock);
    Py_CLEAR(relay->frames);
    Py_CLEAR(relay->tickers);
    Py_CLEAR(relay->books);
    Py_CLEAR(relay->ticker_type);
    Py_CLEAR(relay->book_type);
    Py_CLEAR(relay->message);
    Py_CLEAR(relay->failed);
    return 0;
}

static void
relay_free(ShortWayReceiver *relay)
{
    PyTypeObject *type = Py_TYPE(relay);
    PyObject_GC_UnTrack(relay);
    relay_drop(relay);
    type->tp_free((PyObject *)relay);
    Py_DECREF(type);
}

static PyObject *
tell_failed(ShortWayReceiver *relay)
{
    PyObject *error = take_error();
    PyObject *answer = PyObject_CallOneArg(relay->failed, error);
    Py_DECREF(error);
    return answer;
}

static PyObject *
relay_call(ShortWayReceiver *relay, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *frame, *route = NULL, *value = NULL;
    if (!PyArg_ParseTuple(arguments, "S", &frame))
        return NULL;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long us = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, last = relay->clock->value;
    if (us < last) {
        if (last - us >= SMALL_STEP_US)
            return PyObject_CallOneArg(relay->message, frame);
        us = last;
    }
    relay->clock->value = us;
    Found found;
    int done = direct_is_free(relay->direct)
               ? short_way_find(relay->way, relay->numbers_of, relay->tops, PyBytes_AS_STRING(frame),
                                PyBytes_GET_SIZE(frame), &found)
               : 0;
    if (done > 0) {
        route = direct_route(relay->direct, found.numbers ? relay->book_type : relay->ticker_type, found.symbol);
        done = route ? short_way_carry_out(relay->way, &found, us, &value) : -(PyErr_Occurred() != NULL);
    }
    if (!done)
        return PyObject_CallOneArg(relay->message, frame);
    relay->frames->value++;
    if (value) {
        (found.numbers ? relay->books : relay->tickers)->value++;
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
    static PyType_Slot slots[] = {
        {Py_tp_new, relay_new},     {Py_tp_dealloc, relay_free}, {Py_tp_traverse, relay_traverse},
        {Py_tp_clear, relay_drop},  {Py_tp_call, relay_call},    {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.ShortWayReceiver", .basicsize = sizeof(ShortWayReceiver),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = slots,
    };
    return add_type(module, "ShortWayReceiver", &spec) ? 0 : -1;
}
