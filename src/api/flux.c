/* The routes of Flux v1. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/call.h"

#define COMMITS_SHOWN 1000

/* --- ping, version, notify */

static void on_cluster_version(void *ctx, const struct kube_result *result)
{
    struct api_call *call = ctx;
    call->cancel = NULL;
    if (result->err)
        api_call_fail_server(call, result->err);
    else
        api_call_empty(call, 204);
}

static void cancel_kube(struct api_call *call)
{
    kube_cancel(call->api->opts.kube, *(ticket *)call->state);
}

static void ping(struct api_call *call)
{
    ticket *request = arena_alloc(call->mem, sizeof(*request));
    call->state = request;
    call->cancel = cancel_kube;
    *request = kube_start(call->api->opts.kube,
                          &(struct kube_request){ .method = "GET", .path = "/version" },
                          on_cluster_version, call);
}

static void version(struct api_call *call)
{
    api_call_json(call, 200, val_new_text(call->mem, call->api->opts.version));
}

/* As in Flux: only a change of our repository on another branch is none of our business. */
static bool is_unrelated(const struct api *api, struct arena *mem, const struct api_change *change)
{
    const struct giturl *url = source_url(api->opts.source);
    return !url || (giturl_equivalent(mem, change->url, url->safe) &&
                    strcmp(change->branch, api->opts.git_branch) != 0);
}

static void notify_image(const struct api *api, struct arena *mem, const struct api_change *change)
{
    struct image_scans *scans = api->opts.scans;
    const struct image_ref ref = {
        .domain = change->domain, .path = change->image, .tag = "", .digest = ""
    };
    const char *name = image_ref_canonical_name(mem, &ref);
    if (scans && !image_scans_notify(scans, name))
        log_info(api->opts.log, F("component", "daemon"),
                 F("msg", "notified about an image that is not followed"), F("image", name));
}

void api_notify(struct api *api, const struct api_change *change)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (change->kind == API_CHANGE_IMAGE)
        notify_image(api, mem, change);
    else if (is_unrelated(api, mem, change))
        log_info(api->opts.log, F("component", "daemon"),
                 F("msg", "notified about unrelated change"), F("url", change->url),
                 F("branch", change->branch));
    else
        source_fetch(api->opts.source, NULL, NULL);
}

static void notify(struct api_call *call)
{
    struct api_change change;
    int64_t offset;
    size_t len;
    const char *body = api_call_body(call, &len);
    SCOPED(err_free) struct err *e = api_body_change(call->mem, body, len, &change, &offset);
    if (e) {
        api_call_undecodable(call, e, offset);
        return;
    }
    api_notify(call->api, &change);
    api_call_empty(call, 202);
}

/* --- sync: which commits are still to be applied */

struct range_facts {
    const char *marker, *ref;
    const char *const *paths;
    struct mirror_commits commits;
};

static bool is_full_sha(const char *ref)
{
    return strlen(ref) == MIRROR_SHA_BYTES - 1 &&
           strspn(ref, "0123456789abcdef") == MIRROR_SHA_BYTES - 1;
}

/* The words of git, which clients show and scripts look for. */
static struct err *bad_range(struct arena *mem, const struct range_facts *facts)
{
    const char *words =
        is_full_sha(facts->ref)
            ? arena_printf(mem, "fatal: Invalid revision range %s..%s", facts->marker, facts->ref)
            : arena_printf(mem, "fatal: bad revision '%s..%s'", facts->marker, facts->ref);
    return err_new(ERR_NOT_FOUND, "%s, full output:\n %s\n", words, words);
}

/* A marker that history no longer has (it was rewritten) says nothing: then all commits count. */
static struct err *find_range(struct mirror *mirror, struct arena *mem, void *of,
                              int64_t deadline_ms)
{
    (void)deadline_ms;
    struct range_facts *facts = of;
    char from[MIRROR_SHA_BYTES] = "", to[MIRROR_SHA_BYTES];
    SCOPED(err_free)
    struct err *missing = mirror_resolve(mirror, facts->ref, to);
    if (err_is(missing, ERR_NOT_FOUND))
        return bad_range(mem, facts);
    if (missing)
        return STEAL(missing);
    if (*facts->marker)
        err_free(mirror_resolve(mirror, facts->marker, from));
    return mirror_log(mirror, mem, from, to, facts->paths, COMMITS_SHOWN, false, &facts->commits);
}

static void on_range(struct api_call *call, void *of, const struct err *e)
{
    const struct range_facts *facts = of;
    if (e) {
        api_call_fail(call, e);
        return;
    }
    struct val *shas = val_new_list(call->mem);
    for (size_t i = 0; i < facts->commits.len; i++)
        val_append(call->mem, shas, val_new_text(call->mem, facts->commits.at[i].sha));
    api_call_json(call, 200, shas);
}

static const struct api_git_how range_how = { .work = find_range, .done = on_range };

static void sync_range(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    SCOPED(err_free) struct err *unready = source_check_ready(opts->source);
    if (unready) {
        api_call_fail(call, unready);
        return;
    }
    struct sync_status status;
    sync_status(opts->sync, &status);
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct range_facts *facts = arena_alloc(mem, sizeof(*facts));
    facts->marker = arena_strdup(mem, *status.marker ? status.marker : status.applied);
    facts->ref = arena_strdup(mem, api_git_ref(call));
    facts->paths = opts->git_paths; /* lives as long as the API, and nothing writes it */
    api_git_ask(call, &range_how, mem, facts);
}

/* --- the repository and its deploy key */

static struct val *fingerprint_json(struct arena *mem, const char *hash, const char *art)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "hash", hash);
    val_set_text(mem, value, "randomart", art);
    return value;
}

static struct val *key_json(struct api_call *call)
{
    const struct api_identity *identity = &call->api->identity;
    struct val *value = val_new_map(call->mem);
    struct api_key key;
    if (!identity->key || !identity->key(identity->ctx, &key)) {
        val_set_text(call->mem, value, "key", "");
        val_set(call->mem, value, "fingerprints", val_new(call->mem, VAL_NULL));
        return value;
    }
    struct val *prints = val_new_map(call->mem);
    val_set(call->mem, prints, "md5", fingerprint_json(call->mem, key.md5_hash, key.md5_art));
    val_set(call->mem, prints, "sha256",
            fingerprint_json(call->mem, key.sha256_hash, key.sha256_art));
    val_set_text(call->mem, value, "key", key.line);
    val_set(call->mem, value, "fingerprints", prints);
    return value;
}

static const char *join_paths(struct arena *mem, const char *const *paths)
{
    const char *joined = "";
    for (size_t i = 0; paths && paths[i]; i++)
        joined = arena_printf(mem, "%s%s%s", joined, i ? "," : "", paths[i]);
    return joined;
}

static void write_git_config(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    struct val *value = val_new_map(call->mem), *remote = val_new_map(call->mem);
    val_set_text(call->mem, remote, "url", api_git_url(call->api));
    val_set_text(call->mem, remote, "branch", opts->git_branch);
    val_set_text(call->mem, remote, "path", join_paths(call->mem, opts->git_paths));
    val_set(call->mem, value, "remote", remote);
    val_set(call->mem, value, "publicSSHKey", key_json(call));
    val_set_text(call->mem, value, "status", source_state_name(source_state(opts->source)));
    val_set_text(call->mem, value, "errors", source_error(opts->source));
    api_call_json(call, 200, value);
}

static void write_key(struct api_call *call)
{
    api_call_json(call, 200, key_json(call));
}

static void show_nothing(struct api_call *call)
{
    api_call_empty(call, 204);
}

/* A key is being looked for or made for a call. */
struct new_key {
    struct api_wait wait;
    void (*answer)(struct api_call *call);
};

static void free_new_key(struct api_wait *wait)
{
    free(wait);
}

static void on_new_key(void *ctx, const struct err *e)
{
    struct new_key *made = ctx;
    if (made->wait.call && e)
        api_call_fail_server(made->wait.call, e);
    else if (made->wait.call)
        made->answer(made->wait.call);
    api_wait_end(&made->wait);
}

/* What there is now, key or none. */
static void on_awaited_key(void *ctx, const struct err *e)
{
    struct new_key *found = ctx;
    (void)e; /* the log has it */
    if (found->wait.call)
        found->answer(found->wait.call);
    api_wait_end(&found->wait);
}

/* The API is there before the key: who asks for it in the first moments waits for it. */
static void with_key(struct api_call *call, void (*answer)(struct api_call *call))
{
    const struct api_identity *identity = &call->api->identity;
    struct api_key key;
    if (!identity->await || identity->key(identity->ctx, &key)) {
        answer(call);
        return;
    }
    struct new_key *found = base_alloc(sizeof(*found));
    found->wait.free = free_new_key;
    found->answer = answer;
    api_wait_start(&found->wait, call->api, call);
    if (!identity->await(identity->ctx, on_awaited_key, found))
        on_awaited_key(found, NULL);
}

static void show_key(struct api_call *call)
{
    with_key(call, write_key);
}

/* Without a key ring there is nothing to do, and that is fine with Flux's clients. */
static void make_key(struct api_call *call, void (*answer)(struct api_call *call))
{
    const struct api_identity *identity = &call->api->identity;
    struct api_key key;
    if (!identity->regenerate || !identity->key(identity->ctx, &key)) {
        answer(call);
        return;
    }
    struct new_key *made = base_alloc(sizeof(*made));
    made->wait.free = free_new_key;
    made->answer = answer;
    api_wait_start(&made->wait, call->api, call);
    identity->regenerate(identity->ctx, on_new_key, made);
}

static void git_repo_config(struct api_call *call)
{
    bool wants_new_key;
    int64_t offset;
    size_t len;
    const char *body = api_call_body(call, &len);
    SCOPED(err_free) struct err *e = api_body_bool(call->mem, body, len, &wants_new_key, &offset);
    if (e)
        api_call_undecodable(call, e, offset);
    else if (wants_new_key)
        make_key(call, write_git_config);
    else
        with_key(call, write_git_config);
}

static void new_key(struct api_call *call)
{
    make_key(call, show_nothing);
}

const struct api_route api_flux_routes[] = {
    // clang-format off
    { "GET",  "/v11/ping",            NULL,  ping, false },
    { "GET",  "/v11/version",         NULL,  version, false },
    { "POST", "/v11/notify",          NULL,  notify, false },
    { "GET",  "/v6/services",         NULL,  api_services_list, false },
    { "GET",  "/v11/services",        NULL,  api_services_list, false },
    { "GET",  "/v6/images",           NULL,  api_images_list, false },
    { "GET",  "/v10/images",          NULL,  api_images_list, false },
    { "POST", "/v9/update-manifests", NULL,  api_update_manifests, false },
    { "POST", "/v6/update-images",    "service", api_update_images, false },
    { "PATCH", "/v6/policies",        NULL,  api_update_policies, false },
    { "GET",  "/v6/jobs",             "id",  api_update_status, false },
    { "GET",  "/v6/sync",             "ref", sync_range, false },
    { "GET",  "/v6/export",           NULL,  api_export, false },
    { "HEAD", "/v6/export",           NULL,  api_export, false },
    { "POST", "/v9/git-repo-config",  NULL,  git_repo_config, false },
    { "GET",  "/v6/identity.pub",     NULL,  show_key, true },
    { "POST", "/v6/identity.pub",     NULL,  new_key, false },
    // clang-format on
};
const size_t api_flux_route_count = ARRAY_LEN(api_flux_routes);
