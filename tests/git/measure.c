/* git_measure URL DIR BRANCH [shallow]: how long it takes to clone, to fetch nothing, to list and to read all files, and to mark; resident
 * memory after each step. Figures for a person; nothing is asserted. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "git/mirror.h"
#include "io/stream.h"

static double now_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static long resident_kb(const char *field)
{
    char line[256];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (!strncmp(line, field, strlen(field)))
            kb = strtol(line + strlen(field), NULL, 10);
    if (status)
        (void)fclose(status);
    return kb;
}

static void say(const char *what, double since_ms, struct err *e)
{
    printf("%-24s %9.1f ms  VmRSS %6ld kB  RssAnon %6ld kB  VmHWM %6ld kB%s%s\n", what,
           now_ms() - since_ms, resident_kb("VmRSS:"), resident_kb("RssAnon:"),
           resident_kb("VmHWM:"), e ? "  " : "", err_text(e));
    err_free(e);
}

static void read_all(struct mirror *mirror, const struct mirror_entries *entries, const char *head)
{
    struct err *e = NULL;
    size_t bytes = 0;
    double since = now_ms();
    for (size_t i = 0; !e && i < entries->len; i++) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        const char *text;
        size_t len = 0;
        e = mirror_read(mirror, mem, head, &entries->at[i], (size_t)64 << 20, &text, &len);
        bytes += len;
    }
    printf("%zu files, %zu bytes\n", entries->len, bytes);
    say("read all", since, e);
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5)
        return 2;
    struct mirror_opts opts = { .url = argv[1],
                                .dir = argv[2],
                                .branch = argv[3],
                                .sync_tag = "measured",
                                .notes_ref = "",
                                .history_ms = argc == 5 ? 600000 : 0 };
    struct mirror *mirror = NULL;
    struct mirror_fetched fetched;
    struct mirror_entries entries = { 0 };
    double since = now_ms();
    say("new", since, mirror_new(&opts, &mirror));
    if (!mirror)
        return 1;
    for (int i = 0; i < 3; i++) {
        since = now_ms();
        struct err *e = mirror_fetch(mirror, stream_now_ms() + 600000, &fetched);
        say(fetched.was_clone ? "clone" : "fetch of nothing new", since, e);
    }
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    since = now_ms();
    say("list all", since, mirror_list(mirror, mem, fetched.head, NULL, &entries));
    read_all(mirror, &entries, fetched.head);
    since = now_ms();
    mirror_rest(mirror);
    (void)malloc_trim(0);
    say("rest", since, NULL);
    struct mirror_commits commits;
    since = now_ms();
    say("log of 100", since,
        mirror_log(mirror, mem, NULL, fetched.head, NULL, 100, false, &commits));
    struct mirror_marker marker = { .rev = fetched.head, .moves_tag = true };
    since = now_ms();
    say("mark", since, mirror_mark(mirror, &marker, stream_now_ms() + 60000));
    arena_free(mem);
    mirror_free(mirror);
    return 0;
}
