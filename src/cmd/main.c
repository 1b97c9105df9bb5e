#include <signal.h>
#include <string.h>

#include "cmd/command.h"
#include "io/child.h"

#define MEMORY_MAX_BYTES ((size_t)4 << 30) /* `lint` and `diff` hold a whole repository */

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "sandbox-exec"))
        return child_sandbox_main(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, not the end of us */
    struct arena *mem = arena_new(MEMORY_MAX_BYTES);
    int status = command_main(mem, argc, (const char *const *)argv);
    arena_free(mem);
    return status;
}
