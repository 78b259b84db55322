/* Makes the values of records from frames with one trade: a part of short_way.c.
 *
 * Where an exchange numbers a symbol's trades, the one behind the last can neither be known already nor have others missing
 * before it; every other one is left to the adapter.
 */
#include "native.h"

int
trade_find(const Shape *shape, PyObject *known, PyObject *numbers_of, const char *frame, Found *found)
{
    if (!shape_begin(shape, frame, found) || found->at != found->end || found->decimals[1].value
        || !(found->known = look_up(known, &found->names[0])))
        return 0;
    PyObject *numbers = look_up(numbers_of, &found->names[0]);
    if (!numbers)
        return 0;
    if (!PyObject_TypeCheck(numbers, trade_numbers_type)) {
        PyErr_SetString(PyExc_TypeError, "expected TradeNumbers");
        return 0;
    }
    found->traded = (TradeNumbers *)numbers;
    if (!found->traded->ahead || found->traded->last != found->integers[LAST].value - 1)
        return 0;
    found->kind = TRADE;
    found->symbol = PyTuple_GET_ITEM(found->known, 0);
    found->action = Py_None;
    return 1;
}

PyObject *
trade_carry_out(Found *found, long long received_us)
{
    PyObject *value = trade_value(PyTuple_GET_ITEM(found->known, 1), found, received_us);
    if (value)
        found->traded->last = found->integers[LAST].value;
    return value;
}
