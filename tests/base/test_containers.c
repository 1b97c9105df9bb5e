#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/sbuf.h"
#include "base/vec.h"

/* ---- arena ---- */

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *bytes = arena_alloc(mem, size);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, size);
    }
}

static void an_arena_begins_anew_after_a_reset(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(10000);
    for (int round = 0; round < 100; round++) {
        char *text = arena_printf(mem, "%s-%d", "round", round);
        assert_int_equal(strncmp(text, "round-", 6), 0);
        memset(arena_alloc(mem, 8000), round, 8000);
        arena_reset(mem);
        assert_int_equal(arena_used(mem), 0);
    }
}

static void note_order(void *object)
{
    sbuf_add_char(((void **)object)[0], *(char *)((void **)object)[1]);
}

static void what_is_tied_to_an_arena_goes_last_in_first_out(void **state)
{
    (void)state;
    SBUF(order, 16);
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    void *ties[3][2] = { { &order, "a" }, { &order, "b" }, { &order, "c" } };
    for (size_t i = 0; i < 3; i++)
        arena_defer(mem, note_order, ties[i]);
    arena_free(mem);
    assert_string_equal(sbuf_text(&order), "cba");
}

/* ---- sbuf ---- */

static void a_buffer_never_passes_its_maximum(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(buf, 10);
    sbuf_add(&buf, "123456789");
    sbuf_add(&buf, "ab");
    sbuf_add(&buf, "c"); /* would fit, but the failure stays */
    assert_string_equal(sbuf_text(&buf), "123456789");
    const char *text = NULL;
    SCOPED(err_free) struct err *e = sbuf_finish(&buf, mem, &text, NULL);
    assert_true(err_is(e, ERR_LIMIT));
    sbuf_reset(&buf);
    sbuf_addf(&buf, "%s%d", "123456789", 0);
    size_t len = 0;
    assert_null(sbuf_finish(&buf, mem, &text, &len));
    assert_string_equal(text, "1234567890");
    assert_int_equal(len, 10);
}

static const struct json_case {
    const char *name, *text, *json;
} json_cases[] = {
    { "JSON: plain text", "abc", "\"abc\"" },
    { "JSON: quotes and backslashes", "\"\\", "\"\\\"\\\\\"" },
    { "JSON: white space", "\n\r\t", "\"\\n\\r\\t\"" },
    { "JSON: letters that name escapes", "nrt", "\"nrt\"" },
    { "JSON: other control characters", "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"" },
    { "JSON: what HTML minds", "<a>&", "\"\\u003ca\\u003e\\u0026\"" },
    { "JSON: line separators", "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa",
      "\"\\u2028\\u2029\xe2\x80\xaa\"" },
    { "JSON: bad UTF-8, byte by byte", "a\xe2\x82z", "\"a\\ufffd\\ufffdz\"" },
};

static void json_text_is(void **state)
{
    const struct json_case *row = *state;
    SBUF(buf, 1000);
    sbuf_add_json(&buf, row->text, strlen(row->text));
    assert_string_equal(sbuf_text(&buf), row->json);
}

static void urls_keep_only_plain_characters(void **state)
{
    (void)state;
    SBUF(buf, 1000);
    sbuf_add_url(&buf, "aZ09-._~ /?&=\"\xc3\xa9");
    assert_string_equal(sbuf_text(&buf), "aZ09-._~%20%2F%3F%26%3D%22%C3%A9");
}

/* ---- vec ---- */

static void a_vector_grows_on_the_heap_and_in_an_arena(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    VEC(size_t) on_heap = { 0 }, in_arena = { 0 };
    for (size_t i = 0; i < 10000; i++) {
        size_t *item = vec_push(NULL, &on_heap);
        assert_int_equal(*item, 0);
        *item = i;
        *vec_push(mem, &in_arena) = i;
    }
    for (size_t i = 0; i < 10000; i++) {
        assert_int_equal(on_heap.at[i], i);
        assert_int_equal(in_arena.at[i], i);
    }
    vec_fini(&on_heap);
    assert_int_equal(on_heap.len, 0);
}

/* ---- map ---- */

static void a_map_remembers_the_order(void **state)
{
    (void)state;
    SCOPED(map_free) struct map *map = map_new(NULL);
    static const char *const keys[] = { "c", "a", "b" };
    for (size_t i = 0; i < 3; i++)
        map_set(map, keys[i], (void *)keys[i]);
    map_set(map, "a", "again"); /* keeps its place */
    const char *key;
    void *value;
    size_t count = 0;
    for (size_t at = 0; map_next(map, &at, &key, &value); count++)
        assert_string_equal(key, keys[count]);
    assert_int_equal(count, 3);
    assert_string_equal(map_get(map, "a"), "again");
}

static void a_map_finds_what_is_left_after_many_went(void **state)
{
    (void)state;
    SCOPED(map_free) struct map *map = map_new(free);
    char key[16];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 2000; i++) {
            snprintf(key, sizeof(key), "%d", i);
            map_set(map, key, base_copy_text(key));
        }
        for (int i = 0; i < 2000; i++) {
            snprintf(key, sizeof(key), "%d", i);
            if (i % 3)
                assert_true(map_remove(map, key));
        }
        assert_int_equal(map_len(map), 667);
        for (int i = 0; i < 2000; i++) {
            snprintf(key, sizeof(key), "%d", i);
            const char *value = map_get(map, key);
            assert_int_equal(value != NULL, i % 3 == 0);
            if (value)
                assert_string_equal(value, key);
        }
    }
    map_clear(map);
    assert_int_equal(map_len(map), 0);
    assert_null(map_get(map, "0"));
}

static void a_map_may_lose_entries_while_it_is_walked(void **state)
{
    (void)state;
    SCOPED(map_free) struct map *map = map_new(free);
    char key[16];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d", i);
        map_set(map, key, base_copy_text(key));
    }
    const char *at_key;
    int seen = 0;
    for (size_t at = 0; map_next(map, &at, &at_key, NULL); seen++)
        assert_true(map_remove(map, at_key));
    assert_int_equal(seen, 100);
    assert_int_equal(map_len(map), 0);
}

static void a_taken_value_belongs_to_who_took_it(void **state)
{
    (void)state;
    SCOPED(map_free) struct map *map = map_new(free);
    map_set(map, "a", base_copy_text("value"));
    char *value = map_take(map, "a");
    assert_string_equal(value, "value");
    assert_null(map_take(map, "a"));
    assert_false(map_remove(map, "a"));
    free(value);
}

/* ---- err ---- */

static void errors_grow_in_front(void **state)
{
    (void)state;
    SCOPED(err_free) struct err *e = err_new(ERR_CONFLICT, "%d %s", 409, "conflict");
    e = err_with_retry_after(e, 1500);
    e = err_wrap(e, "apply %s", "Deployment/web");
    e = err_wrap(e, "sync");
    assert_string_equal(err_text(e), "sync: apply Deployment/web: 409 conflict");
    SCOPED(err_free) struct err *copy = err_copy(e);
    assert_int_equal(err_kind(copy), ERR_CONFLICT);
    assert_int_equal(err_retry_after_ms(copy), 1500);
    assert_string_equal(err_text(copy), err_text(e));
}

static void no_error_stays_none(void **state)
{
    (void)state;
    assert_null(err_wrap(NULL, "never seen"));
    assert_null(err_copy(NULL));
    assert_false(err_is(NULL, ERR_TRANSIENT));
    assert_string_equal(err_text(NULL), "");
    assert_int_equal(err_retry_after_ms(NULL), -1);
}

static void system_errors_bring_their_text(void **state)
{
    (void)state;
    SCOPED(err_free) struct err *e = err_errno(ERR_NOT_FOUND, 2, "open %s", "file");
    assert_string_equal(err_text(e), "open file: No such file or directory");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(an_arena_gives_zeroed_aligned_memory),
        SINGLE(an_arena_begins_anew_after_a_reset),
        SINGLE(what_is_tied_to_an_arena_goes_last_in_first_out),
        SINGLE(a_buffer_never_passes_its_maximum),
        SINGLE(urls_keep_only_plain_characters),
        SINGLE(a_vector_grows_on_the_heap_and_in_an_arena),
        SINGLE(a_map_remembers_the_order),
        SINGLE(a_map_finds_what_is_left_after_many_went),
        SINGLE(a_map_may_lose_entries_while_it_is_walked),
        SINGLE(a_taken_value_belongs_to_who_took_it),
        SINGLE(errors_grow_in_front),
        SINGLE(no_error_stays_none),
        SINGLE(system_errors_bring_their_text),
        ROWS(json_cases, json_text_is),
    };
    return rows_run("containers", tests, ARRAY_LEN(tests));
}
