#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "io/child.h"

#define MEMORY_MAX_BYTES ((size_t)4 << 30) /* `lint` and `diff` hold a whole repository */

/* Programs in whose containers ours may stand: what they are given are the arguments of that command. */
static const struct {
    const char *name, *command;
} stands_for[] = { { "flagger", "canary" }, { "loadtester", "loadtester" } };

static const char *command_of(const char *argv0)
{
    const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
    for (size_t i = 0; i < ARRAY_LEN(stands_for); i++)
        if (!strcmp(name, stands_for[i].name))
            return stands_for[i].command;
    return NULL;
}

static int run(struct arena *mem, int argc, const char *const *argv)
{
    const char *command = argc > 0 ? command_of(argv[0]) : NULL;
    if (!command)
        return command_main(mem, argc, argv);
    const char **words = arena_alloc(mem, ((size_t)argc + 2) * sizeof(*words));
    words[0] = argv[0];
    words[1] = command;
    for (int i = 1; i < argc; i++)
        words[i + 1] = argv[i];
    words[argc + 1] = NULL;
    return command_main(mem, argc + 1, words);
}

/* Started with standard files closed (`serin status >&-`) the next file of ours would get their number. What stands in
 * for them ends at once when read, and refuses to be written to, as a closed one does. */
static void hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDONLY) < 0)
            return; /* no /dev/null: as it was */
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "sandbox-exec"))
        return child_sandbox_main(argc, argv);
    hold_standard_files();
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, not the end of us */
    struct arena *mem = arena_new(MEMORY_MAX_BYTES);
    int status = run(mem, argc, (const char *const *)argv);
    arena_free(mem);
    return status;
}
