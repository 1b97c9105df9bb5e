#include "cmd/cause.h"

#include <string.h>

#include "io/child.h"
#include "io/stream.h"

#define GIT_MS    5000
#define GIT_BYTES ((size_t)64 << 10)

/* clang-format off */
const struct flags_spec cause_flags[CAUSE_FLAGS] = {
    { .name = "message", .type = FLAGS_TEXT, .shorthand = 'm',
      .usage = "`text` to go with the change: why" },
    { .name = "user", .type = FLAGS_TEXT,
      .usage = "`name` to go with the change: who; else user.name and user.email of git" },
};
/* clang-format on */

/* A value of git's configuration as it holds in this directory; "" if there is none, or no git. */
static const char *git_value(struct arena *mem, const char *key)
{
    const char *const argv[] = { "git", "config", "--get", "--null", key, NULL };
    struct child_output output;
    SCOPED(err_free)
    struct err *e = child_run(
        mem, &(struct child_spec){ .argv = argv, .deadline_ms = stream_now_ms() + GIT_MS },
        &(struct child_io){ .out_limit = GIT_BYTES, .err_limit = GIT_BYTES }, &output);
    return e || output.exit_status ? "" : output.out; /* ends where the NUL of --null stands */
}

static const char *git_user(struct arena *mem)
{
    const char *name = git_value(mem, "user.name"), *mail = git_value(mem, "user.email");
    if (*name && *mail)
        return arena_printf(mem, "%s <%s>", name, mail);
    return *mail ? mail : name;
}

void cause_read(const struct command_call *call, struct cause *out)
{
    out->message = flags_text(call->flags, "message");
    out->user =
        flags_given(call->flags, "user") ? flags_text(call->flags, "user") : git_user(call->mem);
}
