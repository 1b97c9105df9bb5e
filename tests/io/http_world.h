/* tests/io/http_world.h - nginx with HTTP/2 and TLS, our own server behind it (/up/, it echoes), and certificates.
 * Effects:   a directory, a process, a loop.
 * Ownership: the world of a group is made by http_world_set_up; a client of each test by http_world_new_http.
 * Units:     none. */
#ifndef SERIN_TESTS_IO_HTTP_WORLD_H
#define SERIN_TESTS_IO_HTTP_WORLD_H

#include "http_peer.h"
#include "io/http.h"
#include "io/server.h"
#include "peer.h"

struct world {
    char *dir, *ca, *other_ca, *cert, *key;
    struct loop *loop;
    struct server *server; /* echoes */
    struct peer_nginx *nginx;
    struct http *http;
    struct http_tls tls; /* trusts the CA */
};

struct world *http_world_new(void);
void http_world_free(struct world *world);

/* For cmocka: the world is the state of the group, the client lives for a test. */
int http_world_set_up(void **state);
int http_world_tear_down(void **state);
int http_world_new_http(void **state);
int http_world_free_http(void **state);
#define WITH_HTTP(fn) cmocka_unit_test_setup_teardown(fn, http_world_new_http, http_world_free_http)

/* The state of a test that is one row of a table. */
struct row {
    struct world *world;
    const void *at;
};
struct world *http_world_of(void **state);
const void *http_world_row(void **state);

/* GETs a path of nginx over TLS. */
struct answer *http_world_get(struct world *world, const char *path);

#endif
