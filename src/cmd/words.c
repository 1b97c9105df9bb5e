#include "cmd/words.h"

#include <ctype.h>
#include <string.h>

#include "base/vec.h"

#define TEXT_MAX_BYTES ((size_t)1 << 20)

const char *words_sha(struct arena *mem, const char *sha)
{
    return arena_strndup(mem, sha, strnlen(sha, WORDS_SHA_CHARS));
}

const char *words_age(struct arena *mem, int64_t seconds)
{
    static const struct {
        int64_t from, unit;
        const char *name;
    } units[] = {
        { 172800, 86400, "days" }, { 7200, 3600, "h" }, { 120, 60, "min" }, { 0, 1, "s" }
    };
    size_t i = 0;
    seconds = MAX_OF(seconds, 0);
    while (seconds < units[i].from)
        i++;
    return arena_printf(mem, "%lld %s", (long long)(seconds / units[i].unit), units[i].name);
}

const char *words_commit(struct arena *mem, const struct val *commit)
{
    int64_t age = 0;
    if (!val_is_map(commit))
        return "none";
    (void)val_int(val_get(commit, "ageSeconds"), &age);
    return sbuf_shown(mem, arena_printf(mem, "%s \"%s\" by %s, %s old",
                                        words_sha(mem, val_text_or(val_get(commit, "sha"), "")),
                                        val_text_or(val_get(commit, "subject"), ""),
                                        val_text_or(val_get(commit, "author"), ""),
                                        words_age(mem, age)));
}

/* " (web.yaml:3)", "web.yaml:3" */
static void add_place(struct sbuf *out, const struct val *trouble)
{
    int64_t line = 0;
    sbuf_add(out, val_text_or(val_get(trouble, "path"), ""));
    if (val_int(val_get(trouble, "line"), &line) && line)
        sbuf_addf(out, ":%lld", (long long)line);
}

static void add_object(struct sbuf *out, const struct val *object)
{
    const char *ns = val_text_or(val_get(object, "namespace"), "");
    if (*ns)
        sbuf_addf(out, "%s/", ns);
    for (const char *c = val_text_or(val_get(object, "kind"), ""); *c; c++)
        sbuf_add_char(out, (char)tolower((unsigned char)*c));
    sbuf_addf(out, "/%s", val_text_or(val_get(object, "name"), ""));
    if (*val_text_or(val_get(object, "path"), "")) {
        sbuf_add(out, " (");
        add_place(out, object);
        sbuf_add(out, ")");
    }
    sbuf_addf(out, ": %s", val_text_or(val_get(object, "outcome"), ""));
}

const char *words_trouble(struct arena *mem, const struct val *trouble)
{
    SBUF(text, TEXT_MAX_BYTES);
    const char *message = val_text_or(val_get(trouble, "message"), "");
    if (!val_get(trouble, "kind")) /* of a file: begins with its place, spelt out, already */
        return sbuf_shown(mem, message);
    add_object(&text, trouble);
    if (*message)
        sbuf_addf(&text, ": %s", message);
    return sbuf_shown(mem, sbuf_text(&text));
}

const struct val *words_shown(struct arena *mem, const struct val *said)
{
    VEC(struct val *) todo = { 0 };
    struct val *copy = said ? val_copy(mem, said) : NULL;
    if (copy)
        *vec_push(mem, &todo) = copy;
    while (todo.len) {
        struct val *at = todo.at[--todo.len];
        if (at->type == VAL_STRING)
            at->text = sbuf_shown(mem, at->text);
        for (size_t i = 0; val_is_list(at) && i < at->len; i++)
            *vec_push(mem, &todo) = at->items[i];
        for (size_t i = 0; val_is_map(at) && i < at->len; i++) {
            at->pairs[i].key = sbuf_shown(mem, at->pairs[i].key);
            *vec_push(mem, &todo) = at->pairs[i].value;
        }
    }
    return copy;
}
