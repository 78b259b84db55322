/* The compiled form of events/numbers.py, and of the counters of wire/tally.py. */
#include "native.h"

PyTypeObject *number_type, *numbers_type, *update_id_type, *trade_numbers_type;

static PyMemberDef number_members[] = {
    {"value", T_LONGLONG, offsetof(Number, value), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef running_members[] = {
    {"messages", T_LONGLONG, offsetof(BookNumbers, messages), 0, NULL},
    {"epoch", T_LONGLONG, offsetof(BookNumbers, epoch), 0, NULL},
    {"book_seq", T_LONGLONG, offsetof(BookNumbers, book_seq), 0, NULL},
    {"sequence", T_LONGLONG, offsetof(BookNumbers, sequence), 0, NULL},
    {"exchange_us", T_LONGLONG, offsetof(BookNumbers, exchange_us), 0, NULL},
    {"valid", T_BOOL, offsetof(BookNumbers, valid), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef applied_members[] = {
    {"update_id", T_LONGLONG, offsetof(UpdateId, update_id), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef traded_members[] = {
    {"last", T_LONGLONG, offsetof(TradeNumbers, last), 0, NULL},
    {"ahead", T_BOOL, offsetof(TradeNumbers, ahead), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

int
add_numbers(PyObject *module)
{
    number_type = add_plain(module, "tickwire._native.Number", sizeof(Number), number_members);
    numbers_type = add_plain(module, "tickwire._native.BookNumbers", sizeof(BookNumbers), running_members);
    update_id_type = add_plain(module, "tickwire._native.UpdateId", sizeof(UpdateId), applied_members);
    trade_numbers_type =
        add_plain(module, "tickwire._native.TradeNumbers", sizeof(TradeNumbers), traded_members);
    return number_type && numbers_type && update_id_type && trade_numbers_type ? 0 : -1;
}
