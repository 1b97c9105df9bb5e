#include "http_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"

static void on_echo(void *ctx, struct server_request *request)
{
    (void)ctx;
    size_t len;
    const char *body = server_body(request, &len);
    SBUF(text, SBUF_MAX);
    sbuf_addf(&text, "%s %s type=%s len=%zu\n", server_method(request), server_path(request),
              server_header(request, "Content-Type") ? server_header(request, "Content-Type")
                                                     : "none",
              len);
    sbuf_add_bytes(&text, body, len);
    server_reply(request, &(struct server_answer){
                              .status = 200, .body = text.bytes, .body_len = text.len });
}

struct world *http_world_new(void)
{
    struct world *world = base_alloc(sizeof(*world));
    world->dir = peer_dir_new();
    peer_certs(world->dir);
    world->ca = peer_read(world->dir, "ca.pem");
    world->other_ca = peer_read(world->dir, "other-ca.pem");
    world->cert = peer_read(world->dir, "client.pem");
    world->key = peer_read(world->dir, "client.key");
    world->tls = (struct http_tls){ .ca_pem = world->ca };
    world->loop = loop_new();
    struct err *e = server_new(world->loop, "127.0.0.1:0", on_echo, NULL, &world->server);
    ASSERT(!e);
    char big[20001] = "";
    memset(big, 'x', sizeof(big) - 1);
    peer_write(world->dir, "big.txt", big);
    world->nginx = peer_nginx_new(world->dir, server_port(world->server));
    return world;
}

void http_world_free(struct world *world)
{
    peer_nginx_free(world->nginx);
    server_free(world->server);
    loop_free(world->loop);
    peer_dir_free(world->dir);
    free(world->ca);
    free(world->other_ca);
    free(world->cert);
    free(world->key);
    free(world);
}

int http_world_set_up(void **state)
{
    *state = http_world_new();
    return 0;
}

int http_world_tear_down(void **state)
{
    http_world_free(*state);
    return 0;
}

int http_world_new_http(void **state)
{
    struct world *world = *state;
    world->http = http_new(world->loop, NULL);
    return 0;
}

int http_world_free_http(void **state)
{
    struct world *world = *state;
    http_free(world->http);
    return 0;
}

struct world *http_world_of(void **state)
{
    return ((struct row *)*state)->world;
}

const void *http_world_row(void **state)
{
    return ((struct row *)*state)->at;
}

struct answer *http_world_get(struct world *world, const char *path)
{
    char *url = http_peer_url("https://localhost", world->nginx->https, path);
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    free(url);
    return answer;
}
