/* Lists the images of workloads, and the tags there are of each: those of registries as they are known after a moment. */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/rows.h"
#include "base/map.h"
#include "image/live.h"
#include "image/pattern.h"
#include "image/place.h"
#include "image/policy.h"
#include "release/spec.h"

#define TAGS_AGE_MS  60000
#define TAGS_WAIT_MS 15000
#define ROW_BYTES \
    ((size_t)256 << 20) /* of memory for one workload: its answer would be too long by far */

enum field {
    FIELD_NAME = 1,
    FIELD_CURRENT = 2,
    FIELD_LATEST = 4,
    FIELD_AVAILABLE = 8,
    FIELD_ERROR = 16,
    FIELD_COUNT = 32,
    FIELD_NEW_COUNT = 64,
    FIELD_FILTERED = 128,
    FIELD_NEW_FILTERED = 256,
    FIELD_ALL = 511,
};

static const struct {
    const char *name;
    enum field field;
} field_names[] = {
    { "Name", FIELD_NAME },
    { "Current", FIELD_CURRENT },
    { "LatestFiltered", FIELD_LATEST },
    { "Available", FIELD_AVAILABLE },
    { "AvailableError", FIELD_ERROR },
    { "AvailableImagesCount", FIELD_COUNT },
    { "NewAvailableImagesCount", FIELD_NEW_COUNT },
    { "FilteredImagesCount", FIELD_FILTERED },
    { "NewFilteredImagesCount", FIELD_NEW_FILTERED },
};

struct container {
    const char *name;
    struct image_ref ref;
};

/* A live workload, kept until tags are there. */
struct workload {
    const char *id;
    VEC(struct container) containers;
};

struct images {
    struct api_call *call;
    unsigned fields; /* enum field */
    struct image_live *live;
    ticket ask;
    VEC(struct workload) workloads;
    VEC(struct image_wish) wishes;
    struct map *wished; /* canonical names */
    struct api_rows rows;
    /* While the answer is made. */
    struct arena *mem;
    struct map *sorted; /* canonical name and pattern -> struct sorted */
};

/* --- one container */

static struct val *bare_info(struct arena *mem, const char *id)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "ID", id);
    val_set(mem, value, "Labels", val_new_map(mem));
    return value;
}

static void set_count(struct arena *mem, struct val *value, const char *key, size_t count)
{
    if (count)
        val_set(mem, value, key, val_new_int(mem, (int64_t)count));
}

/* How many come before the current one, which may not be among them. */
static size_t count_newer(const struct image_info *const *infos, size_t count,
                          const struct image_info *current)
{
    size_t newer = 0;
    while (newer < count && infos[newer] != current)
        newer++;
    return newer;
}

/* What runs: of an image pinned by digest alone the tag that has it, which may have others as well. */
static const struct image_info *find_current(const struct image_repo *repo,
                                             const struct image_ref *ref)
{
    if (!repo || *ref->tag || *ref->digest == '\0')
        return image_repo_find(repo, ref->tag);
    for (size_t i = 0; i < repo->count; i++) {
        const char *digest = repo->infos[i].is_known ? repo->infos[i].digest : "";
        if (!strncmp(digest, "sha256:", 7) && !strcmp(digest + 7, ref->digest))
            return &repo->infos[i];
    }
    return NULL;
}

/* The tags of a repository by one pattern: sorted once, however many containers run of it. */
struct sorted {
    const struct image_repo *repo;
    const struct image_info **available, **filtered;
    size_t available_count, filtered_count;
};

struct shown {
    const struct sorted *tags;
    const struct image_info *current; /* NULL: not known */
    size_t newer_filtered;
};

/* Of a current image that the pattern leaves out: those of the filtered ones that come before it in the order of all. */
static size_t count_newer_filtered(const struct shown *shown)
{
    const struct sorted *tags = shown->tags;
    size_t newer = 0, at = 0;
    for (size_t i = 0; i < tags->available_count && at < tags->filtered_count; i++) {
        if (tags->available[i] == shown->current)
            return newer;
        if (tags->available[i] == tags->filtered[at]) {
            newer++;
            at++;
        }
    }
    return newer;
}

static void sort_tags(struct arena *mem, const char *text, struct sorted *out)
{
    struct image_pattern *pattern = NULL;
    SCOPED(err_free) struct err *e = image_pattern_parse(mem, text, &pattern);
    if (e) /* a mistake in git: what there is can be shown all the same */
        err_free(image_pattern_parse(mem, NULL, &pattern));
    out->available = image_pattern_sort(mem, pattern, out->repo, &out->available_count);
    out->filtered = image_pattern_select(mem, pattern, out->repo, &out->filtered_count);
}

static const struct sorted *find_sorted(struct images *images, const char *name, const char *text)
{
    struct image_scans *scans = images->call->api->opts.scans;
    const char *key = arena_printf(images->mem, "%s\n%s", name, text ? text : "");
    struct sorted *sorted = map_get(images->sorted, key);
    if (sorted)
        return sorted;
    sorted = arena_alloc(images->mem, sizeof(*sorted));
    sorted->repo = scans ? image_scans_find(scans, name) : NULL;
    sort_tags(images->mem, text, sorted);
    map_set(images->sorted, key, sorted);
    return sorted;
}

static void look_at(struct images *images, const struct container *container,
                    const struct val *policies, struct shown *out)
{
    const char *name = image_ref_canonical_name(images->rows.scratch, &container->ref);
    out->tags = find_sorted(images, name, image_policy_tag(policies, container->name));
    out->current = find_current(out->tags->repo, &container->ref);
    out->newer_filtered = count_newer_filtered(out);
}

static struct val *info_json(struct arena *mem, const struct container *container,
                             const struct image_info *info)
{
    return info ? image_info_json(mem, &container->ref, info) : bare_info(mem, "");
}

/* That it runs is known even where the registry says nothing of it. */
static struct val *current_json(struct arena *mem, const struct container *container,
                                const struct shown *shown, unsigned fields)
{
    if ((fields & FIELD_CURRENT) == 0)
        return bare_info(mem, "");
    return shown->current ? image_info_json(mem, &container->ref, shown->current)
                          : bare_info(mem, image_ref_format(mem, &container->ref));
}

static void add_available(struct arena *mem, struct val *value, const struct container *container,
                          const struct sorted *tags)
{
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < tags->available_count; i++)
        val_append(mem, list, image_info_json(mem, &container->ref, tags->available[i]));
    if (val_len(list))
        val_set(mem, value, "Available", list);
}

static struct val *container_json(struct images *images, const struct container *container,
                                  const struct val *policies)
{
    struct arena *mem = images->rows.scratch;
    unsigned fields = images->fields;
    struct val *value = val_new_map(mem);
    struct shown shown = { 0 };
    look_at(images, container, policies, &shown);
    const struct sorted *tags = shown.tags;
    const struct image_info *latest =
        fields & FIELD_LATEST && tags->filtered_count ? tags->filtered[0] : NULL;
    if (fields & FIELD_NAME)
        val_set_text(mem, value, "Name", container->name);
    val_set(mem, value, "Current", current_json(mem, container, &shown, fields));
    val_set(mem, value, "LatestFiltered", info_json(mem, container, latest));
    if (fields & FIELD_AVAILABLE)
        add_available(mem, value, container, tags);
    if (fields & FIELD_COUNT)
        set_count(mem, value, "AvailableImagesCount", tags->available_count);
    if (fields & FIELD_NEW_COUNT)
        set_count(mem, value, "NewAvailableImagesCount",
                  count_newer(tags->available, tags->available_count, shown.current));
    if (fields & FIELD_FILTERED)
        set_count(mem, value, "FilteredImagesCount", tags->filtered_count);
    if (fields & FIELD_NEW_FILTERED)
        set_count(mem, value, "NewFilteredImagesCount", shown.newer_filtered);
    return value;
}

/* --- the answer */

static struct val *containers_json(struct images *images, const struct workload *workload)
{
    struct arena *mem = images->rows.scratch;
    struct val *containers = val_new_list(mem);
    const struct val *policies =
        image_policy_read(mem, api_services_annotations(images->call->api, mem, workload->id));
    for (size_t i = 0; i < workload->containers.len && !images->rows.is_over; i++) {
        val_append(mem, containers, container_json(images, &workload->containers.at[i], policies));
        images->rows.is_over |= arena_used(mem) > ROW_BYTES;
    }
    return val_len(containers) ? containers : val_new(mem, VAL_NULL);
}

static void add_rows(struct images *images)
{
    struct arena *mem = images->rows.scratch;
    for (size_t i = 0; i < images->workloads.len && !images->rows.is_over; i++) {
        const struct workload *workload = &images->workloads.at[i];
        arena_reset(mem);
        struct val *value = val_new_map(mem);
        val_set_text(mem, value, "ID", workload->id);
        val_set(mem, value, "Containers", containers_json(images, workload));
        api_rows_add(&images->rows, images->call, workload->id, value);
    }
}

static void answer(void *ctx)
{
    struct images *images = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(map_free) struct map *sorted = map_new(NULL);
    images->ask = 0;
    images->mem = mem;
    images->sorted = sorted;
    add_rows(images);
    api_rows_answer(&images->rows, images->call); /* the end of it all */
}

static void on_workloads(void *ctx, const struct err *e)
{
    struct images *images = ctx;
    struct image_scans *scans = images->call->api->opts.scans;
    images->live = NULL;
    if (e)
        api_call_fail_server(images->call, e);
    else if (scans && images->wishes.len)
        images->ask = image_scans_ask(scans, images->wishes.at, images->wishes.len, TAGS_AGE_MS,
                                      TAGS_WAIT_MS, answer, images);
    else
        answer(images);
}

/* --- the cluster */

static const struct image_pull *copy_pull(struct arena *mem, const struct val *object)
{
    struct image_pull *pull = arena_alloc(mem, sizeof(*pull));
    image_place_pull(mem, object, pull);
    pull->service_account = arena_strdup(mem, pull->service_account);
    pull->secrets = arena_copy_texts(mem, pull->secrets);
    return pull;
}

static void wish_for(struct images *images, const struct image_ref *ref, const char *ns,
                     const struct val *object)
{
    struct arena *mem = images->call->mem;
    const char *name = image_ref_canonical_name(mem, ref);
    if (map_get(images->wished, name))
        return;
    map_set(images->wished, name, images);
    *vec_push(mem, &images->wishes) = (struct image_wish){ .ref = *ref,
                                                           .ns = arena_strdup(mem, ns),
                                                           .pull = *copy_pull(mem, object) };
}

static void on_workload(void *ctx, const struct val *object, const struct image_workload *workload)
{
    struct images *images = ctx;
    struct arena *mem = images->call->mem;
    struct workload *kept = vec_push(mem, &images->workloads);
    kept->id = arena_strdup(mem, workload->id);
    for (size_t i = 0; i < workload->containers.len; i++) {
        const struct image_container *from = &workload->containers.at[i];
        struct container container = { .name = arena_strdup(mem, from->name) };
        SCOPED(err_free)
        struct err *e = image_ref_parse(mem, arena_strdup(mem, from->image), &container.ref);
        if (e)
            continue;
        *vec_push(mem, &kept->containers) = container;
        wish_for(images, &container.ref, workload->ns, object);
    }
}

static void cancel_images(struct api_call *call)
{
    struct images *images = call->state;
    image_live_cancel(images->live);
    if (images->ask)
        image_scans_cancel(call->api->opts.scans, images->ask);
}

static void list(struct images *images, const char *ns, const char *const *ids)
{
    struct api_call *call = images->call;
    const struct api_opts *opts = &call->api->opts;
    images->wished = map_new_in(call->mem);
    api_rows_init(&images->rows, call);
    call->state = images;
    call->cancel = cancel_images;
    images->live = image_live_start(&(struct image_live_opts){ .loop = opts->loop,
                                                               .kube = opts->kube,
                                                               .discovery = opts->discovery,
                                                               .log = opts->log,
                                                               .ns = ns,
                                                               .ids = ids,
                                                               .allowed_ns = opts->allowed_ns },
                                    on_workload, on_workloads, images);
}

/* --- what is asked for */

static struct err *read_fields(struct arena *mem, const char *list, unsigned *out)
{
    *out = *list ? 0 : FIELD_ALL;
    while (*list) {
        size_t len = strcspn(list, ","), i = 0;
        const char *name = arena_strndup(mem, list, len);
        while (i < ARRAY_LEN(field_names) && strcmp(field_names[i].name, name) != 0)
            i++;
        if (i == ARRAY_LEN(field_names))
            return err_new(ERR_INVALID, "%.200s is an invalid field", name);
        *out |= field_names[i].field;
        list += len + (list[len] == ',');
    }
    return NULL;
}

void api_images_list(struct api_call *call)
{
    const char *ns = api_call_query(call, "namespace"), *service = api_call_query(call, "service");
    bool is_all = !*service || strcmp(service, RELEASE_ALL) == 0;
    const char *const *ids = NULL;
    struct images *images = arena_alloc(call->mem, sizeof(*images));
    images->call = call;
    SCOPED(err_free)
    struct err *bad = is_all ? NULL : api_services_read_ids(call->mem, service, &ids);
    if (bad) {
        api_call_undecodable(call, bad, 0);
        return;
    }
    SCOPED(err_free)
    struct err *e =
        *ns && !is_all
            ? err_new(ERR_INVALID, "cannot filter by 'namespace' and 'workload' at the same time")
            : read_fields(call->mem, api_call_query(call, "containerFields"), &images->fields);
    if (e)
        api_call_fail(call, e);
    else
        list(images, *ns ? ns : NULL, ids);
}
