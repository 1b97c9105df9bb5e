#include "release/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "doc/field.h"
#include "image/ref.h"

#define RESULTS_MAX ((size_t)100000)
#define DIGEST_KEY  "Digest" /* after Current, Target */

const char *release_status_name(enum release_status status)
{
    switch (status) {
    case RELEASE_UNKNOWN: return "unknown";
    case RELEASE_IGNORED: return "ignored";
    case RELEASE_SKIPPED: return "skipped";
    case RELEASE_SUCCESS: return "success";
    case RELEASE_FAILED: return "failed";
    }
    return "";
}

struct release_outcome *release_result_add(struct arena *mem, struct release_result *result,
                                           const char *id, enum release_status status,
                                           const char *error)
{
    struct release_outcome *outcome = vec_push(mem, result);
    *outcome = (struct release_outcome){
        .id = id, .status = status, .error = error, .is_change_list_null = true
    };
    return outcome;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct release_outcome *)a)->id, ((const struct release_outcome *)b)->id);
}

void release_result_sort(struct release_result *result)
{
    if (result->len > 0)
        qsort(result->at, result->len, sizeof(*result->at), by_id);
}

size_t release_result_count(const struct release_result *result, enum release_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < result->len; i++)
        count += result->at[i].status == status;
    return count;
}

const char *release_result_error(struct arena *mem, const struct release_result *result)
{
    const char *ids = "", *error = "";
    size_t count = 0;
    for (size_t i = 0; i < result->len; i++) {
        const struct release_outcome *outcome = &result->at[i];
        if (outcome->status != RELEASE_FAILED)
            continue;
        ids = count++ == 0 ? outcome->id : arena_printf(mem, "%s, %s", ids, outcome->id);
        error = outcome->error;
    }
    if (count == 0)
        return "";
    return count == 1 ? arena_printf(mem, "%s failed: %s", ids, error)
                      : arena_printf(mem, "Multiple workloads failed: %s", ids);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *release_result_images(struct arena *mem, const struct release_result *result)
{
    VEC(const char *) images = { 0 };
    for (size_t i = 0; i < result->len; i++) {
        const struct release_outcome *outcome = &result->at[i];
        for (size_t c = 0; outcome->status == RELEASE_SUCCESS && c < outcome->changes.len; c++)
            *vec_push(mem, &images) = outcome->changes.at[c].target;
    }
    if (images.len > 0)
        qsort(images.at, images.len, sizeof(*images.at), by_text);
    size_t kept = 0;
    for (size_t i = 0; i < images.len; i++) {
        if (kept == 0 || strcmp(images.at[kept - 1], images.at[i]) != 0)
            images.at[kept++] = images.at[i];
    }
    images.len = kept;
    *vec_push(mem, &images) = NULL;
    return images.at;
}

/* --- JSON */

/* Flux's clients cannot read a reference with a tag and a digest: the digest stands beside it then. */
static void set_image(struct arena *mem, struct val *v, const char *key, const char *image)
{
    struct image_ref ref;
    SCOPED(err_free) struct err *bad = image_ref_parse(mem, image, &ref);
    const bool has_both = !bad && *ref.tag && *ref.digest;
    const char *digest_key = arena_printf(mem, "%s" DIGEST_KEY, key);
    val_set_text(mem, v, key, has_both ? arena_strndup(mem, image, strcspn(image, "@")) : image);
    if (has_both)
        val_set_text(mem, v, digest_key, arena_printf(mem, "sha256:%s", ref.digest));
}

static struct val *changes_json(struct arena *mem, const struct release_outcome *outcome)
{
    if (outcome->changes.len == 0 && outcome->is_change_list_null)
        return val_new(mem, VAL_NULL);
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < outcome->changes.len; i++) {
        const struct release_change *change = &outcome->changes.at[i];
        struct val *v = val_new_map(mem);
        val_set_text(mem, v, "Container", change->container);
        set_image(mem, v, "Current", change->current);
        set_image(mem, v, "Target", change->target);
        val_append(mem, list, v);
    }
    return list;
}

static int by_key(const void *a, const void *b)
{
    const struct release_outcome *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

struct val *release_result_json(struct arena *mem, const struct release_result *result)
{
    struct val *out = val_new_map(mem);
    const struct release_outcome **sorted = arena_alloc(mem, (result->len + 1) * sizeof(*sorted));
    for (size_t i = 0; i < result->len; i++)
        sorted[i] = &result->at[i];
    qsort(sorted, result->len, sizeof(*sorted), by_key);
    for (size_t i = 0; i < result->len; i++) {
        struct val *v = val_new_map(mem);
        val_set_text(mem, v, "Status", release_status_name(sorted[i]->status));
        if (*sorted[i]->error)
            val_set_text(mem, v, "Error", sorted[i]->error);
        val_set(mem, v, "PerContainer", changes_json(mem, sorted[i]));
        val_set(mem, out, sorted[i]->id, v);
    }
    return out;
}

static enum release_status parse_status(const char *name)
{
    for (int status = RELEASE_IGNORED; status <= (int)RELEASE_FAILED; status++) {
        if (strcmp(name, release_status_name((enum release_status)status)) == 0)
            return (enum release_status)status;
    }
    return RELEASE_UNKNOWN;
}

static struct err *parse_image(struct arena *mem, const struct val *v, const char *key,
                               const char **out)
{
    const char *digest;
    TRY(doc_field_text(v, key, out));
    TRY(doc_field_text(v, arena_printf(mem, "%s" DIGEST_KEY, key), &digest));
    if (*digest)
        *out = arena_printf(mem, "%s@%s", *out, digest);
    return NULL;
}

static struct err *parse_change(struct arena *mem, const struct val *v, struct release_change *out)
{
    if (!val_is_map(v))
        return doc_field_wrong("an entry of PerContainer", v, "a map");
    TRY(doc_field_text(v, "Container", &out->container));
    TRY(parse_image(mem, v, "Current", &out->current));
    return parse_image(mem, v, "Target", &out->target);
}

static struct err *parse_outcome(struct arena *mem, const struct val *v,
                                 struct release_outcome *out)
{
    const char *status;
    const struct val *changes;
    if (!val_is_map(v))
        return doc_field_wrong("the result", v, "a map");
    TRY(doc_field_text(v, "Status", &status));
    TRY(doc_field_text(v, "Error", &out->error));
    TRY(doc_field_list(v, "PerContainer", &changes));
    out->status = parse_status(status);
    out->is_change_list_null = !changes;
    for (size_t i = 0; i < val_len(changes); i++)
        TRY(parse_change(mem, changes->items[i], vec_push(mem, &out->changes)));
    return NULL;
}

struct err *release_result_parse(struct arena *mem, const struct val *value,
                                 struct release_result *out)
{
    *out = (struct release_result){ 0 };
    if (val_is_null(value))
        return NULL;
    if (!val_is_map(value))
        return doc_field_wrong("the result", value, "a map");
    if (value->len > RESULTS_MAX)
        return err_new(ERR_LIMIT, "the result has %zu workloads, more than %zu", value->len,
                       RESULTS_MAX);
    for (size_t i = 0; i < value->len; i++) {
        const char *id = value->pairs[i].key;
        struct release_outcome *outcome = release_result_add(mem, out, id, RELEASE_UNKNOWN, "");
        TRY(err_wrap(parse_outcome(mem, value->pairs[i].value, outcome), "%.200s", id));
    }
    release_result_sort(out);
    return NULL;
}

/* --- the table */

/* What is new about the target: its tag; of the same tag, what it is pinned to. */
static const char *new_part(struct arena *mem, const struct release_change *change)
{
    struct image_ref from, to;
    SCOPED(err_free) struct err *bad_to = image_ref_parse(mem, change->target, &to);
    if (bad_to)
        return change->target;
    SCOPED(err_free) struct err *bad_from = image_ref_parse(mem, change->current, &from);
    bool is_same_tag = !bad_from && strcmp(from.tag, to.tag) == 0;
    if (*to.digest && (is_same_tag || *to.tag == '\0'))
        return arena_printf(mem, "%s@sha256:%s", to.tag, to.digest);
    return to.tag;
}

static bool is_hidden(enum release_status status, int verbosity)
{
    return (status == RELEASE_IGNORED && verbosity < 2) ||
           (status == RELEASE_SKIPPED && verbosity < 1);
}

/* The first row says whose they are, those below leave that blank. */
static void add_row(struct sbuf *out, const struct release_outcome *outcome, bool is_first)
{
    sbuf_add_shown(out, is_first ? outcome->id : "");
    sbuf_addf(out, "\t%s\t", is_first ? release_status_name(outcome->status) : "");
}

static void add_outcome(struct arena *mem, struct sbuf *out, const struct release_outcome *outcome)
{
    size_t rows = 0;
    if (*outcome->error) {
        add_row(out, outcome, rows++ == 0);
        sbuf_add_shown(out, outcome->error);
        sbuf_add_char(out, '\n');
    }
    for (size_t i = 0; i < outcome->changes.len; i++) {
        const struct release_change *change = &outcome->changes.at[i];
        add_row(out, outcome, rows++ == 0);
        sbuf_add_shown(out, arena_printf(mem, "%s: %s -> %s", change->container, change->current,
                                         new_part(mem, change)));
        sbuf_add_char(out, '\n');
    }
    if (rows == 0) {
        add_row(out, outcome, true);
        sbuf_add(out, "\n");
    }
}

const char *release_result_table(struct arena *mem, const struct release_result *result,
                                 int verbosity)
{
    SBUF(text, SBUF_MAX);
    SBUF(table, SBUF_MAX);
    sbuf_add(&text, "WORKLOAD \tSTATUS \tUPDATES\n");
    for (size_t i = 0; i < result->len; i++) {
        if (!is_hidden(result->at[i].status, verbosity))
            add_outcome(mem, &text, &result->at[i]);
    }
    table_layout(&table, sbuf_text(&text));
    return arena_strdup(mem, sbuf_text(&table));
}
