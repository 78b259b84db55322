/* The levels of one side of an order book, and how changes are applied to them: the compiled form of events/side.py.
 *
 * The best level is at the end of the array, because most changes are near the best price and then move few levels.
 */
#include "side.h"

static void
drop_text(Level *level)
{
    if (level->price_size + level->size_size > INLINE_TEXT)
        PyMem_Free((char *)level_text(level));
}

static int
fill(Level *level, const Change *change)
{
    char *text = level->text;
    if (change->price_size + change->size_size > INLINE_TEXT) {
        text = PyMem_Malloc((size_t)change->price_size + change->size_size);
        if (!text) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(level->text, &text, sizeof text);
    }
    level->key = change->key;
    level->price_size = change->price_size;
    level->size_size = change->size_size;
    memcpy(put(text, change->price, change->price_size), change->size, change->size_size);
    return 0;
}

static int
make_room(Side *side, Py_ssize_t count)
{
    if (count <= side->room)
        return 0;
    Py_ssize_t room = Py_MAX(count, side->room + side->room / 2 + 8);
    Level *levels = PyMem_Realloc(side->levels, sizeof(Level) * (size_t)room);
    if (!levels) {
        PyErr_NoMemory();
        return -1;
    }
    side->levels = levels;
    side->room = room;
    return 0;
}

Py_ssize_t
side_find(const Side *side, Key key, Py_ssize_t high)
{
    const Level *levels = side->levels;
    Py_ssize_t from = high, step = 1, low;
    while ((low = from - step) > 0 && levels[low].key >= key) {
        high = low;
        step *= 2;
    }
    low = Py_MAX(low, 0);
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (levels[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Applies a change that belongs at index *high* or before. Returns its index, which is *high* for worse ones; -1: an error
 * is set. */
static Py_ssize_t
change_one(Side *side, const Change *change, Py_ssize_t high)
{
    Py_ssize_t at = side_find(side, change->key, high);
    int known = at < side->count && side->levels[at].key == change->key;
    if (change->zero) {
        if (known) {
            drop_text(&side->levels[at]);
            side->count--;
            memmove(&side->levels[at], &side->levels[at + 1], sizeof(Level) * (size_t)(side->count - at));
        }
        return at;
    }
    if (known) {
        Level fresh;
        if (fill(&fresh, change))
            return -1;
        drop_text(&side->levels[at]);
        side->levels[at] = fresh;
        return at;
    }
    Level fresh;
    if (make_room(side, side->count + 1) || fill(&fresh, change))
        return -1;
    memmove(&side->levels[at + 1], &side->levels[at], sizeof(Level) * (size_t)(side->count - at));
    side->levels[at] = fresh;
    side->count++;
    return at;
}

/* Applies all changes, which are in order, in one pass over the levels. */
static int
change_many(Side *side, const Changes *changes)
{
    Py_ssize_t room = side->count + changes->count, count = 0, old = 0;
    Level *levels = PyMem_Malloc(sizeof(Level) * (size_t)Py_MAX(room, 1));
    if (!levels) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t next = changes->count - 1; /* changes have the best first, levels have it last */
    for (;;) {
        const Change *change = next >= 0 ? &changes->items[next] : NULL;
        if (old < side->count && (!change || side->levels[old].key < change->key)) {
            levels[count++] = side->levels[old++];
            continue;
        }
        if (!change)
            break;
        if (old < side->count && side->levels[old].key == change->key)
            drop_text(&side->levels[old++]);
        if (!change->zero && fill(&levels[count], change)) {
            /* Out of memory: the rest of the book is unusable, but must be freed exactly once. */
            memcpy(&levels[count], &side->levels[old], sizeof(Level) * (size_t)(side->count - old));
            count += side->count - old;
            PyMem_Free(side->levels);
            side->levels = levels, side->count = count, side->room = room;
            return -1;
        }
        count += !change->zero;
        next--;
    }
    PyMem_Free(side->levels);
    side->levels = levels, side->count = count, side->room = Py_MAX(room, 1);
    return 0;
}

static int
apply(Side *side, Changes *changes)
{
    if (changes->count > 32)
        return change_many(side, changes);
    Py_ssize_t at = side->count;
    for (Py_ssize_t i = 0; i < changes->count && at >= 0; i++)
        at = change_one(side, &changes->items[i], at);
    return at < 0 ? -1 : 0;
}

void
side_drop(Side *side, Py_ssize_t extra)
{
    for (Py_ssize_t i = 0; i < extra; i++)
        drop_text(&side->levels[i]);
    side->count -= extra;
    if (extra)
        memmove(side->levels, side->levels + extra, sizeof(Level) * (size_t)side->count);
}

/* Drops every level beyond the best *depth* (-1: none) and adds them to *changes* as removals. */
static int
cut(Side *side, Py_ssize_t depth, Changes *changes)
{
    Py_ssize_t extra = depth < 0 ? 0 : side->count - depth;
    if (extra <= 0)
        return 0;
    size_t size = 0;
    for (Py_ssize_t i = 0; i < extra; i++)
        size += side->levels[i].price_size;
    char *texts = PyMem_Malloc(size);
    if (!texts) {
        PyErr_NoMemory();
        return -1;
    }
    PyMem_Free(changes->cut_off);
    changes->cut_off = texts;
    for (Py_ssize_t i = extra - 1; i >= 0; i--) {
        Level *level = &side->levels[i];
        Change *change = changes_add(changes);
        if (!change)
            return -1;
        memcpy(texts, level_text(level), level->price_size);
        *change = (Change){.key = level->key, .price = texts, .size = "0", .zero = 1,
                           .price_size = level->price_size, .size_size = 1};
        texts += level->price_size;
    }
    side_drop(side, extra);
    changes->ordered = changes->canonical = 0;
    return changes_put_in_order(changes);
}

int
side_apply(Side *side, Changes *changes, Py_ssize_t depth)
{
    return apply(side, changes) || cut(side, depth, changes) ? -1 : 0;
}

/* The change that sets this level, or removes it. */
static int
add_change(Changes *changes, const Level *level, int zero)
{
    Change *change = changes_add(changes);
    if (!change)
        return -1;
    const char *text = level_text(level);
    *change = (Change){.key = level->key, .price = text, .size = text + level->price_size, .zero = zero,
                       .price_size = level->price_size, .size_size = level->size_size};
    return 0;
}

static int
is_same(const Level *one, const Level *other)
{
    return one->price_size == other->price_size && one->size_size == other->size_size
           && !memcmp(level_text(one), level_text(other), (size_t)one->price_size + one->size_size);
}

int
side_become(Side *side, Side *now, Changes *changes)
{
    Py_ssize_t old = side->count, fresh = now->count;
    while (old || fresh) { /* the best levels are last, and changes have them first */
        const Level *was = old ? &side->levels[old - 1] : NULL, *is = fresh ? &now->levels[fresh - 1] : NULL;
        int gone = !is || (was && was->key > is->key), new = !was || (is && is->key > was->key);
        if (!(new || gone) && is_same(was, is)) {
            old--, fresh--;
            continue;
        }
        if (add_change(changes, gone ? was : is, gone))
            return -1;
        old -= !new;
        fresh -= !gone;
    }
    changes->canonical = 0;
    Side swapped = *side;
    side->levels = now->levels, side->count = now->count, side->room = now->room;
    side->horizon = now->horizon, side->bound = now->bound;
    now->levels = swapped.levels, now->count = swapped.count, now->room = swapped.room;
    return 0;
}

int
side_become_all(Side *side, const Changes *all, Side *before, Changes *changes)
{
    side_drop(before, before->count);
    return change_many(before, all) || side_become(side, before, changes) ? -1 : 0;
}

PyObject *
pair_of(const Level *level)
{
    const char *text = level_text(level);
    return pair_from(text, level->price_size, text + level->price_size, level->size_size);
}

PyObject *
side_as_text(const Side *side, Py_ssize_t depth)
{
    Py_ssize_t size = 2;
    depth = Py_MIN(depth, side->count);
    for (Py_ssize_t i = 0; i < depth; i++) {
        const Level *level = &side->levels[side->count - 1 - i];
        size += level->price_size + level->size_size + 8;
    }
    size -= depth > 0;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    if (!bytes)
        return NULL;
    char *at = put(PyBytes_AS_STRING(bytes), "[", 1);
    for (Py_ssize_t i = 0; i < depth; i++) {
        const Level *level = &side->levels[side->count - 1 - i];
        const char *text = level_text(level);
        at = put_level(at, !i, text, level->price_size, text + level->price_size, level->size_size);
    }
    put(at, "]", 1);
    return raw_from(bytes);
}
