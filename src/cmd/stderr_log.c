#include "cmd/stderr_log.h"

#include <time.h>
#include <unistd.h>

/* A line goes out in one write, so that lines of several processes do not mix. */
static void write_log(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    while (len > 0) {
        ssize_t written = write(STDERR_FILENO, line, len);
        if (written <= 0)
            return;
        line += written;
        len -= (size_t)written;
    }
}

static int64_t wall_ns(void *ctx)
{
    struct timespec now;
    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct log stderr_log(void)
{
    return (struct log){ .write = write_log, .wall_ns = wall_ns };
}
