/* The compiled form of events/running.py, and of what wire/tally.py counts with. */
#include "native.h"

PyTypeObject *number_type, *running_type, *applied_type;

static PyMemberDef number_members[] = {
    {"value", T_LONGLONG, offsetof(Number, value), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef running_members[] = {
    {"messages", T_LONGLONG, offsetof(Running, messages), 0, NULL},
    {"epoch", T_LONGLONG, offsetof(Running, epoch), 0, NULL},
    {"book_seq", T_LONGLONG, offsetof(Running, book_seq), 0, NULL},
    {"sequence", T_LONGLONG, offsetof(Running, sequence), 0, NULL},
    {"exchange_us", T_LONGLONG, offsetof(Running, exchange_us), 0, NULL},
    {"valid", T_BOOL, offsetof(Running, valid), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef applied_members[] = {
    {"update_id", T_LONGLONG, offsetof(Applied, update_id), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

int
add_numbers(PyObject *module)
{
    number_type = add_plain(module, "Number", "tickwire._native.Number", sizeof(Number), number_members);
    running_type = add_plain(module, "Running", "tickwire._native.Running", sizeof(Running), running_members);
    applied_type = add_plain(module, "Applied", "tickwire._native.Applied", sizeof(Applied), applied_members);
    return number_type && running_type && applied_type ? 0 : -1;
}
