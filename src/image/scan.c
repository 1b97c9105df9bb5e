#include "image/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"

#define PAGE_SIZE       1000
#define PAGES_MAX       2000
#define PAGE_BYTES      ((size_t)16 << 20)
#define PAGE_MS         ((int64_t)60 * 1000)
#define FETCH_MS        ((int64_t)30 * 1000)
#define SCAN_MS         ((int64_t)600 * 1000)
#define FAILURES_MAX    10 /* then the rest is left for the next time */
#define INDEX_DEPTH_MAX 3
#define MEMORY_BYTES    ((size_t)256 << 20)
#define DIGEST_LEN      71
#define ACCEPT                                                          \
    "Accept: application/vnd.oci.image.index.v1+json, "                 \
    "application/vnd.oci.image.manifest.v1+json, "                      \
    "application/vnd.docker.distribution.manifest.list.v2+json, "       \
    "application/vnd.docker.distribution.manifest.v2+json, "            \
    "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, " \
    "application/vnd.docker.distribution.manifest.v1+json;q=0.5"

/* One tag whose image is being looked at. */
struct fetch {
    struct scan *scan;
    struct fetch *next, **at;
    struct arena *mem;
    const char *tag, *digest; /* digest: of what the tag names */
    size_t index;             /* of the tag in the store */
    const char *wanted;       /* the digest of what is being fetched; NULL: by the tag */
    bool wants_config;        /* that is a configuration */
    bool waits;               /* for another one that fetches the same */
    struct image_info known;  /* what is known of it; is_known */
    int depth;
    int64_t started_ms;
};

struct scan {
    struct scan_opts opts;
    scan_done done;
    void *ctx;
    struct arena *mem;
    struct image_tags tags;
    struct map *pages;   /* addresses that were asked */
    struct map *configs; /* by digest: images often have several tags */
    struct fetch *fetches;
    int running, failures;
    struct scan_plan *plan;     /* NULL: not listed yet */
    enum scan_plan_level level; /* that was told */
    int64_t started_ms;
    ticket deadline, end;
    struct err *err;
    bool has_listed, is_over, is_throttled, is_narrow;
    size_t new_tags, new_images;
};

/* -- the end */

static void fetch_free(struct fetch *fetch)
{
    *fetch->at = fetch->next;
    if (fetch->next)
        fetch->next->at = fetch->at;
    fetch->scan->running--;
    arena_free(fetch->mem);
    free(fetch);
}

void scan_free(struct scan *scan)
{
    if (!scan)
        return;
    while (scan->fetches)
        fetch_free(scan->fetches);
    loop_cancel(scan->opts.loop, scan->deadline);
    loop_cancel(scan->opts.loop, scan->end);
    map_free(scan->pages);
    map_free(scan->configs);
    scan_plan_free(scan->plan);
    err_free(scan->err);
    arena_free(scan->mem);
    free(scan);
}

static struct scan_result result_of(const struct scan *scan)
{
    return (struct scan_result){ .err = scan->err,
                                 .has_listed = scan->has_listed,
                                 .is_throttled = scan->is_throttled,
                                 .new_tags = scan->new_tags,
                                 .new_images = scan->new_images };
}

static void on_end(void *ctx)
{
    struct scan *scan = ctx;
    const struct scan_result result = result_of(scan);
    scan->end = 0;
    scan->done(scan->ctx, &result);
}

static void tell_progress(struct scan *scan)
{
    const struct scan_result result = result_of(scan);
    enum scan_plan_level level = scan_plan_level(scan->plan);
    bool can_decide = level > scan->level;
    scan->level = MAX_OF(level, scan->level);
    scan->new_tags = scan->new_images = 0;
    if (scan->opts.on_progress)
        scan->opts.on_progress(scan->ctx, &result, can_decide);
}

/* In a turn of its own, so that whoever is told may free the registry. Takes e, which may be NULL. */
static void end_scan(struct scan *scan, struct err *e)
{
    if (e && !scan->err)
        scan->err = e;
    else
        err_free(e);
    scan->is_over = true;
    loop_cancel(scan->opts.loop, scan->deadline);
    scan->deadline = 0;
    if (!scan->end)
        scan->end = loop_after(scan->opts.loop, 0, on_end, scan);
}

static void on_deadline(void *ctx)
{
    struct scan *scan = ctx;
    scan->deadline = 0;
    end_scan(scan, err_new(ERR_TRANSIENT, "not done after %lld s; goes on with the next scan",
                           (long long)((loop_now_ms(scan->opts.loop) - scan->started_ms) / 1000)));
}

static void observe(const struct scan *scan, const char *kind, int64_t started_ms, bool success)
{
    const char *const labels[] = { kind, success ? "true" : "false" };
    double took_s = (double)(loop_now_ms(scan->opts.loop) - started_ms) / 1000;
    if (scan->opts.fetches)
        metric_observe(scan->opts.fetches, labels, took_s);
}

/* -- images */

static void fill(struct scan *scan);

/* Takes e; NULL: it went well. */
static void end_fetch(struct fetch *fetch, struct err *e)
{
    struct scan *scan = fetch->scan;
    observe(scan, "metadata", fetch->started_ms, !e);
    if (e) {
        scan->failures++;
        e = err_wrap(e, "tag %s", fetch->tag);
        if (scan->err)
            err_free(e);
        else
            scan->err = e;
    }
    scan_plan_done(scan->plan, fetch->index);
    fetch_free(fetch);
    if (scan_plan_level(scan->plan) > scan->level)
        tell_progress(scan);
    if (!scan->is_over)
        fill(scan);
}

static void learn(struct fetch *fetch, struct image_info *info)
{
    struct scan *scan = fetch->scan;
    info->digest = fetch->digest;
    info->fetched_ns = loop_wall_ns(scan->opts.loop);
    bool is_new = !fetch->known.is_known || fetch->known.is_excluded != info->is_excluded;
    if (tagstore_learn(scan->opts.store, fetch->tag, info) && is_new)
        scan->new_images++;
    end_fetch(fetch, NULL);
}

static void exclude(struct fetch *fetch, const char *why)
{
    struct image_info info = { .tag = fetch->tag,
                               .is_known = true,
                               .is_excluded = true,
                               .why_excluded = why,
                               .image_id = "",
                               .label_created = "",
                               .label_build_date = "" };
    learn(fetch, &info);
}

/* What is wrong with one image must not hold up what the others are for; but a good one is not forgotten for a bad answer. */
static void give_up(struct fetch *fetch, struct err *e)
{
    bool is_its_own = err_is(e, ERR_INVALID) || err_is(e, ERR_LIMIT);
    if (!is_its_own || (fetch->known.is_known && !fetch->known.is_excluded)) {
        end_fetch(fetch, e);
        return;
    }
    SCOPED(err_free) struct err *owned = e;
    exclude(fetch, err_text(owned));
}

/* The error of an answer, if there is one; the scan stops where it would only be refused again. */
static struct err *error_of(struct fetch *fetch, const struct registry_answer *answer)
{
    if (!answer->err)
        return NULL;
    fetch->scan->is_throttled |= answer->is_throttled;
    return err_copy(answer->err);
}

static const char *digest_of(struct arena *mem, const struct http_result *result)
{
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(result->body, result->body_len, digest);
    return arena_printf(mem, "sha256:%s", hash_hex(mem, digest, sizeof(digest)));
}

/* What is named by its digest is what was asked for, whoever sent it. */
static struct err *check_digest(const struct fetch *fetch, const struct http_result *result)
{
    const char *digest = digest_of(fetch->mem, result);
    if (strcmp(digest, fetch->wanted) == 0)
        return NULL;
    return err_new(ERR_INVALID, "asked for %s, the registry sent %s", fetch->wanted, digest);
}

static void ask(struct fetch *fetch, const char *method, const char *path, registry_done done)
{
    registry_start(fetch->scan->opts.registry,
                   &(struct registry_request){ .method = method,
                                               .path = path,
                                               .accept = ACCEPT,
                                               .limit_bytes = IMAGE_MANIFEST_MAX,
                                               .timeout_ms = FETCH_MS },
                   done, fetch);
}

/* -- configurations: images often have several tags, which are looked at at the same time */

static void need_config(struct fetch *fetch, const char *digest);

static struct fetch *find_config_fetch(const struct scan *scan, const char *digest, bool waits)
{
    for (struct fetch *one = scan->fetches; one; one = one->next) {
        if (one->wants_config && one->waits == waits && strcmp(one->wanted, digest) == 0)
            return one;
    }
    return NULL;
}

/* It was found, or another one has to ask for it. */
static void wake_waiting(struct scan *scan, const char *digest)
{
    struct fetch *waiting;
    while (!find_config_fetch(scan, digest, false) &&
           (waiting = find_config_fetch(scan, digest, true))) {
        waiting->wants_config = waiting->waits = false;
        need_config(waiting, waiting->wanted);
    }
}

static struct err *read_config(struct fetch *fetch, const struct registry_answer *answer)
{
    struct scan *scan = fetch->scan;
    struct image_info *info = arena_alloc(scan->mem, sizeof(*info));
    TRY(error_of(fetch, answer));
    TRY(check_digest(fetch, answer->http));
    TRY(image_wire_config(fetch->mem, answer->http->body, answer->http->body_len, info));
    info->image_id = arena_strdup(scan->mem, fetch->wanted);
    info->label_created = arena_strdup(scan->mem, info->label_created);
    info->label_build_date = arena_strdup(scan->mem, info->label_build_date);
    map_set(scan->configs, info->image_id, info);
    return NULL;
}

static void on_config(void *ctx, const struct registry_answer *answer)
{
    struct fetch *fetch = ctx;
    struct err *e = read_config(fetch, answer);
    fetch->wants_config = false;
    wake_waiting(fetch->scan, fetch->wanted);
    if (err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        exclude(fetch, "the registry has no configuration for its image");
    } else if (e) {
        give_up(fetch, e);
    } else {
        need_config(fetch, fetch->wanted); /* it is there */
    }
}

/* Known by this tag, by another one, or to be fetched. */
static void need_config(struct fetch *fetch, const char *digest)
{
    const struct image_info *other = map_get(fetch->scan->configs, digest);
    if (!other && !fetch->known.is_excluded && strcmp(fetch->known.image_id, digest) == 0)
        other = &fetch->known;
    if (other) {
        struct image_info copy = *other;
        learn(fetch, &copy);
        return;
    }
    fetch->waits = find_config_fetch(fetch->scan, digest, false) != NULL;
    fetch->wanted = digest;
    fetch->wants_config = true;
    if (!fetch->waits)
        ask(fetch, "GET", arena_printf(fetch->mem, "blobs/%s", digest), on_config);
}

static void on_manifest(void *ctx, const struct registry_answer *answer);

static void go_on(struct fetch *fetch, const struct image_manifest *manifest)
{
    struct image_info info = manifest->info;
    switch (manifest->kind) {
    case IMAGE_MANIFEST_V1: learn(fetch, &info); return;
    case IMAGE_MANIFEST_CONFIG: need_config(fetch, manifest->config_digest); return;
    case IMAGE_MANIFEST_INDEX: break;
    }
    if (!manifest->child_digest) {
        exclude(fetch, manifest->why);
    } else if (++fetch->depth > INDEX_DEPTH_MAX) {
        give_up(fetch,
                err_new(ERR_LIMIT, "indexes in indexes, more than %d deep", INDEX_DEPTH_MAX));
    } else {
        fetch->wanted = manifest->child_digest;
        ask(fetch, "GET", arena_printf(fetch->mem, "manifests/%s", fetch->wanted), on_manifest);
    }
}

static struct err *read_manifest(struct fetch *fetch, const struct registry_answer *answer,
                                 struct image_manifest *out)
{
    const struct http_result *result = answer->http;
    TRY(error_of(fetch, answer));
    TRY(image_wire_manifest(fetch->mem, result->body, result->body_len,
                            http_header(result, "Content-Type"), fetch->scan->opts.platforms, out));
    if (fetch->wanted && out->kind != IMAGE_MANIFEST_V1)
        return check_digest(fetch, result);
    if (fetch->wanted)
        return NULL;
    /* A signed manifest of schema 1 has the digest of a part of it: the registry knows it. */
    const char *said = http_header(result, "Docker-Content-Digest");
    fetch->digest = out->kind == IMAGE_MANIFEST_V1 && said && strlen(said) == DIGEST_LEN
                        ? arena_strdup(fetch->mem, said)
                        : digest_of(fetch->mem, result);
    return NULL;
}

static void on_manifest(void *ctx, const struct registry_answer *answer)
{
    struct fetch *fetch = ctx;
    struct image_manifest manifest;
    struct err *e = read_manifest(fetch, answer, &manifest);
    if (err_is(e, ERR_NOT_FOUND)) { /* listed, but gone: no use for anybody */
        err_free(e);
        exclude(fetch, "the registry has no manifest for it");
    } else if (e) {
        give_up(fetch, e);
    } else {
        go_on(fetch, &manifest);
    }
}

static void ask_manifest(struct fetch *fetch)
{
    ask(fetch, "GET", arena_printf(fetch->mem, "manifests/%s", fetch->tag), on_manifest);
}

/* Of a tag that was known: is it what it was? */
static void on_head(void *ctx, const struct registry_answer *answer)
{
    struct fetch *fetch = ctx;
    struct err *e = error_of(fetch, answer);
    if (err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        exclude(fetch, "the registry has no manifest for it");
        return;
    }
    if (e && !err_is(e, ERR_INVALID)) { /* invalid: no such method there */
        end_fetch(fetch, e);
        return;
    }
    const char *digest = e ? NULL : http_header(answer->http, "Docker-Content-Digest");
    err_free(e);
    if (!digest || strcmp(digest, fetch->known.digest) != 0) {
        ask_manifest(fetch);
        return;
    }
    tagstore_confirm(fetch->scan->opts.store, fetch->tag, loop_wall_ns(fetch->scan->opts.loop));
    end_fetch(fetch, NULL);
}

static void start_fetch(struct scan *scan, size_t at)
{
    struct fetch *fetch = base_alloc(sizeof(*fetch));
    *fetch = (struct fetch){ .scan = scan,
                             .mem = arena_new(MEMORY_BYTES),
                             .index = at,
                             .digest = "",
                             .started_ms = loop_now_ms(scan->opts.loop),
                             .next = scan->fetches,
                             .at = &scan->fetches };
    if (fetch->next)
        fetch->next->at = &fetch->next;
    scan->fetches = fetch;
    scan->running++;
    (void)tagstore_info(scan->opts.store, fetch->mem, at, &fetch->known);
    fetch->tag = fetch->known.tag;
    if (fetch->known.is_known && *fetch->known.digest && !fetch->known.is_excluded)
        ask(fetch, "HEAD", arena_printf(fetch->mem, "manifests/%s", fetch->tag), on_head);
    else
        ask_manifest(fetch);
}

/* As many as may run; the end when nothing does. */
static void fill(struct scan *scan)
{
    int64_t now_s = loop_wall_ms(scan->opts.loop) / 1000;
    bool goes_on = !scan->is_throttled && scan->failures < FAILURES_MAX;
    size_t at;
    while (goes_on && scan->running < scan->opts.parallel &&
           scan_plan_next(scan->plan, now_s, scan->opts.looks_again, &at))
        start_fetch(scan, at);
    if (scan->running == 0)
        end_scan(scan, NULL);
}

/* -- tags */

/* The same page twice, or two pages that go on behind the same tag. */
static const char *page_key(struct arena *mem, const char *url)
{
    const char *last = strstr(url, "last=");
    return last && (last[-1] == '?' || last[-1] == '&')
               ? arena_strndup(mem, last, strcspn(last, "&"))
               : url;
}

static void ask_page(struct scan *scan, const char *url);

static void end_listing(struct scan *scan)
{
    observe(scan, "tags", scan->started_ms, true);
    scan->new_tags = tagstore_list(scan->opts.store, scan->tags.at, scan->tags.len);
    scan->has_listed = true;
    scan->plan = scan_plan_new(scan->opts.store, scan->opts.wants, scan->opts.want_count);
    if (scan->is_narrow)
        scan_plan_narrow(scan->plan);
    tell_progress(scan);
    fill(scan);
}

static struct err *read_page(struct scan *scan, const struct registry_answer *answer,
                             const char **next)
{
    if (answer->err) {
        scan->is_throttled |= answer->is_throttled;
        return err_copy(answer->err);
    }
    const struct http_result *result = answer->http;
    TRY(image_wire_tags(scan->mem, result->body, result->body_len, &scan->tags));
    TRY(image_wire_next(scan->mem, answer->url, http_header(result, "Link"), next));
    if (!*next)
        return NULL;
    const char *key = page_key(scan->mem, *next);
    if (map_get(scan->pages, key))
        return err_new(ERR_INVALID, "the list of tags goes round in circles: a page came twice");
    map_set(scan->pages, key, scan); /* a set: any value will do */
    if (map_len(scan->pages) > PAGES_MAX)
        return err_new(ERR_LIMIT, "the list of tags has more than %d pages", PAGES_MAX);
    return NULL;
}

static void on_page(void *ctx, const struct registry_answer *answer)
{
    struct scan *scan = ctx;
    const char *next = NULL;
    struct err *e = scan->is_over ? NULL : read_page(scan, answer, &next);
    if (scan->is_over)
        return;
    if (e) {
        observe(scan, "tags", scan->started_ms, false);
        end_scan(scan, err_wrap(e, "list of tags"));
    } else if (next) {
        ask_page(scan, next);
    } else {
        end_listing(scan);
    }
}

static void ask_page(struct scan *scan, const char *url)
{
    const char *first = arena_printf(scan->mem, "tags/list?n=%d", PAGE_SIZE);
    registry_start(scan->opts.registry,
                   &(struct registry_request){ .method = "GET",
                                               .path = first,
                                               .url = url,
                                               .accept = "Accept: application/json",
                                               .limit_bytes = PAGE_BYTES,
                                               .timeout_ms = PAGE_MS },
                   on_page, scan);
}

void scan_narrow(struct scan *scan)
{
    if (!scan)
        return;
    scan->is_narrow = true;
    if (!scan->plan)
        return;
    scan_plan_narrow(scan->plan);
    if (!scan->is_over)
        fill(scan);
}

struct scan *scan_start(const struct scan_opts *opts, scan_done done, void *ctx)
{
    struct scan *scan = base_alloc(sizeof(*scan));
    scan->opts = *opts;
    scan->done = done;
    scan->ctx = ctx;
    scan->mem = arena_new(MEMORY_BYTES);
    scan->pages = map_new(NULL);
    scan->configs = map_new(NULL);
    scan->started_ms = loop_now_ms(opts->loop);
    scan->deadline =
        loop_after(opts->loop, opts->limit_ms ? opts->limit_ms : SCAN_MS, on_deadline, scan);
    ask_page(scan, NULL);
    return scan;
}
