#include "registry_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

#define PATIENCE_MS 20000

static bool is_path(const struct lab_route *route, const char *path)
{
    size_t len = strlen(route->path);
    if (len > 0 && route->path[len - 1] == '*')
        return strncmp(route->path, path, len - 1) == 0;
    return strcmp(route->path, path) == 0;
}

static bool matches(const struct lab_route *route, const struct scripted_request *request)
{
    return is_path(route, request->path) &&
           (!route->query || strstr(request->query, route->query)) &&
           (!route->auth || strcmp(route->auth, scripted_header(request, "Authorization")) == 0);
}

static void reply(const struct scripted_request *request, const struct lab_route *route)
{
    if (strcmp(request->method, "HEAD") != 0) {
        scripted_reply(request, route->status, route->headers, route->body);
        return;
    }
    char head[2048];
    int len = snprintf(head, sizeof(head), "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n%s\r\n",
                       route->status, strlen(route->body), route->headers ? route->headers : "");
    scripted_send(request, head, (size_t)len);
}

static void serve(void *ctx, const struct scripted_request *request)
{
    struct lab *lab = ctx;
    struct lab_route found = {
        .status = 404, .body = "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no\"}]}"
    };
    bool is_found = false;
    for (size_t i = lab->routes.len; i > 0 && !is_found; i--) {
        scripted_lock(lab->server);
        struct lab_route route = lab->routes.at[i - 1];
        scripted_unlock(lab->server);
        is_found = matches(&route, request);
        if (is_found)
            found = route;
    }
    if (found.serve)
        found.serve(request);
    else
        reply(request, &found);
}

static void on_news(void *ctx, const char *name)
{
    struct lab *lab = ctx;
    assert_non_null(image_scans_find(lab->scans, name));
    lab->news++;
}

int lab_set_up(void **state)
{
    struct lab *lab = base_alloc(sizeof(*lab));
    lab->routes.cap = 256; /* never moved: threads read it */
    lab->routes.at = base_alloc(lab->routes.cap * sizeof(*lab->routes.at));
    lab->bench = bench_new(serve, lab, NULL);
    lab->server = lab->bench->server;
    lab->host = lab_printf(lab, "127.0.0.1:%d", scripted_port(lab->server));
    lab->insecure[0] = "127.0.0.1";
    lab->opts = (struct image_scans_opts){ .loop = lab->bench->loop,
                                           .http = lab->bench->http,
                                           .kube = lab->bench->kube,
                                           .log = &lab->bench->log,
                                           .metrics = lab->bench->metrics,
                                           .rps = 100000,
                                           .burst = 1000,
                                           .interval_ms = 3600000,
                                           .insecure_hosts = lab->insecure,
                                           .on_news = on_news,
                                           .ctx = lab };
    *state = lab;
    return 0;
}

int lab_tear_down(void **state)
{
    struct lab *lab = *state;
    image_scans_free(lab->scans);
    bench_free(lab->bench);
    free(lab->routes.at);
    free(lab);
    return 0;
}

const char *lab_printf(struct lab *lab, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(lab->bench->mem, fmt, args);
    va_end(args);
    return text;
}

void lab_route(struct lab *lab, const struct lab_route *route)
{
    scripted_lock(lab->server);
    ASSERT(lab->routes.len < lab->routes.cap);
    lab->routes.at[lab->routes.len++] = *route;
    scripted_unlock(lab->server);
}

size_t lab_count(struct lab *lab, const char *part)
{
    return scripted_count(lab->server, part);
}

void lab_start(struct lab *lab)
{
    lab->scans = image_scans_new(&lab->opts);
}

void lab_tags(struct lab *lab, const char *items)
{
    const char *body = lab_printf(lab, "{\"name\":\"team/app\",\"tags\":[%s]}", items);
    lab_route(lab,
              &(struct lab_route){ .path = "/v2/team/app/tags/list", .status = 200, .body = body });
}

const char *lab_put(struct lab *lab, const char *kind, const char *tag, const char *body)
{
    unsigned char bytes[HASH_SHA256_BYTES];
    hash_sha256(body, strlen(body), bytes);
    const char *digest =
        lab_printf(lab, "sha256:%s", hash_hex(lab->bench->mem, bytes, sizeof(bytes)));
    struct lab_route route = { .path = lab_printf(lab, "/v2/team/app/%s/%s", kind, digest),
                               .status = 200,
                               .headers = lab_printf(lab, "Docker-Content-Digest: %s\r\n", digest),
                               .body = body };
    lab_route(lab, &route);
    if (tag) {
        route.path = lab_printf(lab, "/v2/team/app/%s/%s", kind, tag);
        lab_route(lab, &route);
    }
    return digest;
}

const char *lab_image(struct lab *lab, const char *tag, const char *created)
{
    const char *config =
        lab_put(lab, "blobs", NULL, lab_printf(lab, "{\"created\":\"%s\"}", created));
    return lab_put(lab, "manifests", tag,
                   lab_printf(lab,
                              "{\"schemaVersion\":2,\"mediaType\":\"application/"
                              "vnd.oci.image.manifest.v1+json\",\"config\":{\"digest\":\"%s\"},"
                              "\"layers\":[]}",
                              config));
}

struct image_wish lab_wish(struct lab *lab, const char *repository, const char *const *patterns)
{
    struct image_wish wish = { .patterns = patterns, .ns = "shop" };
    const char *text =
        strchr(repository, ':') ? repository : lab_printf(lab, "%s/%s", lab->host, repository);
    struct err *e = image_ref_parse(lab->bench->mem, text, &wish.ref);
    ASSERT(!e);
    return wish;
}

static void on_done(void *ctx)
{
    struct lab *lab = ctx;
    lab->done++;
}

const struct image_repo *lab_ask(struct lab *lab, const char *repository,
                                 const char *const *patterns)
{
    return lab_ask_aged(lab, repository, patterns, 0);
}

const struct image_repo *lab_ask_aged(struct lab *lab, const char *repository,
                                      const char *const *patterns, int64_t max_age_ms)
{
    const struct image_wish wish = lab_wish(lab, repository, patterns);
    int before = lab->done;
    int64_t until_ms = loop_now_ms(lab->bench->loop) + PATIENCE_MS;
    (void)image_scans_ask(lab->scans, &wish, 1, max_age_ms, PATIENCE_MS, on_done, lab);
    assert_int_equal(lab->done, before);
    while (lab->done == before && loop_now_ms(lab->bench->loop) < until_ms)
        (void)loop_turn(lab->bench->loop, 50);
    assert_int_equal(lab->done, before + 1);
    return lab_find(lab, repository);
}

const struct image_repo *lab_find(struct lab *lab, const char *repository)
{
    const struct image_wish wish = lab_wish(lab, repository, NULL);
    return image_scans_find(lab->scans, image_ref_canonical_name(lab->bench->mem, &wish.ref));
}

size_t lab_count_scans(struct lab *lab)
{
    const struct metric *ended =
        metrics_declare(lab->bench->metrics,
                        &(struct metric_spec){ .name = "flux_registry_fetch_duration_seconds" });
    return (size_t)(metric_value(ended, (const char *const[]){ "true" }) +
                    metric_value(ended, (const char *const[]){ "false" }));
}

void lab_want_all(struct lab *lab, const struct image_wish *wishes, size_t count)
{
    lab->scans_due = lab_count_scans(lab) + count;
    image_scans_want(lab->scans, wishes, count);
}

void lab_want(struct lab *lab, const char *repository, const char *const *patterns)
{
    const struct image_wish wish = lab_wish(lab, repository, patterns);
    lab_want_all(lab, &wish, 1);
}

static bool has_scanned(void *ctx)
{
    struct lab *lab = ctx;
    return lab_count_scans(lab) >= lab->scans_due;
}

void lab_until_scanned(struct lab *lab)
{
    assert_true(bench_until(lab->bench, has_scanned, lab));
}

void lab_turn(struct lab *lab, int64_t ms)
{
    bench_turn_for(lab->bench, ms);
}
