#include "release/rewrite.h"

#include <string.h>

#include "base/map.h"
#include "doc/edit.h"
#include "doc/yaml.h"

#define LISTS_MAX 16 /* Lists in Lists: more than manifests are read with */

/* An object of the file: its document, and the way to it in there. */
struct spot {
    const struct val *object;
    size_t document;
    const struct doc_step *way;
};

struct rewriter {
    struct arena *mem;
    struct doc_edit *edit;
    struct map *spots; /* by place */
};

/* ---- where a workload stands ---- */

static const char *place_key(struct arena *mem, uint32_t line, uint32_t column)
{
    return arena_printf(mem, "%u:%u", line, column);
}

/* What an alias brings in again stands where it stood first. */
static void note_spot(struct rewriter *r, const struct val *v, size_t document,
                      const struct doc_step *way, size_t steps)
{
    const char *key = place_key(r->mem, v->line, v->column);
    if (map_get(r->spots, key))
        return;
    struct doc_step *copy = arena_alloc(r->mem, (steps + 1) * sizeof(*copy));
    memcpy(copy, way, steps * sizeof(*copy));
    copy[steps] = DOC_END;
    struct spot *spot = arena_alloc(r->mem, sizeof(*spot));
    *spot = (struct spot){ v, document, copy };
    map_set(r->spots, key, spot);
}

/* The object, and those of a List, each with the way to it: "items" and an index for each List. */
static void note_spots(struct rewriter *r, const struct val *root, size_t document)
{
    struct doc_step way[2 * LISTS_MAX];
    struct {
        const struct val *items;
        size_t next;
    } stack[LISTS_MAX];
    size_t depth = 0;
    for (const struct val *v = root; v;) {
        note_spot(r, v, document, way, 2 * depth);
        const struct val *items = val_get(v, "items");
        if (val_is_list(items) && depth < LISTS_MAX) {
            stack[depth].items = items;
            stack[depth++].next = 0;
        }
        while (depth && stack[depth - 1].next >= val_len(stack[depth - 1].items))
            depth--;
        if (!depth)
            break;
        way[2 * depth - 2] = DOC_KEY("items");
        way[2 * depth - 1] = DOC_AT(stack[depth - 1].next);
        v = val_item(stack[depth - 1].items, stack[depth - 1].next++);
    }
}

static const struct spot *find_spot(const struct rewriter *r,
                                    const struct release_workload *workload)
{
    const struct spot *spot =
        map_get(r->spots, place_key(r->mem, workload->line, workload->column));
    const struct val *object = spot ? spot->object : NULL;
    const char *name = val_text_or(VAL_PATH(object, "metadata", "name"), "");
    const char *kind = val_text_or(val_get(object, "kind"), "");
    return spot && !strcmp(name, workload->name) && !strcmp(kind, workload->kind) ? spot : NULL;
}

/* ---- editing ---- */

static size_t count_steps(const struct doc_step *path)
{
    size_t count = 0;
    while (path[count].key || path[count].index != DOC_EDIT_END)
        count++;
    return count;
}

/* Both one after the other, without the last step of the second, which is given back: the key of an entry. */
static const struct doc_step *join(struct arena *mem, const struct doc_step *way,
                                   const struct doc_step *path, const char **key)
{
    size_t before = count_steps(way), behind = count_steps(path);
    struct doc_step *all = arena_alloc(mem, (before + behind + 1) * sizeof(*all));
    memcpy(all, way, before * sizeof(*all));
    memcpy(all + before, path, behind * sizeof(*all));
    ASSERT(behind && path[behind - 1].key);
    *key = path[behind - 1].key;
    all[before + behind - 1] = DOC_END;
    return all;
}

/* An image that a container has through a merge key is written into the container itself: so it is put, not set. */
MUST_USE static struct err *edit_images(struct rewriter *r, size_t document,
                                        const struct doc_step *way, const struct release_edit *edit)
{
    for (size_t i = 0; i < edit->image_count; i++) {
        struct image_write writes[3];
        size_t count =
            image_place_write(r->mem, edit->images[i].place, &edit->images[i].ref, writes);
        for (size_t k = 0; k < count; k++) {
            const char *key;
            const struct doc_step *path = join(r->mem, way, writes[k].path, &key);
            TRY(doc_edit_put(r->edit, document, path, key, writes[k].text));
        }
    }
    return NULL;
}

MUST_USE static struct err *edit_annotations(struct rewriter *r, size_t document,
                                             const struct doc_step *way,
                                             const struct release_edit *edit)
{
    static const struct doc_step annotations[] = { DOC_KEY("metadata"), DOC_KEY("annotations"),
                                                   DOC_KEY(""), DOC_END };
    const char *unused;
    const struct doc_step *path = join(r->mem, way, annotations, &unused);
    for (size_t i = 0; i < val_len(edit->annotations); i++) {
        const struct val_pair *pair = &edit->annotations->pairs[i];
        const char *text = val_text_or(pair->value, "");
        if (*text)
            TRY(doc_edit_put(r->edit, document, path, pair->key, text));
        else
            doc_edit_remove(r->edit, document, path, pair->key);
    }
    return NULL;
}

MUST_USE static struct err *edit_workload(struct rewriter *r, const struct release_edit *edit)
{
    const struct spot *spot = find_spot(r, edit->workload);
    if (!spot)
        return err_new(ERR_INVALID, "%s is not here (any more)", edit->workload->id);
    TRY(edit_images(r, spot->document, spot->way, edit));
    return edit_annotations(r, spot->document, spot->way, edit);
}

/* A path that is missing is as wrong as any other here. */
MUST_USE static struct err *place_error(struct err *e, const char *path, uint32_t line)
{
    if (!e)
        return NULL;
    SCOPED(err_free) struct err *cause = e;
    enum err_kind kind = err_is(e, ERR_LIMIT) ? ERR_LIMIT : ERR_INVALID;
    return line ? err_new(kind, "%s:%u: %s", path, line, err_text(cause))
                : err_new(kind, "%s: %s", path, err_text(cause));
}

static bool is_of(const struct release_edit *edit, const struct release_file *file)
{
    return !edit->workload->is_generated && !strcmp(edit->workload->path, file->path);
}

/* All that is of use for this one file alone is in r->mem. */
MUST_USE static struct err *edit_file(struct rewriter *r, const struct release_file *file,
                                      const struct release_edits *edits, struct release_file *out,
                                      bool *is_changed)
{
    struct doc_pos at = { 0 };
    struct doc_yaml_list docs = { 0 };
    struct err *e =
        doc_yaml_load(r->mem, file->text, file->len, &doc_yaml_default_limits, &docs, &at);
    TRY(place_error(e, file->path, at.line));
    for (size_t i = 0; i < docs.len; i++)
        note_spots(r, docs.at[i].root, i);
    e = doc_edit_new(r->mem, file->text, file->len, &doc_yaml_default_limits, &r->edit, &at);
    TRY(place_error(e, file->path, at.line));
    for (size_t i = 0; i < edits->len; i++) {
        if (is_of(&edits->at[i], file))
            TRY(place_error(edit_workload(r, &edits->at[i]), file->path,
                            edits->at[i].workload->line));
    }
    e = doc_edit_finish(r->edit, &out->text, &out->len, is_changed);
    return place_error(e, file->path, 0);
}

struct err *release_rewrite(struct arena *mem, const struct release_file *file,
                            const struct release_edits *edits, struct release_file *out,
                            bool *is_changed)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    struct rewriter r = { .mem = scratch, .spots = map_new_in(scratch) };
    *out = *file;
    TRY(edit_file(&r, file, edits, out, is_changed));
    if (*is_changed)
        out->text = arena_strndup(mem, out->text, out->len);
    else
        *out = *file;
    return NULL;
}

/* ---- verifying ---- */

/* IDs have no blanks. */
static const char *edit_key(struct arena *mem, const struct release_workload *workload)
{
    return arena_printf(mem, "%s %s", workload->id, workload->path);
}

/* By workload and file; the first of several. */
static struct map *map_edits(struct arena *mem, const struct release_edits *edits)
{
    struct map *map = map_new_in(mem);
    for (size_t i = edits->len; i > 0; i--)
        map_set(map, edit_key(mem, edits->at[i - 1].workload), &edits->at[i - 1]);
    return map;
}

/* The reference a container is to have: the one it had, or the one of its edit. Of containers of one name (an init container
 * may have that of another) each is known by its place. */
static const struct image_ref *expected_ref(const struct release_edit *edit,
                                            const struct image_places *before, size_t at)
{
    for (size_t i = 0; edit && i < edit->image_count; i++) {
        const struct image_places *known = &edit->workload->places;
        bool is_same_list = known->len == before->len && known->len > at;
        if (is_same_list && edit->images[i].place == &known->at[at])
            return &edit->images[i].ref;
        bool is_elsewhere =
            edit->images[i].place < known->at || edit->images[i].place >= known->at + known->len;
        if (is_elsewhere && !strcmp(edit->images[i].place->container, before->at[at].container))
            return &edit->images[i].ref;
    }
    return &before->at[at].ref;
}

MUST_USE static struct err *verify_workload(struct arena *mem,
                                            const struct release_workload *before,
                                            const struct release_workload *after,
                                            const struct release_edit *edit)
{
    if (before->places.len != after->places.len)
        return err_new(ERR_INVALID, "resource \"%s\" should have %zu containers, but has %zu",
                       before->id, before->places.len, after->places.len);
    for (size_t i = 0; i < before->places.len; i++) {
        const struct image_place *old = &before->places.at[i], *new = &after->places.at[i];
        if (strcmp(old->container, new->container) != 0)
            return err_new(ERR_INVALID,
                           "container %zu in resource \"%s\" should be \"%s\", but is \"%s\"",
                           i + 1, before->id, old->container, new->container);
        const char *want = image_ref_write(mem, expected_ref(edit, &before->places, i));
        const char *got = image_ref_write(mem, &new->ref);
        if (strcmp(want, got) != 0)
            return err_new(ERR_INVALID,
                           "the image for container \"%s\" in resource \"%s\" should be \"%s\", "
                           "but is \"%s\"",
                           old->container, before->id, want, got);
    }
    return NULL;
}

MUST_USE static struct err *verify_all(struct arena *mem, const struct release_survey *before,
                                       const struct release_survey *after,
                                       const struct release_edits *edits)
{
    const struct map *by_workload = map_edits(mem, edits);
    for (size_t i = 0; i < before->len || i < after->len; i++) {
        const struct release_workload *old = i < before->len ? &before->at[i] : NULL;
        const struct release_workload *new = i < after->len ? &after->at[i] : NULL;
        int order = !old ? 1 : !new ? -1 : strcmp(old->id, new->id);
        if (order < 0)
            return err_new(ERR_INVALID, "resource \"%s\" is missing after the update", old->id);
        if (order > 0)
            return err_new(ERR_INVALID, "resource \"%s\" was not there before the update", new->id);
        TRY(verify_workload(mem, old, new, map_get(by_workload, edit_key(mem, old))));
    }
    return NULL;
}

struct err *release_rewrite_verify(struct arena *mem, const struct release_survey *before,
                                   const struct release_survey *after,
                                   const struct release_edits *edits)
{
    if (after->problems.len > before->problems.len)
        return err_new(ERR_INVALID, "loading resources after updates: %s",
                       manifest_problem_format(mem, &after->problems.at[after->problems.len - 1]));
    return err_wrap(verify_all(mem, before, after, edits),
                    "verifying changes: failed to verify changes");
}

struct err *release_rewrite_verify_file(const struct release_file *before,
                                        const struct release_file *after, const char *default_ns,
                                        const struct release_edits *edits)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_survey old = { 0 }, new = { 0 };
    release_survey_add(mem, &old, before, default_ns);
    release_survey_add(mem, &new, after, default_ns);
    release_survey_seal(mem, &old);
    release_survey_seal(mem, &new);
    return release_rewrite_verify(mem, &old, &new, edits);
}
