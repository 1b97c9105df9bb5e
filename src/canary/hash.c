#include "canary/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define OURS      "s1-"
#define HEX_BYTES 8 /* of the digest: what is shown */
#define HEX_CHARS ((size_t)16)

static const char *hash_text(struct arena *mem, const char *text, size_t len)
{
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(text, len, digest);
    return hash_hex(mem, digest, HEX_BYTES);
}

/* -- canonical values ------------------------------------------------------------------------ */

static bool is_container(const struct val *v)
{
    return v->type == VAL_LIST || v->type == VAL_MAP;
}

/* The same number in the same words: 1, 1.0 and 1e0 are one. */
static struct val *canonical_number(struct arena *mem, const struct val *v)
{
    int64_t whole;
    if (val_int(v, &whole))
        return val_new_int(mem, whole);
    double number = strtod(v->text, NULL);
    return isfinite(number) ? val_new_double(mem, number) : val_copy_sharing(mem, v);
}

static void attach(struct arena *mem, struct val *parent, const char *key, struct val *v)
{
    if (parent->type == VAL_LIST) /* places in a list mean something */
        val_append(mem, parent, v);
    else if (!val_is_null(v) && !(is_container(v) && v->len == 0))
        val_add(mem, parent, key, v);
}

/* What is set in `v`, keys sorted. */
static struct val *canonical(struct arena *mem, const struct val *v)
{
    struct val *open[VAL_DEPTH_MAX] = { 0 }, *root = val_new(mem, VAL_NULL);
    size_t depth = 0;
    for (struct val_walk w = val_walk(v); v && val_walk_next(&w);) {
        struct val *done;
        if (is_container(w.v) && !w.is_leaving) {
            open[depth++] = val_new(mem, w.v->type);
            continue;
        }
        if (is_container(w.v))
            done = open[--depth];
        else if (w.v->type == VAL_NUMBER)
            done = canonical_number(mem, w.v);
        else
            done = val_copy_sharing(mem, w.v);
        if (depth > 0)
            attach(mem, open[depth - 1], w.key, done);
        else
            root = done;
    }
    val_sort_keys(root);
    return root;
}

const char *canary_hash_revision(struct arena *mem, const struct val *v)
{
    size_t len;
    const char *text = val_json(mem, canonical(mem, v), &len);
    return arena_printf(mem, OURS "%s", hash_text(mem, text, len));
}

bool canary_hash_is_ours(const char *hash)
{
    size_t prefix = strlen(OURS);
    return strncmp(hash, OURS, prefix) == 0 && strlen(hash + prefix) == HEX_CHARS &&
           strspn(hash + prefix, "0123456789abcdef") == HEX_CHARS;
}

/* -- configs --------------------------------------------------------------------------------- */

const char *canary_hash_config(struct arena *mem, const struct val *data)
{
    size_t len = 0;
    struct val *sorted = val_copy_sharing(mem, data);
    if (!sorted)
        return hash_text(mem, "null", 4);
    val_sort_keys(sorted);
    const char *text = val_json(mem, sorted, &len);
    return hash_text(mem, text, len);
}

/* -- payloads -------------------------------------------------------------------------------- */

#define FNV_OFFSET 2166136261u
#define FNV_PRIME  16777619u
#define SPEW_MAX   ((size_t)8 << 20)

/* The decimal digits of FNV-1a, spelled with letters that make no words. */
static const char *fnv_word(struct arena *mem, const char *text, size_t len)
{
    static const char letters[] = "456789bcdf";
    uint32_t hash = FNV_OFFSET;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * FNV_PRIME;
    char *word = arena_printf(mem, "%lu", (unsigned long)hash);
    for (char *at = word; *at; at++)
        *at = letters[*at - '0'];
    return word;
}

const char *canary_hash_payload(struct arena *mem, const struct val *tracked,
                                const char *last_applied)
{
    SBUF(text, SPEW_MAX);
    sbuf_add(&text, "(struct { TrackedConfigs *map[string]string; LastAppliedSpec string })"
                    "{TrackedConfigs:(*map[string]string)");
    struct val *sorted = val_is_map(tracked) ? val_copy_sharing(mem, tracked) : NULL;
    if (sorted)
        val_sort_keys(sorted);
    sbuf_add(&text, sorted ? "map[" : "<nil>");
    for (size_t i = 0; i < val_len(sorted); i++)
        sbuf_addf(&text, "%s%s:%s", i ? " " : "", sorted->pairs[i].key,
                  val_text_or(sorted->pairs[i].value, ""));
    sbuf_addf(&text, "%s LastAppliedSpec:(string)%s}", sorted ? "]" : "", last_applied);
    return fnv_word(mem, sbuf_text(&text), text.len);
}
