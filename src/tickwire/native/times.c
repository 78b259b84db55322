/* Times in frames: the compiled form of events/times.py, which handles everything unusual. */
#include "native.h"

static int
two_digits(const char *at)
{
    return (at[0] - '0') * 10 + at[1] - '0';
}

const char *
take_time(const char *at, const char *end, long long *us)
{
    static const char form[] = "0000-00-00T00:00:00";
    static const int days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    if (end - at < (Py_ssize_t)sizeof form)
        return NULL;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? (unsigned char)(at[i] - '0') > 9 : at[i] != form[i])
            return NULL;
    int year = two_digits(at) * 100 + two_digits(at + 2), month = two_digits(at + 5), day = two_digits(at + 8);
    int hour = two_digits(at + 11), minute = two_digits(at + 14), second = two_digits(at + 17);
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 || day < 1
        || day > days_before[month] - days_before[month - 1] + (month == 2 && leap))
        return NULL;
    long long before = year - 1;
    long long days = before * 365 + before / 4 - before / 100 + before / 400 - 719162; /* of the years since 1970 */
    days += days_before[month - 1] + (month > 2 && leap) + day - 1;
    *us = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000000;
    at += sizeof form - 1;
    if (*at == '.')
        for (long long unit = 100000; ++at < end && (unsigned char)(*at - '0') <= 9; unit /= 10)
            *us += (*at - '0') * unit;
    return at < end && *at == 'Z' ? at + 1 : NULL;
}

static PyObject *
native_micros(PyObject *Py_UNUSED(module), PyObject *text)
{
    if (PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text)) {
        const char *at = (const char *)PyUnicode_1BYTE_DATA(text), *end = at + PyUnicode_GET_LENGTH(text);
        long long us;
        if (take_time(at, end, &us) == end)
            return PyLong_FromLongLong(us);
    }
    return call_python_form("micros", text);
}

int
add_times(PyObject *module)
{
    static PyMethodDef functions[] = {{"micros", native_micros, METH_O, NULL}, {NULL, NULL, 0, NULL}};
    return PyModule_AddFunctions(module, functions);
}
