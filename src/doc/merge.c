#include "doc/merge.h"

#include <string.h>

#include "base/vec.h"

/* Two maps whose merge or difference goes into `out`, which its parent holds already. */
struct job {
    struct val *out;
    const struct val *from, *patch;
};

struct jobs {
    struct arena *mem;
    VEC(struct job) todo;
};

/* Results share parts with their inputs; both are frozen, so nobody writes through this. */
static struct val *shared(const struct val *v)
{
    return (struct val *)v;
}

static struct val *later(struct jobs *jobs, const struct val *from, const struct val *patch)
{
    struct val *out = val_new_map(jobs->mem);
    *vec_push(jobs->mem, &jobs->todo) = (struct job){ .out = out, .from = from, .patch = patch };
    return out;
}

/* What takes the place of `from` (NULL: nothing there) when `patch`, which is no null, comes over it. */
static struct val *merged(struct jobs *jobs, const struct val *from, const struct val *patch)
{
    return val_is_map(patch) ? later(jobs, from, patch) : shared(patch);
}

static void apply_level(struct jobs *jobs, const struct job *job)
{
    const struct val *from = val_is_map(job->from) ? job->from : NULL;
    for (size_t i = 0; i < val_len(from); i++) {
        const struct val_pair *pair = &from->pairs[i];
        const struct val *patch = val_get(job->patch, pair->key);
        if (!patch)
            val_add(jobs->mem, job->out, pair->key, pair->value);
        else if (!val_is_null(patch))
            val_add(jobs->mem, job->out, pair->key, merged(jobs, pair->value, patch));
    }
    for (size_t i = 0; i < job->patch->len; i++) {
        const struct val_pair *pair = &job->patch->pairs[i];
        if (!val_is_null(pair->value) && !val_get(from, pair->key))
            val_add(jobs->mem, job->out, pair->key, merged(jobs, NULL, pair->value));
    }
    val_seal(jobs->mem, job->out);
}

struct val *doc_merge_apply(struct arena *mem, const struct val *target, const struct val *patch)
{
    struct jobs jobs = { .mem = mem };
    struct val *root = merged(&jobs, target, patch);
    for (size_t i = 0; i < jobs.todo.len; i++) {
        struct job job = jobs.todo.at[i];
        apply_level(&jobs, &job);
    }
    return root;
}

static void diff_level(struct jobs *jobs, const struct job *job)
{
    const struct val *to = job->patch;
    for (size_t i = 0; i < job->from->len; i++) {
        const char *key = job->from->pairs[i].key;
        if (!val_get(to, key))
            val_add(jobs->mem, job->out, key, val_new(jobs->mem, VAL_NULL));
    }
    for (size_t i = 0; i < to->len; i++) {
        const struct val_pair *pair = &to->pairs[i];
        const struct val *before = val_get(job->from, pair->key);
        if (before && val_equal(before, pair->value))
            continue;
        bool are_maps = val_is_map(before) && val_is_map(pair->value);
        val_add(jobs->mem, job->out, pair->key,
                are_maps ? later(jobs, before, pair->value) : pair->value);
    }
    val_seal(jobs->mem, job->out);
}

struct val *doc_merge_diff(struct arena *mem, const struct val *from, const struct val *to)
{
    if (val_equal(from, to))
        return NULL;
    if (!val_is_map(from) || !val_is_map(to))
        return to ? shared(to) : val_new(mem, VAL_NULL);
    struct jobs jobs = { .mem = mem };
    struct val *root = later(&jobs, from, to);
    for (size_t i = 0; i < jobs.todo.len; i++) {
        struct job job = jobs.todo.at[i];
        diff_level(&jobs, &job);
    }
    return root;
}
