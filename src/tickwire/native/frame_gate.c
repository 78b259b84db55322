/* The compiled form of FrameGate in wire/frame_gate.py.
 *
 * It reads frames through their Python attributes, because picows's own structures are not public.
 */
#include "native.h"

static PyObject *monotonic, *name_msg_type, *name_fin, *name_payload_size, *name_get_payload;

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *kinds, *message, *rare, *last_frame;
    Py_ssize_t max_bytes;
    char open;
} FrameGate;

/* Whether the frame is a whole message that may pass; -1 with an error set. */
static int
may_pass(const FrameGate *gate, PyObject *frame)
{
    PyObject *kind = PyObject_GetAttr(frame, name_msg_type);
    int is_so = kind ? PySequence_Contains(gate->kinds, kind) : -1;
    Py_XDECREF(kind);
    if (is_so <= 0)
        return is_so;
    PyObject *fin = PyObject_GetAttr(frame, name_fin);
    is_so = fin ? PyObject_IsTrue(fin) : -1;
    Py_XDECREF(fin);
    if (is_so <= 0)
        return is_so;
    PyObject *said = PyObject_GetAttr(frame, name_payload_size);
    Py_ssize_t size = said ? PyLong_AsSsize_t(said) : -1;
    Py_XDECREF(said);
    return size < 0 ? -(PyErr_Occurred() != NULL) : size <= gate->max_bytes;
}

/* (transport, frame) -> None */
static PyObject *
gate_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    FrameGate *gate = (FrameGate *)self;
    if (PyVectorcall_NARGS(count) != 2 || names) {
        PyErr_SetString(PyExc_TypeError, "a transport and a frame are expected");
        return NULL;
    }
    PyObject *now = PyObject_CallNoArgs(monotonic);
    if (!now)
        return NULL;
    Py_XSETREF(gate->last_frame, now);
    int passes = gate->open ? may_pass(gate, arguments[1]) : 0;
    if (passes < 0)
        return NULL;
    PyObject *taker = Py_XNewRef(passes ? gate->message : gate->rare), *answer = NULL;
    if (!taker) {
        PyErr_SetString(PyExc_AttributeError, "message"); /* deleted */
        return NULL;
    }
    if (!passes)
        answer = PyObject_Vectorcall(taker, arguments, 2, NULL);
    else {
        PyObject *payload = PyObject_CallMethodNoArgs(arguments[1], name_get_payload);
        answer = payload ? PyObject_CallOneArg(taker, payload) : NULL;
        Py_XDECREF(payload);
    }
    Py_DECREF(taker);
    return answer;
}

static PyObject *
gate_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *kinds, *message, *rare;
    Py_ssize_t max_bytes;
    if (!PyArg_ParseTuple(arguments, "O!nOO", &PyTuple_Type, &kinds, &max_bytes, &message, &rare))
        return NULL;
    PyObject *now = PyObject_CallNoArgs(monotonic);
    FrameGate *gate = now ? (FrameGate *)type->tp_alloc(type, 0) : NULL;
    if (!gate) {
        Py_XDECREF(now);
        return NULL;
    }
    gate->call = gate_call;
    gate->kinds = Py_NewRef(kinds);
    gate->message = Py_NewRef(message);
    gate->rare = Py_NewRef(rare);
    gate->last_frame = now;
    gate->max_bytes = max_bytes;
    gate->open = 1;
    return (PyObject *)gate;
}

static int
gate_traverse(FrameGate *gate, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(gate));
    Py_VISIT(gate->kinds);
    Py_VISIT(gate->message);
    Py_VISIT(gate->rare);
    return 0;
}

static int
gate_drop(FrameGate *gate)
{
    Py_CLEAR(gate->message);
    Py_CLEAR(gate->rare);
    return 0;
}

static void
gate_free(FrameGate *gate)
{
    PyObject_GC_UnTrack(gate);
    gate_drop(gate);
    Py_CLEAR(gate->kinds);
    Py_CLEAR(gate->last_frame);
    plain_free((PyObject *)gate);
}

int
add_gate(PyObject *module)
{
    static PyMemberDef members[] = {
        {"message", T_OBJECT_EX, offsetof(FrameGate, message), 0, NULL},
        {"last_frame", T_OBJECT_EX, offsetof(FrameGate, last_frame), 0, NULL},
        {"open", T_BOOL, offsetof(FrameGate, open), 0, NULL},
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(FrameGate, call), READONLY, NULL},
        {NULL, 0, 0, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, gate_new},     {Py_tp_dealloc, gate_free},       {Py_tp_traverse, gate_traverse},
        {Py_tp_clear, gate_drop},  {Py_tp_call, PyVectorcall_Call},  {Py_tp_members, members},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "tickwire._native.FrameGate", .basicsize = sizeof(FrameGate),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, .slots = slots,
    };
    static const Name names[] = {
        {&name_msg_type, "msg_type"}, {&name_fin, "fin"}, {&name_payload_size, "payload_size"},
        {&name_get_payload, "get_payload_as_bytes"},
    };
    if (make_names(names, sizeof names / sizeof *names) || !(monotonic = attribute("time", "monotonic")))
        return -1;
    return add_type(module, &spec) ? 0 : -1;
}
