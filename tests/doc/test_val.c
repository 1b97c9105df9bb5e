#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "doc/val.h"

static struct val *json(struct arena *mem, const char *text)
{
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, strlen(text), &v);
    assert_string_equal(err_text(e), "");
    return v;
}

static void reading_what_is_not_there_is_harmless(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *text = val_new_text(mem, "x");
    int64_t number;
    assert_null(val_get(NULL, "a"));
    assert_null(val_get(text, "a"));
    assert_null(VAL_PATH(NULL, "a", "b"));
    assert_null(VAL_PATH(json(mem, "{\"a\":[1]}"), "a", "b", "c"));
    assert_null(val_item(text, 0));
    assert_null(val_item(json(mem, "[1]"), 1));
    assert_null(val_text(NULL));
    assert_null(val_text(json(mem, "1")));
    assert_string_equal(val_text_or(NULL, "else"), "else");
    assert_false(val_int(text, &number));
    assert_false(val_is_true(json(mem, "\"true\"")));
    assert_true(val_is_null(NULL));
    assert_int_equal(val_len(text), 0);
}

static const struct int_case {
    const char *text;
    bool is_int;
    int64_t number;
} int_cases[] = {
    { "0", true, 0 },
    { "-0", true, 0 },
    { "42", true, 42 },
    { "-42", true, -42 },
    { "9223372036854775807", true, INT64_MAX },
    { "-9223372036854775808", true, INT64_MIN },
    { "9223372036854775808", false, 0 },
    { "18446744073709551615", false, 0 },
    { "-9223372036854775809", false, 0 },
    { "1.0", true, 1 }, /* written as Go writes it */
    { "1e3", true, 1000 },
    { "1.5", false, 0 },
};

static void integers_are_read_if_they_fit(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(int_cases); i++) {
        int64_t number = 0;
        assert_int_equal(val_int(json(mem, int_cases[i].text), &number), int_cases[i].is_int);
        if (int_cases[i].is_int)
            assert_int_equal(number, int_cases[i].number);
    }
}

static void values_are_made_piece_by_piece(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *map = val_new_map(mem), *list = val_new_list(mem);
    val_set_text(mem, map, "b", "text");
    val_set(mem, map, "a", val_new_int(mem, -7));
    val_set(mem, map, "list", list);
    val_append(mem, list, val_new_double(mem, 0.5));
    val_append(mem, list, val_new_bool(mem, true));
    val_append(mem, list, val_new(mem, VAL_NULL));
    val_append(mem, list, val_new_bytes(mem, "x\0y", 3));
    val_set_text(mem, map, "b", "again");
    assert_string_equal(val_json(mem, map, NULL),
                        "{\"b\":\"again\",\"a\":-7,\"list\":[0.5,true,null,\"x\\u0000y\"]}");
    assert_true(val_remove(map, "a"));
    assert_false(val_remove(map, "a"));
    assert_string_equal(val_json(mem, map, NULL),
                        "{\"b\":\"again\",\"list\":[0.5,true,null,\"x\\u0000y\"]}");
}

static void a_needed_map_is_made_once(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *map = json(mem, "{\"nothing\":null,\"text\":\"x\"}");
    struct val *made = val_need_map(mem, map, "new");
    assert_ptr_equal(val_need_map(mem, map, "new"), made);
    assert_true(val_is_map(val_need_map(mem, map, "nothing")));
    assert_null(val_need_map(mem, map, "text"));
    assert_string_equal(val_json(mem, map, NULL), "{\"nothing\":{},\"text\":\"x\",\"new\":{}}");
}

/* Against the plainest of models: an array of which keys are there. */
static void a_map_does_what_an_array_would(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *map = val_new_map(mem);
    int64_t there[40];
    size_t count = 0;
    for (size_t i = 0; i < 40; i++)
        there[i] = -1;
    uint32_t dice = 12345;
    for (int64_t step = 0; step < 20000; step++) {
        dice = dice * 1664525u + 1013904223u;
        size_t which = (dice >> 16) % 40;
        char key[32];
        int64_t number = -1;
        snprintf(key, sizeof(key), "k%zu", which);
        if ((dice >> 8) % 5 < 3) {
            val_set(mem, map, key, val_new_int(mem, step));
            count += there[which] < 0;
            there[which] = step;
        } else {
            assert_int_equal(val_remove(map, key), there[which] >= 0);
            count -= there[which] >= 0;
            there[which] = -1;
        }
        assert_int_equal(val_len(map), count);
        snprintf(key, sizeof(key), "k%zu", (which + 1) % 40);
        assert_int_equal(val_int(val_get(map, key), &number), there[(which + 1) % 40] >= 0);
        assert_int_equal(number, there[(which + 1) % 40]);
    }
}

static void a_copy_shares_nothing(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[{\"b\":\"text\"},[],{},1.5,true,null],\"c\":{\"d\":{\"e\":\"f\"}}}";
    SCOPED(arena_free) struct arena *source = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *copy = val_copy(mem, json(source, text));
    arena_reset(source); /* from here on a shared byte is a use after free */
    assert_string_equal(val_json(mem, copy, NULL), text);
    assert_null(val_copy(mem, NULL));
}

static void a_copy_of_a_big_map_can_be_searched_and_grown(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *map = val_new_map(mem);
    char key[32];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        val_set(mem, map, key, val_new_int(mem, i));
    }
    struct val *copy = val_copy(mem, map);
    val_set(mem, copy, "another", val_new_int(mem, 100));
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_true(val_equal(val_get(copy, key), val_get(map, key)));
    }
    assert_int_equal(val_len(copy), 101);
    assert_null(val_get(map, "another"));
    assert_non_null(val_get(copy, "another"));
}

static const struct equal_case {
    const char *name, *a, *b;
    bool are_equal;
} equal_cases[] = {
    { "order of keys does not matter", "{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true },
    { "order of items does", "[1,2]", "[2,1]", false },
    { "a missing key differs", "{\"a\":1,\"b\":2}", "{\"a\":1}", false },
    { "another key differs", "{\"a\":1,\"b\":null}", "{\"a\":1,\"c\":null}", false },
    { "null differs from nothing", "{\"a\":null}", "{}", false },
    { "a number is its value", "[1,100,0.5]", "[1.0,1e2,0.50]", true },
    { "zero has no sign", "[0,-0]", "[-0.0,0]", true },
    { "big integers differ by one", "9007199254740993", "9007199254740992", false },
    { "a number is no text", "1", "\"1\"", false },
    { "true is not false", "true", "false", false },
    { "text differs behind a NUL", "\"a\\u0000b\"", "\"a\\u0000c\"", false },
    { "a prefix differs", "\"ab\"", "\"a\"", false },
    { "depth differs", "[[1]]", "[1]", false },
    { "something deep inside differs", "{\"a\":[{\"b\":[1,{\"c\":2}]}]}",
      "{\"a\":[{\"b\":[1,{\"c\":3}]}]}", false },
    { "an empty list is no empty map", "[]", "{}", false },
};

static void equality_is(void **state)
{
    const struct equal_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *a = json(mem, row->a), *b = json(mem, row->b);
    assert_int_equal(val_equal(a, b), row->are_equal);
    assert_int_equal(val_equal(b, a), row->are_equal);
    assert_true(val_equal(a, a));
    assert_false(val_equal(a, NULL));
}

static void big_maps_in_another_order_are_equal(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *up = val_new_map(mem), *down = val_new_map(mem);
    for (int i = 0; i < 100000; i++) {
        val_add(mem, up, arena_printf(mem, "k%d", i), val_new_int(mem, i));
        val_add(mem, down, arena_printf(mem, "k%d", 99999 - i), val_new_int(mem, 99999 - i));
    }
    val_seal(mem, up);
    val_seal(mem, down);
    assert_true(val_equal(up, down));
    val_sort_keys(up);
    val_sort_keys(down);
    size_t len = 0, other_len = 0;
    assert_string_equal(val_json(mem, up, &len), val_json(mem, down, &other_len));
    assert_int_equal(len, other_len);
}

static void nulls_of_maps_can_be_dropped(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = json(mem, "{\"a\":null,\"b\":{\"c\":null,\"d\":1},\"e\":[null,{\"f\":null}]}");
    val_drop_nulls(v);
    assert_string_equal(val_json(mem, v, NULL), "{\"b\":{\"d\":1},\"e\":[null,{}]}");
}

static void a_walk_comes_to_everything_twice_or_once(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *v = json(mem, "{\"a\":[1,{}],\"b\":\"x\"}");
    SBUF(seen, 1000);
    for (struct val_walk w = val_walk(v); val_walk_next(&w);)
        sbuf_addf(&seen, "%s%s%zu@%zu ", w.is_leaving ? "/" : "", w.key ? w.key : "", w.index,
                  w.depth);
    assert_string_equal(sbuf_text(&seen), "0@0 a0@1 0@2 1@2 /1@2 /a0@1 b1@1 /0@0 ");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(reading_what_is_not_there_is_harmless),
        SINGLE(integers_are_read_if_they_fit),
        SINGLE(values_are_made_piece_by_piece),
        SINGLE(a_needed_map_is_made_once),
        SINGLE(a_map_does_what_an_array_would),
        SINGLE(a_copy_shares_nothing),
        SINGLE(a_copy_of_a_big_map_can_be_searched_and_grown),
        SINGLE(big_maps_in_another_order_are_equal),
        SINGLE(nulls_of_maps_can_be_dropped),
        SINGLE(a_walk_comes_to_everything_twice_or_once),
        ROWS(equal_cases, equality_is),
    };
    return rows_run("val", tests, ARRAY_LEN(tests));
}
