/* tests/image/registry_lab.h - a registry without manners, which is an API server, too; and scans of it.
 * Effects:   a socket on loopback, a loop that a test turns.
 * Ownership: what a lab hands out lives as long as it.
 * Units:     milliseconds. */
#ifndef SERIN_TESTS_IMAGE_REGISTRY_LAB_H
#define SERIN_TESTS_IMAGE_REGISTRY_LAB_H

#include "base/vec.h"
#include "bench.h"
#include "image/scans.h"

/* One answer; the first that matches is given. */
struct lab_route {
    const char *path;  /* ending in * : whatever begins so */
    const char *query; /* must be in it; NULL: any */
    const char *auth;  /* the Authorization header must be this; NULL: any; "": none at all */
    int status;
    const char *headers; /* lines with \r\n; NULL */
    const char *body;
    void (*serve)(const struct scripted_request *request); /* in place of all that */
};

struct lab {
    struct bench *bench;
    struct image_scans *scans;
    struct image_scans_opts opts;
    struct scripted *server; /* the same as the bench's */
    const char *host;        /* 127.0.0.1:PORT */
    int news, done;
    size_t scans_due;
    const char *insecure[3];
    VEC(struct lab_route) routes; /* under the server's lock */
};

int lab_set_up(void **state);
int lab_tear_down(void **state);
#define WITH_LAB(fn) cmocka_unit_test_setup_teardown(fn, lab_set_up, lab_tear_down)

const char *lab_printf(struct lab *lab, const char *fmt, ...) PRINTF(2, 3);
/* Before those that are there already. */
void lab_route(struct lab *lab, const struct lab_route *route);
/* Lines of the log of requests with this text in them. */
size_t lab_count(struct lab *lab, const char *part);

/* Makes the scans with lab->opts; before, a test may change these. */
void lab_start(struct lab *lab);
/* The tags of team/app, as JSON items: "\"1.0\",\"latest\"". */
void lab_tags(struct lab *lab, const char *items);
/* An image that a tag of team/app names, made at that time; its digest. */
const char *lab_image(struct lab *lab, const char *tag, const char *created);
/* Some body that is named by its digest, at manifests/ or blobs/; `tag` may be NULL. */
const char *lab_put(struct lab *lab, const char *kind, const char *tag, const char *body);

struct image_wish lab_wish(struct lab *lab, const char *repository, const char *const *patterns);
void lab_want(struct lab *lab, const char *repository, const char *const *patterns);
void lab_want_all(struct lab *lab, const struct image_wish *wishes, size_t count);
/* Until as many scans have ended, well or not, as were wanted last. */
void lab_until_scanned(struct lab *lab);
size_t lab_count_scans(struct lab *lab); /* that have ended */
/* Asks and waits for the end; NULL: nothing is known. */
const struct image_repo *lab_ask(struct lab *lab, const char *repository,
                                 const char *const *patterns);
const struct image_repo *lab_ask_aged(struct lab *lab, const char *repository,
                                      const char *const *patterns, int64_t max_age_ms);
const struct image_repo *lab_find(struct lab *lab, const char *repository);
void lab_turn(struct lab *lab, int64_t ms);

#endif
