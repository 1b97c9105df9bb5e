#include "image/scans.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "image/creds.h"
#include "image/pattern.h"
#include "image/registry.h"
#include "image/scan.h"
#include "image/scan_filter.h"
#include "image/scan_metrics.h"
#include "image/tagstore.h"
#include "image/wanted.h"

#define SCANS_PER_HOST  2 /* at the same time: a host that is slow holds up itself alone */
#define SCANS_AT_ONCE   16
#define IMAGES_PER_SCAN 4
#define MEMORY_BYTES    ((size_t)256 << 20)
#define INTERVAL_MAX_MS \
    ((int64_t)30 * 60 * 1000) /* of a repository that fails, unless its own is longer */
#define DOCKER_HUB "index.docker.io/"
#define DOCKER_OWN "library/"
#define FAILURE_FRESH_MS \
    ((int64_t)10 * 1000) /* a failure is not repeated at once because somebody asks */

struct repo {
    struct image_scans *scans;
    char *name, *host, *path, *error;
    struct tagstore *store;
    struct wanted policy;
    bool is_policy, is_complete, is_missing, is_tried, has_news, is_urgent;
    bool looks_again; /* the next scan: at all that is wanted, due or not */
    int failures;
    /* Of the loop, but for scanned_ns; listed_ms: not after its list of tags was asked for. */
    int64_t scanned_ns, listed_ms, tried_ms, next_ms, asked_ms;
    /* Of a scan that runs. */
    unsigned scan_count;
    struct creds_ask *login;
    struct registry *registry;
    struct scan *scan;
    struct arena *mem;
    ticket news; /* are about to be told */
    bool is_scanning, is_looking_again;
    VEC(struct scan_want) wants;
    int64_t started_ms;
    size_t new_tags, new_images;
    const struct image_repo *view; /* of this turn */
};

struct ask_repo {
    char *name;
    struct wanted wanted;
    unsigned until; /* the number of the scan whose end it waits for; 0: for none */
};

struct ask {
    struct image_scans *scans;
    struct ask *next, **at;
    ticket id, timer;
    VEC(struct ask_repo) repos;
    void (*done)(void *ctx);
    void *ctx;
    bool is_ending;
};

struct image_scans {
    struct image_scans_opts opts;
    struct registry_hosts *hosts;
    struct creds *creds;
    struct processes *processes;
    struct map *repos;
    struct ask *asks;
    ticket last_id, timer, views_timer;
    VEC(struct arena *) views; /* until the next turn */
    struct map *scanning;      /* host -> how many of its repositories are being scanned */
    size_t scanning_count;
    struct scan_metrics metrics;
};

static const char *const default_platforms[] = { "linux/amd64", "linux/arm64", NULL };

static void pump(struct image_scans *scans);

static int64_t now_of(const struct image_scans *scans)
{
    return loop_now_ms(scans->opts.loop);
}

/* -- views */

static void drop_views(struct image_scans *scans)
{
    const char *name;
    void *value;
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);)
        ((struct repo *)value)->view = NULL;
    for (size_t i = 0; i < scans->views.len; i++)
        arena_free(scans->views.at[i]);
    vec_fini(&scans->views);
}

static void on_views_old(void *ctx)
{
    struct image_scans *scans = ctx;
    scans->views_timer = 0;
    drop_views(scans);
}

static const struct image_repo *view_of(struct repo *repo)
{
    struct image_scans *scans = repo->scans;
    if (repo->view)
        return repo->view;
    struct arena *mem = arena_new(MEMORY_BYTES);
    *vec_push(NULL, &scans->views) = mem;
    if (!scans->views_timer)
        scans->views_timer = loop_after(scans->opts.loop, 0, on_views_old, scans);
    struct image_repo *view = arena_alloc(mem, sizeof(*view));
    view->name = arena_strdup(mem, repo->name);
    view->error = arena_strdup(mem, repo->error);
    view->is_complete = repo->is_complete;
    view->is_missing = repo->is_missing;
    view->scanned_ns = repo->scanned_ns;
    tagstore_view(repo->store, mem, scan_filter_matches(scans->opts.use_labels, repo->name), view);
    repo->view = view;
    return view;
}

/* -- repositories */

static void repo_free(void *at)
{
    struct repo *repo = at;
    loop_cancel(repo->scans->opts.loop, repo->news);
    creds_cancel(repo->login);
    registry_free(repo->registry);
    scan_free(repo->scan);
    arena_free(repo->mem);
    tagstore_free(repo->store);
    wanted_fini(&repo->policy);
    free(repo->name);
    free(repo->host);
    free(repo->path);
    free(repo->error);
    free(repo);
}

static struct repo *need_repo(struct image_scans *scans, struct arena *mem,
                              const struct image_ref *ref)
{
    const char *name = image_ref_canonical_name(mem, ref);
    struct repo *repo = map_get(scans->repos, name);
    if (repo)
        return repo;
    repo = base_alloc(sizeof(*repo));
    repo->scans = scans;
    repo->name = base_copy_text(name);
    repo->host = base_copy_text(image_ref_host(ref));
    repo->path = base_copy_text(image_ref_canonical_path(mem, ref));
    repo->error = base_copy_text("");
    repo->store = tagstore_new();
    repo->asked_ms = now_of(scans);
    map_set(scans->repos, name, repo);
    return repo;
}

static void set_error(struct repo *repo, const char *text)
{
    free(repo->error);
    repo->error = base_copy_text(text);
}

static void count_all(struct image_scans *scans, size_t *tags, size_t *bytes)
{
    const char *name;
    void *value;
    *tags = *bytes = 0;
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);) {
        const struct repo *repo = value;
        *tags += tagstore_len(repo->store);
        *bytes += tagstore_bytes(repo->store) + sizeof(*repo) + 3 * strlen(name);
    }
}

static void show_counts(struct image_scans *scans)
{
    size_t tags, bytes;
    if (!scans->opts.metrics)
        return;
    count_all(scans, &tags, &bytes);
    metric_set(scans->metrics.repo_count, NULL, (double)map_len(scans->repos));
    metric_set(scans->metrics.tag_count, NULL, (double)tags);
    metric_set(scans->metrics.byte_count, NULL, (double)bytes);
}

static bool is_asked_for(const struct image_scans *scans, const struct repo *repo)
{
    for (const struct ask *ask = scans->asks; ask; ask = ask->next) {
        for (size_t i = 0; i < ask->repos.len; i++) {
            if (strcmp(ask->repos.at[i].name, repo->name) == 0)
                return true;
        }
    }
    return false;
}

/* Those of policies last; of the others the one least lately asked for. */
static struct repo *find_victim(const struct image_scans *scans, const struct repo *but)
{
    struct repo *victim = NULL;
    const char *name;
    void *value;
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);) {
        struct repo *repo = value;
        bool is_empty = repo->is_policy && tagstore_len(repo->store) == 0;
        if (repo == but || repo->is_scanning || is_empty || is_asked_for(scans, repo))
            continue;
        if (!victim || repo->is_policy < victim->is_policy ||
            (repo->is_policy == victim->is_policy && repo->asked_ms < victim->asked_ms))
            victim = repo;
    }
    return victim;
}

static void throw_out(struct repo *repo)
{
    struct image_scans *scans = repo->scans;
    log_info(scans->opts.log, F("component", "registry"), F("canonical_name", repo->name),
             F("msg", "tags thrown out: there is no room for all"));
    if (scans->opts.metrics)
        metric_add(scans->metrics.evictions, NULL, 1);
    if (!repo->is_policy) {
        map_remove(scans->repos, repo->name);
        return;
    }
    tagstore_free(repo->store);
    repo->store = tagstore_new();
    repo->is_complete = false;
    repo->has_news = false;
    repo->view = NULL;
    set_error(repo, "there is no room for the tags of all repositories");
    repo->next_ms = now_of(scans) + scans->opts.interval_ms;
}

static void make_room(struct image_scans *scans, const struct repo *but)
{
    for (;;) {
        size_t tags, bytes;
        count_all(scans, &tags, &bytes);
        struct repo *victim = bytes > IMAGE_SCANS_BYTES ? find_victim(scans, but) : NULL;
        if (!victim)
            return;
        throw_out(victim);
    }
}

/* -- asks */

/* Who asks for every tag does so while he waits: what is left is for the next one. */
static void stop_waiting(const struct image_scans *scans, const char *name)
{
    const struct repo *repo = map_get(scans->repos, name);
    if (repo && !is_asked_for(scans, repo))
        scan_narrow(repo->scan);
}

static void ask_free(struct ask *ask)
{
    loop_cancel(ask->scans->opts.loop, ask->timer);
    *ask->at = ask->next;
    if (ask->next)
        ask->next->at = ask->at;
    for (size_t i = 0; i < ask->repos.len; i++) {
        stop_waiting(ask->scans, ask->repos.at[i].name);
        free(ask->repos.at[i].name);
        wanted_fini(&ask->repos.at[i].wanted);
    }
    vec_fini(&ask->repos);
    free(ask);
}

static void on_ask_over(void *ctx)
{
    struct ask *ask = ctx;
    void (*done)(void *) = ask->done;
    void *done_ctx = ask->ctx;
    ask->timer = 0;
    ask_free(ask);
    done(done_ctx);
}

/* Tells in a later turn, once nothing is waited for. */
static void check_ask(struct ask *ask)
{
    for (size_t i = 0; i < ask->repos.len; i++) {
        if (ask->repos.at[i].until)
            return;
    }
    if (ask->is_ending)
        return;
    ask->is_ending = true;
    loop_cancel(ask->scans->opts.loop, ask->timer);
    ask->timer = loop_after(ask->scans->opts.loop, 0, on_ask_over, ask);
}

static void tell_asks(struct image_scans *scans, const struct repo *repo)
{
    for (struct ask *ask = scans->asks; ask; ask = ask->next) {
        for (size_t i = 0; i < ask->repos.len; i++) {
            struct ask_repo *one = &ask->repos.at[i];
            if (one->until && one->until <= repo->scan_count && strcmp(one->name, repo->name) == 0)
                one->until = 0;
        }
        check_ask(ask);
    }
}

/* -- scans: credentials, then the scan, then what it means */

static void add_wants(struct repo *repo, const struct wanted *wanted, bool is_policy)
{
    if (wanted->is_all)
        vec_push(repo->mem, &repo->wants)->is_policy = is_policy;
    for (size_t i = 0; i < wanted->patterns.len; i++) {
        struct image_pattern *pattern = NULL;
        SCOPED(err_free)
        struct err *e = image_pattern_parse(repo->mem, wanted->patterns.at[i], &pattern);
        if (!e)
            *vec_push(repo->mem, &repo->wants) =
                (struct scan_want){ .pattern = pattern, .is_policy = is_policy };
    }
}

static void observe_scan(const struct repo *repo, bool success)
{
    const char *const labels[] = { success ? "true" : "false" };
    if (repo->scans->metrics.scan_times)
        metric_observe(repo->scans->metrics.scan_times, labels,
                       (double)(now_of(repo->scans) - repo->started_ms) / 1000);
}

static int64_t next_after(struct repo *repo, const struct err *e)
{
    int64_t interval_ms = repo->scans->opts.interval_ms;
    int64_t wait_ms = interval_ms, most_ms = MAX_OF(INTERVAL_MAX_MS, interval_ms);
    for (int i = 1; i < repo->failures && wait_ms < most_ms; i++)
        wait_ms *= 2;
    wait_ms = MIN_OF(wait_ms, most_ms);
    int64_t jitter_ms = wait_ms / 10;
    if (jitter_ms > 0)
        wait_ms +=
            (int64_t)(loop_random(repo->scans->opts.loop) % (uint32_t)MIN_OF(jitter_ms, 600000));
    return now_of(repo->scans) + MAX_OF(wait_ms, e ? err_retry_after_ms(e) : -1);
}

static size_t count_scanning(const struct image_scans *scans, const char *host)
{
    return (size_t)(uintptr_t)map_get(scans->scanning, host);
}

static void set_scanning(struct repo *repo, bool is_scanning)
{
    struct image_scans *scans = repo->scans;
    size_t count = count_scanning(scans, repo->host);
    if (repo->is_scanning == is_scanning)
        return;
    repo->is_scanning = is_scanning;
    count = is_scanning ? count + 1 : count - 1;
    scans->scanning_count = is_scanning ? scans->scanning_count + 1 : scans->scanning_count - 1;
    if (count > 0)
        map_set(scans->scanning, repo->host, (void *)(uintptr_t)count);
    else
        map_remove(scans->scanning, repo->host);
}

/* The end of what belongs to the scan alone. */
static void clear_scan(struct repo *repo)
{
    registry_free(STEAL(repo->registry));
    scan_free(STEAL(repo->scan));
    arena_free(STEAL(repo->mem));
    repo->wants.at = NULL; /* it was in that arena */
    repo->wants.len = repo->wants.cap = 0;
    set_scanning(repo, false);
}

static void report_failure(struct repo *repo, const struct err *e)
{
    struct image_scans *scans = repo->scans;
    if (strcmp(repo->error, err_text(e)) != 0) /* once for each cause */
        log_warn(scans->opts.log, F("component", "registry"), F("canonical_name", repo->name),
                 F("err", err_text(e)));
    set_error(repo, err_text(e));
    repo->failures++;
    if (err_is(e, ERR_DENIED))
        creds_forget(scans->creds);
}

/* What is new, and the list if it is the first one. */
static void take_result(struct repo *repo, const struct scan_result *result)
{
    bool is_first = result->has_listed && !repo->is_complete;
    repo->is_complete |= result->has_listed;
    repo->has_news |= result->new_tags > 0 || result->new_images > 0 || is_first;
    repo->new_tags += result->new_tags;
    repo->new_images += result->new_images;
    repo->view = NULL;
}

/* The line, and the name as people write it, that Flux's scripts wait for. */
static void report_news(const struct repo *repo)
{
    const char *name = repo->name;
    if (!strncmp(name, DOCKER_HUB, strlen(DOCKER_HUB))) {
        name += strlen(DOCKER_HUB);
        name += strncmp(name, DOCKER_OWN, strlen(DOCKER_OWN)) ? 0 : strlen(DOCKER_OWN);
    }
    if (repo->new_tags || repo->new_images)
        log_info(repo->scans->opts.log, F("component", "warmer"), F("updated", name),
                 FI("tags", repo->new_tags), FI("successful", repo->new_images));
}

/* The last that its caller does: it may end everything. */
static void tell_news(struct repo *repo)
{
    struct image_scans *scans = repo->scans;
    loop_cancel(scans->opts.loop, repo->news);
    repo->news = 0;
    if (!repo->is_policy || !repo->has_news || !scans->opts.on_news)
        return;
    repo->has_news = false;
    scans->opts.on_news(scans->opts.ctx, repo->name);
}

static void on_news_due(void *ctx)
{
    struct repo *repo = ctx;
    repo->news = 0;
    tell_news(repo);
}

static void on_progress(void *ctx, const struct scan_result *so_far, bool can_decide)
{
    struct repo *repo = ctx;
    take_result(repo, so_far);
    if (!repo->scanned_ns)
        repo->scanned_ns = loop_wall_ns(repo->scans->opts.loop);
    if (can_decide && repo->has_news && !repo->news)
        repo->news = loop_after(repo->scans->opts.loop, 0, on_news_due, repo);
}

static void on_scanned(void *ctx, const struct scan_result *result)
{
    struct repo *repo = ctx;
    struct image_scans *scans = repo->scans;
    SCOPED(err_free) struct err *e = err_copy(result->err);
    take_result(repo, result);
    repo->is_missing = err_is(e, ERR_NOT_FOUND);
    repo->tried_ms = now_of(scans);
    repo->is_tried = true;
    if (result->has_listed) {
        repo->scanned_ns = loop_wall_ns(scans->opts.loop);
        repo->listed_ms = repo->started_ms;
    }
    observe_scan(repo, !e);
    report_news(repo);
    if (e) {
        report_failure(repo, e);
    } else {
        repo->failures = 0;
        set_error(repo, "");
        registry_hosts_recover(scans->hosts, repo->host);
    }
    repo->next_ms = next_after(repo, e);
    clear_scan(repo);
    make_room(scans, repo);
    show_counts(scans);
    tell_asks(scans, repo);
    pump(scans);
    if (!e)
        tell_news(repo);
}

static void on_login(void *ctx, const struct image_login *login)
{
    struct repo *repo = ctx;
    struct image_scans *scans = repo->scans;
    repo->login = NULL;
    repo->registry = registry_new(scans->hosts, repo->host, repo->path, login);
    repo->scan = scan_start(
        &(struct scan_opts){
            .loop = scans->opts.loop,
            .registry = repo->registry,
            .store = repo->store,
            .platforms = scans->opts.platforms ? scans->opts.platforms : default_platforms,
            .parallel = MAX_OF(MIN_OF(scans->opts.burst, IMAGES_PER_SCAN), 1),
            .wants = repo->wants.at,
            .want_count = repo->wants.len,
            .looks_again = repo->is_looking_again,
            .on_progress = on_progress,
            .fetches = scans->metrics.fetch_times,
        },
        on_scanned, repo);
}

static void start_scan(struct repo *repo)
{
    struct image_scans *scans = repo->scans;
    VEC(struct creds_source) sources = { 0 };
    set_scanning(repo, true);
    repo->is_urgent = false;
    repo->is_looking_again = repo->looks_again;
    repo->looks_again = false;
    repo->scan_count++;
    repo->started_ms = now_of(scans);
    repo->new_tags = repo->new_images = 0;
    repo->mem = arena_new(MEMORY_BYTES);
    add_wants(repo, &repo->policy, true);
    for (size_t i = 0; i < repo->policy.sources.len; i++)
        *vec_push(repo->mem, &sources) = repo->policy.sources.at[i];
    for (struct ask *ask = scans->asks; ask; ask = ask->next) {
        for (size_t i = 0; i < ask->repos.len; i++) {
            const struct ask_repo *one = &ask->repos.at[i];
            if (strcmp(one->name, repo->name) != 0)
                continue;
            add_wants(repo, &one->wanted, false);
            for (size_t j = 0; j < one->wanted.sources.len; j++)
                *vec_push(repo->mem, &sources) = one->wanted.sources.at[j];
        }
    }
    if (scans->opts.trace)
        log_info(scans->opts.log, F("component", "registry"), F("canonical_name", repo->name),
                 F("msg", "scan begins"), FI("wants", repo->wants.len));
    repo->login = creds_start(scans->creds, repo->host, sources.at, sources.len, on_login, repo);
}

/* -- which next */

static bool is_due(const struct repo *repo, int64_t now_ms)
{
    return !repo->is_scanning && (repo->is_urgent || (repo->is_policy && repo->next_ms <= now_ms));
}

/* The urgent before the others, the longest due first. */
static bool is_before(const struct repo *a, const struct repo *b)
{
    if (a->is_urgent != b->is_urgent)
        return a->is_urgent;
    return a->next_ms < b->next_ms;
}

static struct repo *find_due(const struct image_scans *scans)
{
    struct repo *best = NULL;
    const char *name;
    void *value;
    int64_t now_ms = now_of(scans);
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);) {
        struct repo *repo = value;
        if (is_due(repo, now_ms) && (!best || is_before(repo, best)) &&
            count_scanning(scans, repo->host) < SCANS_PER_HOST)
            best = repo;
    }
    return best;
}

static void on_due(void *ctx)
{
    struct image_scans *scans = ctx;
    scans->timer = 0;
    pump(scans);
}

static void set_timer(struct image_scans *scans)
{
    int64_t first_ms = INT64_MAX, now_ms = now_of(scans);
    const char *name;
    void *value;
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);) {
        const struct repo *repo = value;
        if (repo->is_policy && !repo->is_scanning && repo->next_ms > now_ms)
            first_ms = MIN_OF(first_ms, repo->next_ms);
    }
    loop_cancel(scans->opts.loop, scans->timer);
    scans->timer =
        first_ms == INT64_MAX ? 0 : loop_after(scans->opts.loop, first_ms - now_ms, on_due, scans);
}

static void pump(struct image_scans *scans)
{
    struct repo *repo;
    while (scans->scanning_count < SCANS_AT_ONCE && (repo = find_due(scans)))
        start_scan(repo);
    set_timer(scans);
}

const char *image_scans_why_not(const struct image_scans *scans, const char *name)
{
    return scan_filter_why_not(&scans->opts, name);
}

/* -- wishes */

/* By repository, without those that may not be scanned. */
static void gather(struct image_scans *scans, const struct image_wish *wishes, size_t count,
                   struct ask *out)
{
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    SCOPED(map_free) struct map *places = map_new(NULL); /* index + 1 */
    for (size_t i = 0; i < count; i++) {
        const char *name = image_ref_canonical_name(mem, &wishes[i].ref);
        if (image_scans_why_not(scans, name))
            continue;
        uintptr_t place = (uintptr_t)map_get(places, name);
        if (!place) {
            vec_push(NULL, &out->repos)->name = base_copy_text(name);
            (void)need_repo(scans, mem, &wishes[i].ref);
            place = out->repos.len;
            map_set(places, name, (void *)place);
        }
        wanted_add(&out->repos.at[place - 1].wanted, &wishes[i]);
    }
}

void image_scans_want(struct image_scans *scans, const struct image_wish *wishes, size_t count)
{
    struct ask all = { .scans = scans };
    const char *name;
    void *value;
    gather(scans, wishes, count, &all);
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);)
        ((struct repo *)value)->is_policy = false;
    for (size_t i = 0; i < all.repos.len; i++) {
        struct repo *repo = map_get(scans->repos, all.repos.at[i].name);
        bool is_new =
            !repo->policy.mem || !wanted_is_covered(&all.repos.at[i].wanted, &repo->policy);
        wanted_fini(&repo->policy);
        repo->policy = all.repos.at[i].wanted;
        repo->is_policy = true;
        repo->asked_ms = now_of(scans);
        if (is_new && repo->is_scanning)
            repo->is_urgent = true; /* once more, when it is done */
        else if (is_new)
            repo->next_ms = now_of(scans);
        free(all.repos.at[i].name);
    }
    vec_fini(&all.repos);
    for (size_t at = 0; map_next(scans->repos, &at, &name, &value);) {
        if (!((struct repo *)value)->is_policy)
            wanted_fini(&((struct repo *)value)->policy);
    }
    show_counts(scans);
    pump(scans);
}

/* Is all that is wanted of these tags known? */
static bool has_images(struct repo *repo, const struct wanted *wanted)
{
    struct repo probe = { .mem = arena_new(MEMORY_BYTES) };
    add_wants(&probe, wanted, true);
    struct scan_plan *plan = scan_plan_new(repo->store, probe.wants.at, probe.wants.len);
    bool has_all = scan_plan_level(plan) == SCAN_PLAN_COMPLETE;
    scan_plan_free(plan);
    arena_free(probe.mem);
    return has_all;
}

static bool is_fresh(struct repo *repo, const struct wanted *wanted, int64_t max_age_ms)
{
    int64_t now_ms = now_of(repo->scans);
    if (!repo->is_tried)
        return false;
    if (*repo->error)
        return now_ms - repo->tried_ms < MIN_OF(max_age_ms, FAILURE_FRESH_MS);
    return repo->is_complete && now_ms - repo->listed_ms < max_age_ms && has_images(repo, wanted);
}

ticket image_scans_ask(struct image_scans *scans, const struct image_wish *wishes, size_t count,
                       int64_t max_age_ms, int64_t timeout_ms, void (*done)(void *ctx), void *ctx)
{
    struct ask *ask = base_alloc(sizeof(*ask));
    *ask = (struct ask){ .scans = scans,
                         .next = scans->asks,
                         .at = &scans->asks,
                         .id = ++scans->last_id,
                         .done = done,
                         .ctx = ctx };
    if (ask->next)
        ask->next->at = &ask->next;
    scans->asks = ask;
    gather(scans, wishes, count, ask);
    for (size_t i = 0; i < ask->repos.len; i++) {
        struct ask_repo *one = &ask->repos.at[i];
        struct repo *repo = map_get(scans->repos, one->name);
        repo->asked_ms = now_of(scans);
        if (is_fresh(repo, &one->wanted, max_age_ms))
            continue;
        one->until = repo->scan_count + 1;
        repo->is_urgent = true;
        repo->looks_again |= max_age_ms == IMAGE_SCANS_ANEW;
    }
    ticket id = ask->id;
    ask->timer = loop_after(scans->opts.loop, MAX_OF(timeout_ms, 0), on_ask_over, ask);
    check_ask(ask);
    pump(scans);
    return id;
}

void image_scans_cancel(struct image_scans *scans, ticket id)
{
    for (struct ask *ask = scans->asks; ask; ask = ask->next) {
        if (ask->id == id) {
            ask_free(ask);
            return;
        }
    }
}

const struct image_repo *image_scans_find(struct image_scans *scans, const char *name)
{
    struct repo *repo = map_get(scans->repos, name);
    if (!repo || image_scans_why_not(scans, name))
        return NULL;
    repo->asked_ms = now_of(scans);
    return view_of(repo);
}

bool image_scans_notify(struct image_scans *scans, const char *name)
{
    struct repo *repo = map_get(scans->repos, name);
    if (!repo)
        return false;
    repo->is_urgent = repo->looks_again = true;
    pump(scans);
    return true;
}

/* -- the whole */

struct image_scans *image_scans_new(const struct image_scans_opts *opts)
{
    struct image_scans *scans = base_alloc(sizeof(*scans));
    scans->opts = *opts;
    scans->repos = map_new(repo_free);
    scans->scanning = map_new(NULL);
    scans->processes = processes_new(opts->loop);
    scans->hosts =
        registry_hosts_new(&(struct registry_hosts_opts){ .loop = opts->loop,
                                                          .http = opts->http,
                                                          .log = opts->log,
                                                          .metrics = opts->metrics,
                                                          .insecure = opts->insecure_hosts,
                                                          .rps = opts->rps,
                                                          .burst = opts->burst,
                                                          .trace = opts->trace });
    scans->creds = creds_new(&(struct creds_opts){ .loop = opts->loop,
                                                   .http = opts->http,
                                                   .processes = scans->processes,
                                                   .kube = opts->kube,
                                                   .log = opts->log,
                                                   .docker_config = opts->docker_config });
    scan_metrics_init(&scans->metrics, opts->metrics);
    return scans;
}

void image_scans_free(struct image_scans *scans)
{
    if (!scans)
        return;
    while (scans->asks)
        ask_free(scans->asks);
    loop_cancel(scans->opts.loop, scans->timer);
    loop_cancel(scans->opts.loop, scans->views_timer);
    drop_views(scans);
    map_free(scans->repos);
    map_free(scans->scanning);
    creds_free(scans->creds);
    registry_hosts_free(scans->hosts);
    processes_free(scans->processes);
    free(scans);
}
