#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/map.h"
#include "doc/json.h"
#include "io/child.h"
#include "io/http.h"
#include "io/server.h"
#include "io/stream.h"
#include "io/worker.h"

#define PATIENCE_MS        20000
#define WORKER_STACK_BYTES ((size_t)1 << 20)

struct served {
    int status; /* 0: never answers */
    char *body;
};

struct world {
    struct arena *mem;
    char dir[64];
    struct loop *loop;
    struct http *http;
    struct workers *workers;
    struct log log;
    struct metrics *metrics;
    struct source *source;
    struct kube_config *config;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct kube_events *events;
    struct sync *sync;
    struct server *cluster;
    struct map *paths;
    struct server_request *hanging;
    char *asked;
    struct releases *releases;
    struct api *api;
    const char *url;
    bool is_source_stopped, has_real_cluster;
    int new_keys;
    bool new_key_fails, has_no_key_yet;
    api_identity_done key_done;
    void *key_ctx;
};

static void no_line(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    if (getenv("WORLD_LOG"))
        (void)fwrite(line, 1, len, stderr);
}

static int64_t wall_ns(void *ctx)
{
    return loop_wall_ns(((struct world *)ctx)->loop);
}

/* --- the repository */

static const char *run(struct world *world, const char *const *argv)
{
    static const char *const env[] = { "PATH=/usr/local/bin:/usr/bin:/bin",
                                       "HOME=/nonexistent",
                                       "GIT_CONFIG_NOSYSTEM=1",
                                       "GIT_AUTHOR_NAME=Jane",
                                       "GIT_AUTHOR_EMAIL=jane@example.org",
                                       "GIT_COMMITTER_NAME=Jane",
                                       "GIT_COMMITTER_EMAIL=jane@example.org",
                                       NULL };
    struct child_spec spec = {
        .argv = argv, .env = env, .cwd = world->dir, .deadline_ms = stream_now_ms() + PATIENCE_MS
    };
    struct child_io io = { .out_limit = 1 << 20, .err_limit = 1 << 16 };
    struct child_output output;
    SCOPED(err_free) struct err *e = child_run(world->mem, &spec, &io, &output);
    if (e || output.exit_status != 0)
        fail_msg("%s %s: %s", argv[0], argv[1], e ? err_text(e) : output.err);
    return output.out;
}

#define RUN(world, ...) run((world), (const char *const[]){ __VA_ARGS__, NULL })

static void make_repository(struct world *world)
{
    RUN(world, "git", "init", "-q", "--bare", "-b", "main", "repo.git");
    RUN(world, "git", "clone", "-q", "repo.git", "clone");
    RUN(world, "git", "-C", "clone", "checkout", "-q", "-B", "main");
    world->url = arena_printf(world->mem, "file://%s/repo.git", world->dir);
}

const char *world_shell(struct world *world, const char *command)
{
    return RUN(world, "sh", "-c", command);
}

const char *world_commit(struct world *world, const char *path, const char *text)
{
    const char *file = arena_printf(world->mem, "%s/clone/%s", world->dir, path);
    if (text) {
        const char *slash = strrchr(path, '/');
        if (slash)
            RUN(world, "mkdir", "-p",
                arena_printf(world->mem, "clone/%.*s", (int)(slash - path), path));
        FILE *out = fopen(file, "w");
        assert_non_null(out);
        assert_true(fputs(text, out) >= 0);
        assert_int_equal(fclose(out), 0);
    } else {
        assert_int_equal(unlink(file), 0);
    }
    RUN(world, "git", "-C", "clone", "add", "-A");
    RUN(world, "git", "-C", "clone", "commit", "-q", "-m",
        arena_printf(world->mem, "Change %s", path));
    RUN(world, "git", "-C", "clone", "push", "-q", "origin", "main");
    const char *sha = RUN(world, "git", "-C", "clone", "rev-parse", "HEAD");
    return arena_strndup(world->mem, sha, strcspn(sha, "\n"));
}

/* --- the API server */

static void on_cluster_request(void *ctx, struct server_request *request)
{
    struct world *world = ctx;
    SBUF(path, 4096);
    sbuf_add(&path, server_path(request));
    const char *selector = server_query(request, "fieldSelector");
    if (selector)
        sbuf_addf(&path, "?fieldSelector=%s", selector);
    free(world->asked);
    world->asked = base_copy_text(sbuf_text(&path));
    const struct served *served = map_get(world->paths, sbuf_text(&path));
    if (!served)
        served = map_get(world->paths, server_path(request));
    if (served && served->status == 0) {
        world->hanging = request;
        return;
    }
    const char *body =
        served ? served->body
               : "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no such path\"}";
    server_reply(request, &(struct server_answer){ .status = served ? served->status : 404,
                                                   .content_type = "application/json",
                                                   .body = body,
                                                   .body_len = strlen(body) });
}

static void free_served(void *value)
{
    struct served *served = value;
    free(served->body);
    free(served);
}

void world_serve(struct world *world, const char *path, int status, const char *body)
{
    struct served *served = base_alloc(sizeof(*served));
    *served = (struct served){ .status = status, .body = base_copy_text(body) };
    map_set(world->paths, path, served);
}

void world_hang(struct world *world, const char *path)
{
    world_serve(world, path, 0, "");
}

const char *world_asked(struct world *world)
{
    return world->asked ? world->asked : "";
}

static const char *make_scripted(struct world *world)
{
    world->paths = map_new(free_served);
    assert_null(server_new(world->loop, "127.0.0.1:0", on_cluster_request, world, &world->cluster));
    const char *file = arena_printf(world->mem, "%s/kubeconfig", world->dir);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    (void)fprintf(
        out,
        "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "
        "'http://127.0.0.1:%d'}}], users: [{name: u, user: {}}], contexts: [{name: c, context: "
        "{cluster: c, "
        "user: u}}]}",
        server_port(world->cluster));
    assert_int_equal(fclose(out), 0);
    return file;
}

static void make_cluster(struct world *world, const char *kubeconfig)
{
    const char *file = kubeconfig ? kubeconfig : make_scripted(world);
    SCOPED(err_free)
    struct err *e =
        kube_config_load(&(struct kube_config_opts){ .kubeconfig = file }, &world->config);
    if (e)
        fail_msg("%s", err_text(e));
    world->kube = kube_new(&(struct kube_opts){ .loop = world->loop,
                                                .http = world->http,
                                                .log = &world->log,
                                                .config = world->config,
                                                .user_agent = "test",
                                                .attempts = 1 });
    world->discovery = kube_discovery_new(world->kube, &world->log);
    world->events = kube_events_new(&(struct kube_events_opts){ .kube = world->kube,
                                                                .loop = world->loop,
                                                                .log = &world->log,
                                                                .component = "serin",
                                                                .host = "" });
}

/* --- the deploy key */

static bool identity_key(void *ctx, struct api_key *out)
{
    const struct world *world = ctx;
    if (world->has_no_key_yet)
        return false;
    *out = (struct api_key){ .line = world->new_keys ? "ssh-ed25519 NEW flux\n"
                                                     : "ssh-ed25519 OLD flux\n",
                             .md5_hash = "aa:bb",
                             .md5_art = "+--[MD5]--+\n",
                             .sha256_hash = "x/y+z",
                             .sha256_art = "+[SHA256]-+\n" };
    return true;
}

static void on_key_made(void *ctx)
{
    struct world *world = ctx;
    SCOPED(err_free) struct err *e = NULL;
    if (world->new_key_fails)
        e = err_new(ERR_DENIED, "the Secret cannot be written");
    else
        world->new_keys++;
    world->key_done(world->key_ctx, e);
}

static void identity_regenerate(void *ctx, api_identity_done done, void *done_ctx)
{
    struct world *world = ctx;
    world->key_done = done;
    world->key_ctx = done_ctx;
    (void)loop_after(world->loop, 1, on_key_made, world);
}

static void on_key_found(void *ctx)
{
    struct world *world = ctx;
    world->has_no_key_yet = false;
    world->key_done(world->key_ctx, NULL);
}

static bool identity_await(void *ctx, api_identity_done done, void *done_ctx)
{
    struct world *world = ctx;
    world->key_done = done;
    world->key_ctx = done_ctx;
    (void)loop_after(world->loop, 1, on_key_found, world);
    return true;
}

void world_find_key_later(struct world *world)
{
    world->has_no_key_yet = true;
}

int world_new_keys(const struct world *world)
{
    return world->new_keys;
}

void world_fail_new_key(struct world *world)
{
    world->new_key_fails = true;
}

/* --- life */

static void on_refreshed(void *ctx, const char *head, const struct mirror_fetched *fetched)
{
    const struct world *world = ctx;
    if (world->has_real_cluster)
        sync_on_refreshed(world->sync, head, fetched);
}

static void make_source(struct world *world, const struct world_opts *opts)
{
    const char *url = opts->no_repository ? "" : world->url;
    if (opts->no_such_repository)
        url = arena_printf(world->mem, "file://%s/no-such.git", world->dir);
    const struct mirror_opts mirror = { .url = url,
                                        .dir = arena_printf(world->mem, "%s/mirror", world->dir),
                                        .branch = "main",
                                        .sync_tag = "flux-sync",
                                        .notes_ref = "flux",
                                        .user_name = "serin",
                                        .user_email = "serin@example.org" };
    world->source = source_new(&(struct source_opts){
        .loop = world->loop,
        .workers = world->workers,
        .log = &world->log,
        .metrics = world->metrics,
        .mirror = &mirror,
        .poll_ms = 3600000,
        .timeout_ms = opts->git_timeout_ms ? opts->git_timeout_ms : PATIENCE_MS,
        .is_readonly = opts->is_readonly,
        .on_refreshed = on_refreshed,
        .ctx = world });
    source_start(world->source);
}

/* Without registries: what is released is told by who asks. */
static void make_releases(struct world *world, const struct world_opts *opts)
{
    world->releases = releases_new(&(struct releases_opts){
        .loop = world->loop,
        .log = &world->log,
        .metrics = world->metrics,
        .kube = world->kube,
        .discovery = world->discovery,
        .source = world->source,
        .sync = world->sync,
        .git_branch = "main",
        .git_notes_ref = "flux",
        .git_paths = opts->git_paths,
        .allowed_ns = opts->allowed_ns,
        .default_ns = "default",
        .is_readonly = opts->is_readonly,
        .job_timeout_ms = opts->job_timeout_ms ? opts->job_timeout_ms : 60000 });
}

static void make_api(struct world *world, const struct world_opts *opts)
{
    const struct api_identity identity = { identity_key, identity_regenerate, identity_await,
                                           world };
    world->api =
        api_new(&(struct api_opts){ .loop = world->loop,
                                    .log = &world->log,
                                    .metrics = world->metrics,
                                    .source = world->source,
                                    .sync = world->sync,
                                    .releases = world->releases,
                                    .kube = world->kube,
                                    .discovery = world->discovery,
                                    .identity = opts->has_identity ? &identity : NULL,
                                    .version = "1.2.3",
                                    .listen = "127.0.0.1:0",
                                    .listen_metrics = opts->own_metrics ? "127.0.0.1:0" : NULL,
                                    .git_branch = "main",
                                    .git_paths = opts->git_paths,
                                    .allowed_ns = opts->allowed_ns,
                                    .is_readonly = opts->is_readonly });
    SCOPED(err_free) struct err *e = api_start(world->api);
    if (e)
        fail_msg("%s", err_text(e));
}

struct world *world_new(const struct world_opts *opts)
{
    struct world *world = base_alloc(sizeof(*world));
    world->mem = arena_new(ARENA_LIMIT_BYTES);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(world->dir, sizeof(world->dir), "%.40s/serin-api-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(world->dir));
    world->loop = loop_new();
    world->log =
        (struct log){ .least = LOG_DEBUG, .write = no_line, .wall_ns = wall_ns, .ctx = world };
    world->http = http_new(world->loop, &(struct http_opts){ .user_agent = "test" });
    world->workers = worker_new(world->loop, 2, WORKER_STACK_BYTES);
    world->metrics = metrics_new();
    make_repository(world);
    make_cluster(world, opts->kubeconfig);
    world->has_real_cluster = opts->kubeconfig != NULL;
    make_source(world, opts);
    world->sync = sync_new(&(struct sync_opts){ .loop = world->loop,
                                                .log = &world->log,
                                                .metrics = world->metrics,
                                                .kube = world->kube,
                                                .discovery = world->discovery,
                                                .events = world->events,
                                                .source = world->source,
                                                .own_ns = "flux",
                                                .secret_name = "flux-git-deploy",
                                                .default_ns = "default",
                                                .allowed_ns = opts->allowed_ns,
                                                .git_branch = "main",
                                                .git_paths = opts->git_paths,
                                                .sync_tag = "flux-sync",
                                                .interval_ms = 3600000,
                                                .timeout_ms = 60000 });
    if (world->has_real_cluster)
        sync_start(world->sync);
    make_releases(world, opts);
    make_api(world, opts);
    return world;
}

static void on_source_stopped(void *ctx)
{
    ((struct world *)ctx)->is_source_stopped = true;
}

void world_free(struct world *world)
{
    static const struct server_answer late = { .status = 503 };
    api_stop(world->api);
    releases_stop(world->releases);
    sync_stop(world->sync);
    source_stop(world->source, on_source_stopped, world);
    while (!world->is_source_stopped && loop_turn(world->loop, 100))
        ;
    api_free(world->api);
    releases_free(world->releases);
    sync_free(world->sync);
    source_free(world->source);
    kube_events_free(world->events);
    kube_discovery_free(world->discovery);
    kube_free(world->kube);
    kube_config_free(world->config);
    worker_free(world->workers);
    http_free(world->http);
    server_free(world->cluster);
    if (world->hanging)
        server_reply(world->hanging, &late);
    metrics_free(world->metrics);
    loop_free(world->loop);
    map_free(world->paths);
    free(world->asked);
    (void)RUN(world, "rm", "-rf", world->dir);
    arena_free(world->mem);
    free(world);
}

struct api *world_api(struct world *world)
{
    return world->api;
}

struct source *world_source(struct world *world)
{
    return world->source;
}

const char *world_url(struct world *world)
{
    return world->url;
}

void world_applied(struct world *world, const char *sha)
{
    struct sync_status status;
    for (int64_t until = stream_now_ms() + PATIENCE_MS;;) {
        sync_status(world->sync, &status);
        if (strcmp(status.applied, sha) == 0 && !status.is_running)
            return;
        if (stream_now_ms() > until)
            fail_msg("applied is %s, not %s: %s", status.applied, sha, status.error);
        loop_turn(world->loop, 10);
    }
}

static void on_cluster_answer(void *ctx, const struct kube_result *result)
{
    *(int *)ctx = result->status ? result->status : -1;
}

int world_cluster(struct world *world, const char *method, const char *path, const char *body)
{
    int status = 0;
    (void)kube_start(
        world->kube,
        &(struct kube_request){
            .method = method, .path = path, .body = body, .body_len = body ? strlen(body) : 0 },
        on_cluster_answer, &status);
    while (!status)
        loop_turn(world->loop, 10);
    return status;
}

void world_wait(struct world *world, int64_t ms)
{
    for (int64_t until = stream_now_ms() + ms; stream_now_ms() < until;)
        loop_turn(world->loop, 10);
}

void world_fetched(struct world *world, const char *head)
{
    for (int64_t until = stream_now_ms() + PATIENCE_MS;
         strcmp(source_head(world->source), head) != 0;) {
        if (stream_now_ms() > until)
            fail_msg("the head is %s, not %s: %s", source_head(world->source), head,
                     source_error(world->source));
        loop_turn(world->loop, 10);
    }
    for (int64_t until = stream_now_ms() + PATIENCE_MS;
         source_state(world->source) != SOURCE_READY;) {
        assert_true(stream_now_ms() < until);
        loop_turn(world->loop, 10);
    }
}

static void on_fetch_ended(void *ctx, const struct err *e)
{
    (void)e; /* the source says it, too */
    *(bool *)ctx = true;
}

/* No fetch goes on when this returns. */
void world_fetch(struct world *world, const char *head)
{
    bool has_ended = false;
    source_fetch(world->source, on_fetch_ended, &has_ended);
    for (int64_t until = stream_now_ms() + PATIENCE_MS; !has_ended;) {
        assert_true(stream_now_ms() < until);
        loop_turn(world->loop, 10);
    }
    world_fetched(world, head);
}

/* --- requests */

struct asking {
    struct world *world;
    struct world_answer answer;
    bool is_done;
};

static void on_answer(void *ctx, const struct http_result *result)
{
    struct asking *asking = ctx;
    struct arena *mem = asking->world->mem;
    asking->is_done = true;
    if (result->err) {
        asking->answer.body = arena_strdup(mem, err_text(result->err));
        return;
    }
    const char *type = http_header(result, "Content-Type");
    asking->answer =
        (struct world_answer){ .status = result->status,
                               .body = arena_strndup(mem, result->body, result->body_len),
                               .content_type = arena_strdup(mem, type ? type : ""),
                               .len = result->body_len };
    err_free(doc_json_parse(mem, asking->answer.body, result->body_len, &asking->answer.json));
}

static struct world_answer finish(struct asking *asking)
{
    for (int64_t until = stream_now_ms() + PATIENCE_MS; !asking->is_done;) {
        assert_true(stream_now_ms() < until);
        loop_turn(asking->world->loop, 10);
    }
    return asking->answer;
}

static void start(struct asking *asking, const struct http_request *request)
{
    struct http_request bounded = *request;
    bounded.timeout_ms = PATIENCE_MS;
    bounded.proxy = "";
    (void)http_start(asking->world->http, &bounded, on_answer, asking);
}

static const char *url_of(struct world *world, int port, const char *path)
{
    return arena_printf(world->mem, "http://127.0.0.1:%d%s", port, path);
}

static const char *const wants_json[] = { "Accept: application/json", NULL };

struct world_answer world_ask(struct world *world, const char *method, const char *path,
                              const char *body)
{
    struct asking asking = { .world = world };
    start(&asking, &(struct http_request){ .method = method,
                                           .url = url_of(world, api_port(world->api), path),
                                           .headers = wants_json,
                                           .body = body,
                                           .body_len = body ? strlen(body) : 0 });
    return finish(&asking);
}

struct world_answer world_ask_with(struct world *world, const char *method, const char *path,
                                   const char *const *headers)
{
    struct asking asking = { .world = world };
    start(&asking, &(struct http_request){ .method = method,
                                           .url = url_of(world, api_port(world->api), path),
                                           .headers = headers });
    return finish(&asking);
}

struct world_answer world_ask_metrics(struct world *world, const char *path)
{
    struct asking asking = { .world = world };
    start(&asking, &(struct http_request){
                       .method = "GET", .url = url_of(world, api_metrics_port(world->api), path) });
    return finish(&asking);
}

struct world_answer world_ask_while(struct world *world, const char *path,
                                    void (*meanwhile)(struct world *world))
{
    struct asking asking = { .world = world };
    start(&asking, &(struct http_request){ .method = "GET",
                                           .url = url_of(world, api_port(world->api), path),
                                           .headers = wants_json });
    world_wait(world, 100);
    assert_false(asking.is_done);
    meanwhile(world);
    return finish(&asking);
}

struct val *world_job(struct world *world, const char *method_path_body[3])
{
    struct world_answer posted =
        world_ask(world, method_path_body[0], method_path_body[1], method_path_body[2]);
    assert_true(posted.status == 200 || posted.status == 202);
    const char *id =
        val_text(posted.json) ? val_text(posted.json) : val_text(val_get(posted.json, "job"));
    assert_non_null(id);
    const char *path = arena_printf(world->mem, "/api/flux/v6/jobs?id=%s", id);
    for (int64_t until = stream_now_ms() + PATIENCE_MS; stream_now_ms() < until;) {
        struct world_answer status = world_ask(world, "GET", path, NULL);
        assert_int_equal(status.status, 200);
        const char *state = val_text_or(val_get(status.json, "StatusString"), "");
        if (strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0)
            return status.json;
        world_wait(world, 10);
    }
    fail_msg("job %s does not end", id);
    return NULL;
}
