#include "librdkafka.h"

Librdkafka rdk;

int
librdkafka_connect(PyObject *find)
{
    static const char *const names[] = {
#define LIBRDKAFKA_NAME(result, name, arguments) "rd_kafka_" #name,
        LIBRDKAFKA(LIBRDKAFKA_NAME)
    };
    enum { COUNT = sizeof names / sizeof *names };
    void *found[COUNT];
    for (int i = 0; i < COUNT; i++) {
        PyObject *address = PyObject_CallFunction(find, "s", names[i]);
        found[i] = address ? PyLong_AsVoidPtr(address) : NULL;
        Py_XDECREF(address);
        if (PyErr_Occurred())
            return -1;
    }
    Librdkafka all;
    _Static_assert(sizeof all == sizeof found, "an address each");
    memcpy(&all, found, sizeof all);
    int version = all.version();
    if (version < LEAST_VERSION || version >= NEXT_MAJOR_VERSION) {
        PyErr_Format(PyExc_ValueError, "librdkafka 0x%08x", version);
        return -1;
    }
    rdk = all;
    return 0;
}
