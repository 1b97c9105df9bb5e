#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "doc/object.h"
#include "kube/watch_line.h"

/* -- lines --------------------------------------------------------------------------------------------------------- */

struct taken {
    struct sbuf text; /* each line and a | */
    size_t stop_after, count;
};

static bool take_line(void *ctx, const char *line, size_t len)
{
    struct taken *taken = ctx;
    sbuf_add_bytes(&taken->text, line, len);
    sbuf_add_char(&taken->text, '|');
    return ++taken->count != taken->stop_after;
}

static void lines_are_the_same_however_they_are_cut(void **state)
{
    (void)state;
    static const char stream[] = "{\"a\":1}\n\n{\"b\":\"xyz\"}\r\nlast\nunfinished";
    for (size_t piece = 1; piece <= sizeof(stream); piece++) {
        struct kube_lines lines;
        kube_lines_init(&lines, 100);
        struct taken taken = { .text = { .max = 1000 } };
        for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
            size_t len = MIN_OF(piece, sizeof(stream) - 1 - at);
            assert_null(kube_lines_feed(&lines, stream + at, len, take_line, &taken));
        }
        assert_string_equal(sbuf_text(&taken.text), "{\"a\":1}|{\"b\":\"xyz\"}|last|");
        sbuf_fini(&taken.text);
        kube_lines_fini(&lines);
    }
}

static void a_line_over_the_limit_is_an_error(void **state)
{
    (void)state;
    char line[64];
    memset(line, 'x', sizeof(line));
    for (size_t piece = 1; piece <= sizeof(line); piece += 9) {
        struct kube_lines lines;
        kube_lines_init(&lines, 40);
        struct taken taken = { .text = { .max = 1000 } };
        struct err *e = NULL;
        for (size_t at = 0; at < sizeof(line) && !e; at += piece)
            e = kube_lines_feed(&lines, line + at, MIN_OF(piece, sizeof(line) - at), take_line,
                                &taken);
        assert_true(err_is(e, ERR_LIMIT));
        assert_int_equal(taken.count, 0);
        err_free(e);
        kube_lines_fini(&lines);
    }
}

static void a_whole_line_over_the_limit_is_one_too(void **state)
{
    (void)state;
    struct kube_lines lines;
    kube_lines_init(&lines, 4);
    struct taken taken = { .text = { .max = 1000 } };
    struct err *e = kube_lines_feed(&lines, "1234\n12345\n", 11, take_line, &taken);
    assert_true(err_is(e, ERR_LIMIT));
    assert_string_equal(sbuf_text(&taken.text), "1234|");
    err_free(e);
    sbuf_fini(&taken.text);
    kube_lines_fini(&lines);
}

static void the_receiver_may_stop(void **state)
{
    (void)state;
    struct kube_lines lines;
    kube_lines_init(&lines, 100);
    struct taken taken = { .text = { .max = 1000 }, .stop_after = 2 };
    assert_null(kube_lines_feed(&lines, "a\nb\nc\nd\n", 8, take_line, &taken));
    assert_string_equal(sbuf_text(&taken.text), "a|b|");
    sbuf_fini(&taken.text);
    kube_lines_fini(&lines);
}

static void a_reset_forgets_the_partial_line(void **state)
{
    (void)state;
    struct kube_lines lines;
    kube_lines_init(&lines, 100);
    struct taken taken = { .text = { .max = 1000 } };
    assert_null(kube_lines_feed(&lines, "half", 4, take_line, &taken));
    kube_lines_reset(&lines);
    assert_null(kube_lines_feed(&lines, "whole\n", 6, take_line, &taken));
    assert_string_equal(sbuf_text(&taken.text), "whole|");
    sbuf_fini(&taken.text);
    kube_lines_fini(&lines);
}

/* -- events -------------------------------------------------------------------------------------------------------- */

#define META(more) "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"" more "}}"

static const struct event_case {
    const char *name, *line;
    enum kube_line_type type;
    const char *version;
    bool ends_initial;
} events[] = {
    { "added", "{\"type\":\"ADDED\",\"object\":" META("") "}", KUBE_LINE_ADDED, "7", false },
    { "modified", "{\"object\":" META("") ",\"type\":\"MODIFIED\"}", KUBE_LINE_MODIFIED, "7",
      false },
    { "deleted", "{\"type\":\"DELETED\",\"object\":" META("") "}", KUBE_LINE_DELETED, "7", false },
    { "a bookmark needs no name",
      "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"12746\","
      "\"creationTimestamp\":null}}}",
      KUBE_LINE_BOOKMARK, "12746", false },
    { "the bookmark that ends the initial events",
      "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":"
      "\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"1515\",\"annotations\":"
      "{\"k8s.io/initial-events-end\":\"true\"}}}}",
      KUBE_LINE_BOOKMARK, "1515", true },
    { "an object with that annotation is no mark",
      "{\"type\":\"ADDED\",\"object\":" META(
          ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}") "}",
      KUBE_LINE_ADDED, "7", false },
    { "an error", "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}",
      KUBE_LINE_ERROR, "", false },
};

static void event_is_read(void **state)
{
    const struct event_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_watch_line got;
    assert_null(kube_watch_line_parse(mem, row->line, strlen(row->line), &got));
    assert_int_equal(got.type, row->type);
    assert_string_equal(got.resource_version, row->version);
    assert_int_equal(got.ends_initial, row->ends_initial);
    assert_true(val_is_map(got.object));
}

static const struct garbage_case {
    const char *name, *line;
} garbage[] = {
    { "words are no event", "Internal Server Error" },
    { "half an event is none", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"na" },
    { "a number is no event", "42" },
    { "a list is no event", "[]" },
    { "an unknown type is no event", "{\"type\":\"MOVED\",\"object\":" META("") "}" },
    { "a type of another type is none", "{\"type\":1,\"object\":" META("") "}" },
    { "an event needs an object", "{\"type\":\"ADDED\"}" },
    { "null is no object", "{\"type\":\"ADDED\",\"object\":null}" },
    { "an object needs a version",
      "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}" },
    { "an object needs a name",
      "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}" },
    { "a bookmark needs a version", "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}" },
    { "two events on one line are none",
      "{\"type\":\"ADDED\",\"object\":" META("") "}{\"type\":\"ADDED\",\"object\":" META("") "}" },
};

static void garbage_is_refused(void **state)
{
    const struct garbage_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_watch_line got;
    SCOPED(err_free) struct err *e = kube_watch_line_parse(mem, row->line, strlen(row->line), &got);
    assert_true(err_is(e, ERR_INVALID));
}

/* -- pages --------------------------------------------------------------------------------------------------------- */

static const struct page_case {
    const char *name, *text;
    size_t items; /* SIZE_MAX: refused */
    const char *last, *version, *next;
} pages[] = {
    { "a page with more to come",
      "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"abc\"},"
      "\"items\":[{\"a\":1},{\"b\":[1,2,{\"c\":\"]}\"}]}]}",
      2, "{\"b\":[1,2,{\"c\":\"]}\"}]}", "9", "abc" },
    { "items before metadata", "{\"items\":[{}],\"metadata\":{\"resourceVersion\":\"9\"}}", 1, "{}",
      "9", "" },
    { "blanks everywhere",
      " {\n \"items\" : [ { \"x\" : \"\\\"\" } , {\"y\": 2} ] , \"metadata\" : { } } ", 2,
      "{\"y\": 2}", "", "" },
    { "no items", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}", 0, NULL, "1", "" },
    { "a null in place of items", "{\"items\":null,\"metadata\":{\"resourceVersion\":\"1\"}}", 0,
      NULL, "1", "" },
    { "items deeper down are not the items",
      "{\"metadata\":{\"items\":[1,2,3],\"resourceVersion\":\"3\"},\"items\":[{}]}", 1, "{}", "3",
      "" },
    { "no list", "{\"kind\":\"Status\"}", SIZE_MAX, NULL, NULL, NULL },
    { "items twice", "{\"items\":[],\"items\":[]}", SIZE_MAX, NULL, NULL, NULL },
    { "cut in the middle", "{\"items\":[{\"a\":1},{\"a\":", SIZE_MAX, NULL, NULL, NULL },
    { "cut in a text", "{\"items\":[{\"a\":\"\\", SIZE_MAX, NULL, NULL, NULL },
    { "a comma too many", "{\"items\":[{},]}", SIZE_MAX, NULL, NULL, NULL },
    { "rubbish behind", "{\"items\":[{}]} and more", SIZE_MAX, NULL, NULL, NULL },
    { "broken metadata", "{\"items\":[{}],\"metadata\":{\"a\" 1}}", SIZE_MAX, NULL, NULL, NULL },
    { "nothing", "", SIZE_MAX, NULL, NULL, NULL },
    { "a list that is no map", "[{}]", SIZE_MAX, NULL, NULL, NULL },
};

static void page_is_taken_apart(void **state)
{
    const struct page_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t len = strlen(row->text);
    char *exact = malloc(len + 1); /* as long as the text: the sanitizer sees a step beyond */
    memcpy(exact, row->text, len);
    struct kube_page page;
    SCOPED(err_free) struct err *e = kube_page_parse(mem, exact, len, &page);
    if (row->items == SIZE_MAX) {
        assert_true(err_is(e, ERR_INVALID));
        free(exact);
        return;
    }
    assert_null(e);
    assert_int_equal(page.items.len, row->items);
    assert_string_equal(page.resource_version, row->version);
    assert_string_equal(page.next, row->next);
    if (row->last) {
        struct kube_slice last = page.items.at[page.items.len - 1];
        assert_int_equal(last.len, strlen(row->last));
        assert_memory_equal(last.bytes, row->last, last.len);
    }
    free(exact);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(lines_are_the_same_however_they_are_cut),
        SINGLE(a_line_over_the_limit_is_an_error),
        SINGLE(a_whole_line_over_the_limit_is_one_too),
        SINGLE(the_receiver_may_stop),
        SINGLE(a_reset_forgets_the_partial_line),
        ROWS(events, event_is_read),
        ROWS(garbage, garbage_is_refused),
        ROWS(pages, page_is_taken_apart),
    };
    return rows_run("kube_watch_line", tests, ARRAY_LEN(tests));
}
