/* tests/git/lab.h - a world of one test: real repositories, git, sshd, an HTTP server, gpg, in a directory of its own.
 * Effects:   processes, files below the lab's directory.
 * Ownership: lab_free stops what was started and removes the directory. Texts are in lab->mem. */
#ifndef SERIN_TESTS_LAB_H
#define SERIN_TESTS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "git/mirror.h"

struct lab {
    struct arena *mem;
    char *dir;              /* home/ is HOME, repo.git is bare, work/ a clone of it */
    const char *const *env; /* of every program */
    pid_t servers[4];
    size_t server_count;
    int ssh_port;
};

/* A bare repository with one commit (a.yaml, dir/b.yaml) on master, pushed from work/. */
struct lab *lab_new(void);
void lab_free(struct lab *lab);
DEFINE_SCOPED(struct lab, lab_free)

const char *lab_path(struct lab *lab, const char *name);
/* Runs a script with sh -e in the lab's directory; the test fails when it does. What it printed, without the last newline. */
const char *lab_sh(struct lab *lab, const char *script, ...) PRINTF(2, 3);
/* Commits `text` as `file` in work/ and pushes it; the new head. */
const char *lab_commit(struct lab *lab, const char *file, const char *text);
void lab_write(struct lab *lab, const char *name, const char *text);

/* Starts a server that prints "ready NUMBER" on stdout once it listens; the number. */
int lab_serve(struct lab *lab, const char *const *argv);
void lab_stop_servers(struct lab *lab);

/* sshd on loopback with a host key of `key_type`; the key `identity` may log in. ssh_config and known_hosts are in ssh/. */
void lab_sshd(struct lab *lab, const char *key_type);
void lab_sshd_start(
    struct lab *lab); /* again, after lab_stop_servers and a change of ssh/sshd_config */
const char *lab_ssh_url(struct lab *lab);

/* Settings for repo.git over file://, the mirror in mirror/. */
struct mirror_opts lab_opts(struct lab *lab);
struct mirror *lab_mirror(const struct mirror_opts *opts);
/* One that has fetched: with these options, with lab_opts. */
struct mirror *lab_fetched_as(const struct mirror_opts *opts);
struct mirror *lab_fetched(struct lab *lab);
int64_t lab_soon(int64_t ms); /* a deadline */

#define assert_ok(expr) lab_assert_ok((expr), __FILE__, __LINE__)
void lab_assert_ok(struct err *e, const char *file, int line);
/* The expression fails with this kind and has `part` in its text. */
#define assert_fails(expr, kind, part) lab_assert_fails((expr), (kind), (part), __FILE__, __LINE__)
void lab_assert_fails(struct err *e, enum err_kind kind, const char *part, const char *file,
                      int line);

int lab_setup(void **state);
int lab_teardown(void **state);
#define lab_test(fn) cmocka_unit_test_setup_teardown(fn, lab_setup, lab_teardown)

#endif
