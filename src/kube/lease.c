#include "kube/lease.h"

#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "doc/object.h"
#include "kube/lease_record.h"
#include "kube/resource.h"

#define DURATION_MS       15000
#define RENEW_DEADLINE_MS 10000
#define RETRY_MS          2000

struct kube_lease {
    struct kube *kube;
    struct loop *loop;
    const struct log *log;
    char *ns, *name, *identity, *path, *parent_path;
    int64_t duration_ms, renew_deadline_ms, retry_ms;
    void (*on_acquired)(void *ctx);
    void (*on_lost)(void *ctx);
    void *ctx;

    char *seen;               /* the Lease as JSON; NULL: none, or not read */
    char *seen_spec, *holder; /* its spec (to notice changes), its holder */
    int64_t observed_ms;      /* when the spec was first seen as it is */
    bool is_fresh; /* what was seen is what we wrote: no need to read before the next write */
    bool is_held;
    int64_t renewed_ms; /* when the request that last renewed it was sent */
    int64_t asked_ms;   /* when the one in flight was */
    ticket request, retry_timer, deadline_timer;
    char *said; /* the last problem that was logged */
    bool is_releasing, is_last_try;
    void (*released)(void *ctx);
    void *released_ctx;
};

static void try_it(void *ctx);
static void on_deadline(void *ctx);

/* -- what is known ------------------------------------------------------------------------------------------------- */

static void set_text(char **kept, const char *text)
{
    char *copy = base_copy_text(text);
    free(*kept);
    *kept = copy;
}

static void forget_lease(struct kube_lease *lease)
{
    set_text(&lease->seen, NULL);
    set_text(&lease->seen_spec, NULL);
    set_text(&lease->holder, "");
    lease->is_fresh = false;
}

static void observe(struct kube_lease *lease, struct arena *mem, const struct val *object)
{
    const char *spec = val_json(mem, val_get(object, "spec"), NULL);
    if (!lease->seen_spec || strcmp(lease->seen_spec, spec) != 0) {
        set_text(&lease->seen_spec, spec);
        lease->observed_ms = loop_now_ms(lease->loop);
    }
    const char *holder = kube_lease_holder_of(object);
    if (strcmp(lease->holder, holder) != 0)
        log_info(lease->log, F("component", "lease"), F("event", "holder"), F("lease", lease->name),
                 F("holder", holder));
    set_text(&lease->holder, holder);
    set_text(&lease->seen, val_json(mem, object, NULL));
}

/* Once per problem, not per attempt. */
static void say(struct kube_lease *lease, const struct err *e)
{
    if (e && lease->said && !strcmp(lease->said, err_text(e)))
        return;
    set_text(&lease->said, e ? err_text(e) : NULL);
    if (e)
        log_warn(lease->log, F("component", "lease"), F("event", "not renewed"),
                 F("lease", lease->name), F("err", err_text(e)));
}

/* -- held and lost ------------------------------------------------------------------------------------------------- */

static void hold(struct kube_lease *lease)
{
    lease->renewed_ms = lease->asked_ms;
    loop_cancel(lease->loop, lease->deadline_timer);
    int64_t left_ms = lease->renewed_ms + lease->renew_deadline_ms - loop_now_ms(lease->loop);
    lease->deadline_timer =
        loop_after(lease->loop, MAX_OF(left_ms, (int64_t)0), on_deadline, lease);
    if (lease->is_held)
        return;
    lease->is_held = true;
    if (lease->on_acquired)
        lease->on_acquired(lease->ctx);
}

static void lose(struct kube_lease *lease)
{
    loop_cancel(lease->loop, lease->deadline_timer);
    lease->deadline_timer = 0;
    if (!lease->is_held)
        return;
    lease->is_held = false;
    if (lease->on_lost && !lease->is_releasing)
        lease->on_lost(lease->ctx);
}

static void on_deadline(void *ctx)
{
    struct kube_lease *lease = ctx;
    lease->deadline_timer = 0;
    lose(lease);
}

/* -- releasing ----------------------------------------------------------------------------------------------------- */

static void end_release(struct kube_lease *lease)
{
    void (*released)(void *ctx) = STEAL(lease->released);
    void *ctx = lease->released_ctx;
    lease->is_held = false;
    loop_cancel(lease->loop, lease->deadline_timer);
    lease->deadline_timer = 0;
    if (released)
        released(ctx);
}

static bool is_ours(const struct kube_lease *lease)
{
    return lease->seen && !strcmp(lease->holder, lease->identity);
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

static void again_later(struct kube_lease *lease)
{
    uint32_t jitter = loop_random(lease->loop) % (uint32_t)(lease->retry_ms / 5 + 1);
    int64_t after_ms = lease->retry_ms + (lease->is_held ? 0 : jitter);
    lease->retry_timer = loop_after(lease->loop, after_ms, try_it, lease);
}

static void end_try(struct kube_lease *lease)
{
    if (lease->is_releasing)
        end_release(lease);
    else
        again_later(lease);
}

static struct err *take_answer(struct kube_lease *lease, struct arena *mem,
                               const struct kube_result *result)
{
    struct val *object;
    TRY(err_copy(result->err));
    TRY(err_wrap(doc_json_parse(mem, result->body, result->body_len, &object), "Lease"));
    observe(lease, mem, object);
    return NULL;
}

static void on_written(void *ctx, const struct kube_result *result);
static void on_read(void *ctx, const struct kube_result *result);

static void ask(struct kube_lease *lease, struct kube_request *request, kube_done_fn done)
{
    request->is_urgent = true;
    request->timeout_ms = MAX_OF(lease->renew_deadline_ms / 2, (int64_t)1);
    lease->asked_ms = loop_now_ms(lease->loop);
    lease->request = kube_start(lease->kube, request, done, lease);
}

static void read_it(struct kube_lease *lease)
{
    ask(lease, &(struct kube_request){ .method = "GET", .path = lease->path }, on_read);
}

static void write_it(struct kube_lease *lease, struct arena *mem, const struct val *object,
                     enum kube_lease_deed deed)
{
    struct kube_lease_words words = {
        .ns = lease->ns,
        .name = lease->name,
        .identity = lease->is_releasing ? "" : lease->identity,
        .duration_ms = lease->duration_ms,
        .now_ns = loop_wall_ns(lease->loop),
    };
    size_t len;
    const char *body = kube_lease_write(mem, object, deed, &words, &len);
    bool is_new = deed == KUBE_LEASE_CREATE;
    ask(lease,
        &(struct kube_request){ .method = is_new ? "POST" : "PUT",
                                .path = is_new ? lease->parent_path : lease->path,
                                .body = body,
                                .body_len = len },
        on_written);
}

/* Decides on what was seen last and does it. */
static void act(struct kube_lease *lease)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    if (lease->seen)
        err_free(doc_json_parse(mem, lease->seen, strlen(lease->seen), &object));
    struct kube_lease_view view = {
        .lease = object,
        .identity = lease->identity,
        .observed_ms = lease->observed_ms,
        .now_ms = loop_now_ms(lease->loop),
        .duration_ms = lease->duration_ms,
    };
    enum kube_lease_deed deed = kube_lease_decide(&view);
    if (lease->is_held && (deed == KUBE_LEASE_WAIT || deed == KUBE_LEASE_TAKE)) {
        lose(lease);
        if (lease->retry_timer)
            return; /* on_lost gave it up */
    }
    bool is_done = deed == KUBE_LEASE_WAIT || (lease->is_releasing && deed != KUBE_LEASE_RENEW);
    if (is_done)
        end_try(lease);
    else
        write_it(lease, mem, object, deed);
}

static void on_read(void *ctx, const struct kube_result *result)
{
    struct kube_lease *lease = ctx;
    lease->request = 0;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (result->err && result->refusal == KUBE_REFUSED_OBJECT_MISSING) {
        forget_lease(lease);
        act(lease);
        return;
    }
    SCOPED(err_free) struct err *e = take_answer(lease, mem, result);
    say(lease, e);
    if (e)
        end_try(lease);
    else
        act(lease);
}

static void on_written(void *ctx, const struct kube_result *result)
{
    struct kube_lease *lease = ctx;
    lease->request = 0;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = take_answer(lease, mem, result);
    lease->is_fresh = !e && is_ours(lease);
    bool is_stale = err_is(e, ERR_CONFLICT) || err_is(e, ERR_NOT_FOUND);
    if (lease->is_releasing && is_stale && !lease->is_last_try) {
        lease->is_last_try = true;
        read_it(lease);
        return;
    }
    /* Losing a race for it is no problem: the next look tells who won. */
    say(lease, is_stale ? NULL : e);
    if (lease->is_fresh && !lease->is_releasing)
        hold(lease);
    if (lease->is_held && is_stale)
        read_it(lease);
    else if (!lease->request && !lease->retry_timer)
        end_try(lease);
}

static void try_it(void *ctx)
{
    struct kube_lease *lease = ctx;
    lease->retry_timer = 0;
    if (lease->is_fresh)
        act(lease);
    else
        read_it(lease);
}

/* -- the interface ------------------------------------------------------------------------------------------------- */

struct kube_lease *kube_lease_start(const struct kube_lease_opts *opts)
{
    static const struct kube_resource leases = { .group = "coordination.k8s.io",
                                                 .version = "v1",
                                                 .api_version = "coordination.k8s.io/v1",
                                                 .kind = "Lease",
                                                 .plural = "leases",
                                                 .is_namespaced = true };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_lease *lease = base_alloc(sizeof(*lease));
    lease->kube = opts->kube;
    lease->loop = opts->loop;
    lease->log = opts->log;
    lease->ns = base_copy_text(opts->ns);
    lease->name = base_copy_text(opts->name);
    lease->identity = base_copy_text(opts->identity);
    lease->path = base_copy_text(kube_path(mem, &leases, opts->ns, opts->name, NULL));
    lease->parent_path = base_copy_text(kube_path(mem, &leases, opts->ns, NULL, NULL));
    lease->duration_ms = opts->duration_ms > 0 ? opts->duration_ms : DURATION_MS;
    lease->renew_deadline_ms =
        opts->renew_deadline_ms > 0 ? opts->renew_deadline_ms : RENEW_DEADLINE_MS;
    lease->retry_ms = opts->retry_ms > 0 ? opts->retry_ms : RETRY_MS;
    lease->on_acquired = opts->on_acquired;
    lease->on_lost = opts->on_lost;
    lease->ctx = opts->ctx;
    lease->holder = base_copy_text("");
    lease->retry_timer = loop_after(lease->loop, 0, try_it, lease);
    return lease;
}

static void on_release_begun(void *ctx)
{
    struct kube_lease *lease = ctx;
    lease->retry_timer = 0;
    if (lease->is_held)
        read_it(
            lease); /* a renewal may have been under way: what it made of the lease is not known */
    else
        end_release(lease);
}

void kube_lease_release(struct kube_lease *lease, void (*done)(void *ctx), void *ctx)
{
    lease->is_releasing = true;
    lease->released = done;
    lease->released_ctx = ctx;
    kube_cancel(lease->kube, lease->request);
    lease->request = 0;
    loop_cancel(lease->loop, lease->retry_timer);
    lease->retry_timer = loop_after(lease->loop, 0, on_release_begun, lease);
}

void kube_lease_free(struct kube_lease *lease)
{
    if (!lease)
        return;
    kube_cancel(lease->kube, lease->request);
    loop_cancel(lease->loop, lease->retry_timer);
    loop_cancel(lease->loop, lease->deadline_timer);
    char *const texts[] = { lease->ns,     lease->name,        lease->identity,
                            lease->path,   lease->seen,        lease->seen_spec,
                            lease->holder, lease->parent_path, lease->said };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(lease);
}

const char *kube_lease_holder(const struct kube_lease *lease)
{
    return lease->holder;
}

bool kube_lease_is_held(const struct kube_lease *lease)
{
    return lease->is_held;
}
