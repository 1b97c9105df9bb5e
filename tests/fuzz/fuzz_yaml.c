#include <stdint.h>
#include <string.h>

#include "doc/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small limits, so that bombs are refused within a fuzzer's patience. */
static const struct doc_yaml_limits limits = { .bytes = (size_t)1 << 20,
                                               .scalar = (size_t)1 << 18,
                                               .nodes = 20000,
                                               .depth = DOC_DEPTH_MAX,
                                               .documents = 100 };

/* Text that go-yaml's writer, which ours follows, cannot be read back from: literals that begin with white space carry a
 * fixed indent hint, and << is written like any key. */
static bool is_beyond_the_writer(const char *text, size_t len)
{
    bool begins_blank = len && strchr(" \t\n\r\xc2\xe2", text[0]) && memchr(text, '\n', len);
    bool has_odd_break =
        len && (memmem(text, len, "\xc2\x85", 2) || memmem(text, len, "\xe2\x80\xa8", 3) ||
                memmem(text, len, "\xe2\x80\xa9", 3));
    return begins_blank || has_odd_break || (len == 2 && !memcmp(text, "<<", 2));
}

static bool is_beyond(const struct val *v)
{
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        bool is_text = w.v->type == VAL_STRING;
        if ((w.key && is_beyond_the_writer(w.key, strlen(w.key))) ||
            (is_text && is_beyond_the_writer(w.v->text, w.v->len)))
            return true;
    }
    return false;
}

/* What was read survives being written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    struct doc_pos at = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, (const char *)data, size, &limits, &docs, &at);
    ASSERT(!e || (at.line && at.column));
    for (size_t i = 0; i < docs.len; i++) {
        SBUF(text, SBUF_MAX);
        struct doc_yaml_list again = { 0 };
        doc_yaml_emit(docs.at[i].root, &text);
        SCOPED(err_free)
        struct err *second =
            doc_yaml_load(mem, sbuf_text(&text), text.len, &doc_yaml_default_limits, &again, NULL);
        if (!docs.at[i].root || is_beyond(docs.at[i].root))
            continue;
        ASSERT(!second && again.len == 1 && val_equal(docs.at[i].root, again.at[0].root));
    }
    return 0;
}
