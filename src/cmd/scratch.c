#include "cmd/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/folder.h"

enum { KEEPER_TRIES = 100, KEEPER_WAIT_MS = 100 };

/* A Ctrl-C is for all processes of the terminal; what is left of us is what this one is for. */
static _Noreturn void keep(const char *dir, int line)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
    char byte;
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    while (read(line, &byte, 1) < 0 && errno == EINTR)
        continue;
    for (int i = 0; i < KEEPER_TRIES && !access(dir, F_OK); i++) {
        if (i > 0)
            (void)poll(NULL, 0, KEEPER_WAIT_MS); /* git's programs may still write to it */
        folder_remove(dir);
    }
    _exit(0);
}

/* Without one the directory stays behind where we are killed: no reason to do nothing. The standard files are let go of, so
 * that nobody waits for the keeper at the other end of a pipe. */
static void start_keeper(struct scratch *scratch)
{
    int line[2];
    if (pipe2(line, O_CLOEXEC))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            close(fd);
        close(line[1]);
        keep(scratch->dir, line[0]);
    }
    close(line[0]);
    scratch->keeper = pid;
    scratch->line = line[1];
    if (pid < 0)
        close(line[1]);
}

struct err *scratch_make(struct arena *mem, const char *parent, struct scratch *out)
{
    char *dir = arena_printf(mem, "%s/serin-diff-XXXXXX", parent);
    *out = (struct scratch){ .keeper = -1 };
    if (!mkdtemp(dir))
        return err_errno(ERR_DENIED, errno, "make a directory below %s", parent);
    out->dir = dir;
    start_keeper(out);
    return NULL;
}

void scratch_end(struct scratch *scratch)
{
    if (scratch->dir)
        folder_remove(scratch->dir);
    if (scratch->keeper > 0) {
        close(scratch->line);
        while (waitpid(scratch->keeper, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    *scratch = (struct scratch){ .keeper = -1 };
}
