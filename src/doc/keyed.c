#include "doc/keyed.h"

#include <stdlib.h>
#include <string.h>

const char *keyed_text(const struct val *scalar)
{
    if (!scalar || scalar->type == VAL_NULL)
        return "<nil>";
    if (scalar->type == VAL_BOOL)
        return scalar->boolean ? "true" : "false";
    return scalar->type == VAL_NUMBER || scalar->type == VAL_STRING ? scalar->text : "";
}

const char *keyed_item_text(const struct val *item, const char *key)
{
    return keyed_text(key ? val_get(item, key) : item);
}

static int by_text_and_place(const void *a, const void *b)
{
    const struct keyed *one = a, *two = b;
    int order = strcmp(one->text, two->text);
    return order ? order : one->place < two->place ? -1 : one->place > two->place;
}

bool keyed_by(struct arena *mem, const struct val *list, const char *key, struct keyed_list *out)
{
    *out = (struct keyed_list){ .at = arena_alloc(mem, val_len(list) * sizeof(*out->at)),
                                .len = val_len(list) };
    for (size_t i = 0; i < out->len; i++) {
        struct val *item = list->items[i];
        bool is_scalar = !val_is_map(item) && !val_is_list(item);
        if (key ? !val_is_map(item) || !val_get(item, key) : !is_scalar)
            return false;
        out->at[i] = (struct keyed){ .text = keyed_item_text(item, key), .item = item, .place = i };
    }
    qsort(out->at, out->len, sizeof(*out->at), by_text_and_place);
    return true;
}

const struct keyed *keyed_find(const struct keyed_list *list, const char *text)
{
    size_t low = 0, high = list->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->at[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < list->len && !strcmp(list->at[low].text, text);
    return is_there ? &list->at[low] : NULL;
}
