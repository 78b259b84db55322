#include "native.h"

PyTypeObject *
add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromSpec(spec);
    if (type && PyModule_AddType(module, type))
        Py_CLEAR(type);
    return type;
}

PyObject *
attribute(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return value;
}

PyObject *
python_form(const char *name)
{
    static PyObject *forms; /* from tickwire.compiled, which cannot be imported before this module exists */
    if (!forms && !(forms = attribute("tickwire.compiled", "python_forms")))
        return NULL;
    return PyMapping_GetItemString(forms, name);
}

PyObject *
call_python_form(const char *name, PyObject *argument)
{
    PyObject *form = argument ? python_form(name) : NULL;
    PyObject *answer = form ? PyObject_CallOneArg(form, argument) : NULL;
    Py_XDECREF(form);
    return answer;
}

int
make_names(const Name *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(*names[i].name = PyUnicode_InternFromString(names[i].text)))
            return -1;
    return 0;
}

PyObject *
take_error(void)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace)
        PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

PyTypeObject *
add_plain(PyObject *module, const char *name, int size, PyMemberDef *members)
{
    /* No tp_new: with object's own one the attributes of Python's subclasses are stored without a dict (3.11). */
    PyType_Slot slots[] = {
        {Py_tp_members, members}, {Py_tp_dealloc, plain_free}, {0, NULL},
    };
    PyType_Spec spec = {
        .name = name, .basicsize = size, .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = slots,
    };
    return add_type(module, &spec);
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "tickwire._native", .m_size = -1,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    static int (*const parts[])(PyObject *) = {
        add_numbers, add_times,     add_decimals, add_changes, add_side,  add_digest,
        add_top,     add_short_way, add_flight,   add_flights,  add_outlet,  add_relay, add_formats,
        add_protobuf_text, add_columns, add_received, add_followed, add_producer, add_gate,
    };
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddStringConstant(module, "stamp", STAMP))
        Py_CLEAR(module);
    for (size_t i = 0; module && i < sizeof parts / sizeof *parts; i++)
        if (parts[i](module))
            Py_CLEAR(module);
    return module;
}
