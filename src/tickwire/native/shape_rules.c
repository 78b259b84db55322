/* Rules for shapes of frames: a part of shape.c. */
#include "native.h"

const char *
shape_skip_letters(const char *at)
{
    while ((*at | 32) >= 'a' && (*at | 32) <= 'z')
        at++;
    return at;
}

/* The letter of the mark at this place, or 0. */
char
shape_role_of(const char *place)
{
    if (*place != '#' && *place != '=')
        return 0;
    return place[1] && strchr(*place == '#' ? SHAPE_ROLES : "bas", place[1]) ? place[1] : 0;
}

int
shape_count(const char *shape, const char *mark)
{
    int found = 0;
    for (; *shape; shape++)
        found += *shape == *mark && shape_role_of(shape) == mark[1];
    return found;
}

static int
count(const char *shape, char what) /* whatever follows it */
{
    int found = 0;
    for (; *shape; shape++)
        found += *shape == what;
    return found;
}

static int
count_times(const char *shape)
{
    return count(shape, '^') + shape_count(shape, "#m") + shape_count(shape, "#u") + shape_count(shape, "#n");
}

/* Whether all fields that a ticker needs are mandatory: the symbol, and all numbers except a fifth one. */
static int
needs_are_sure(const char *shape)
{
    int within = 0, decimals = 0;
    for (; *shape; shape++) {
        if ((*shape == '(' && within) || (*shape == ')' && !within) || (*shape == '$' && within)
            || (*shape == '%' && within && decimals < DECIMALS - 1))
            return 0;
        within ^= *shape == '(' || *shape == ')';
        decimals += *shape == '%';
    }
    return !within;
}

static int
ticker_is_whole(const char *shape)
{
    int decimals = count(shape, '%');
    return count(shape, '$') == 1 && (decimals == DECIMALS - 1 || decimals == DECIMALS) && shape_count(shape, "#") <= 1
           && count_times(shape) <= 1 && count(shape, '#') == shape_count(shape, "#") + shape_count(shape, "#m")
           && !count(shape, '=') && !count(shape, '<') && needs_are_sure(shape);
}

static int
only_levels_may_be_missing(const char *shape)
{
    int within = 0;
    for (; *shape; shape++) {
        if ((*shape == '(' && within) || (*shape == ')' && !within) || (within && strchr("$#^", *shape)))
            return 0;
        within ^= *shape == '(' || *shape == ')';
    }
    return !within;
}

static int
change_is_whole(const char *shape)
{
    int both = shape_count(shape, "=b") == 1 && shape_count(shape, "=a") == 1 && count(shape, '=') == 2;
    int names = count(shape, '$');
    for (const char *role = "fpcl"; *role; role++)
        if (shape_count(shape, (char[]){'#', *role, 0}) > 1)
            return 0;
    return names >= 1 && names <= NAMES && (both || (shape_count(shape, "=s") == 1 && count(shape, '=') == 1))
           && count_times(shape) == 1 && !shape_count(shape, "#") && !count(shape, '%') && !count(shape, '<')
           && only_levels_may_be_missing(shape);
}

static int
side_is_whole(const char *side)
{
    const char *middle = shape_skip_letters(side + 1), *end = *middle == '|' ? shape_skip_letters(middle + 1) : middle;
    return middle > side + 1 && end > middle + 1 && *end == '>';
}

static int
trade_is_whole(const char *shape)
{
    return count(shape, '$') == 1 && count(shape, '%') == 2 && shape_count(shape, "#") == 1 && count_times(shape) == 1
           && count(shape, '#') == 1 + shape_count(shape, "#m") && !count(shape, '=') && !count(shape, '(')
           && !count(shape, ')') && count(shape, '<') == 1 && side_is_whole(strchr(shape, '<'));
}

int
shape_is_of(const char *shape, Kind kind)
{
    if (!*shape)
        return 1; /* no frame has this shape */
    return kind == TICKER ? ticker_is_whole(shape) : kind == CHANGE ? change_is_whole(shape) : trade_is_whole(shape);
}
