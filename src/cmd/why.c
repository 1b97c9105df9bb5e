#include <string.h>

#include "cmd/client.h"
#include "cmd/words.h"

#define PATH_MAX_BYTES ((size_t)64 << 10)

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "output", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "text",
      .usage = "`format` of the answer: text or json" },
};
/* clang-format on */

static void print(struct command_call *call, const struct val *why)
{
    const struct val *held = val_get(why, "heldUpBy"), *commit = val_get(why, "commit");
    if (val_is_map(commit))
        command_print(call, "%s\n", words_commit(call->mem, commit));
    command_print(call, "%s: %s\n", val_text_or(val_get(why, "state"), ""),
                  val_text_or(val_get(why, "text"), ""));
    for (size_t i = 0; i < val_len(held); i++)
        command_print(call, "  %s\n", words_trouble(call->mem, val_item(held, i)));
}

static struct err *run(struct command_call *call, int *status)
{
    const char *format = flags_text(call->flags, "output");
    bool as_json = !strcmp(format, "json");
    if (!as_json && strcmp(format, "text") != 0)
        return command_mistake(call, "invalid output format specified: it is text or json");
    if (flags_arg_count(call->flags) != 1)
        return command_mistake(call,
                               "please say which commit: a sha, or the name of a branch or tag");
    SCOPED(client_free) struct client *client = NULL;
    const struct val *why = NULL;
    SBUF(path, PATH_MAX_BYTES);
    sbuf_add(&path, "why?ref=");
    sbuf_add_url(&path, flags_arg(call->flags, 0));
    TRY(client_new(call, &client));
    TRY(client_get_own(client, sbuf_text(&path), &why));
    *status = !strcmp(val_text_or(val_get(why, "state"), ""), "applied") ? COMMAND_YES : COMMAND_NO;
    if (as_json)
        command_print(call, "%s\n", val_json(call->mem, why, NULL));
    else
        print(call, words_shown(call->mem, why));
    return NULL;
}

const struct command cmd_why = {
    .name = "why",
    .args = "COMMIT",
    .summary = "Say where a commit is on its way into the cluster, and what holds it up",
    .about = "Says where a commit is: not fetched, fetched but not applied, being applied, held up "
             "(by which\n"
             "objects and files, and why), or applied.\n"
             "Exit status: 0 applied, 1 not (yet) applied, 2 could not find out.",
    .examples = "  serin why HEAD\n"
                "  serin why 1a2b3c4 -o json",
    .faces = COMMAND_SERIN,
    .asks = COMMAND_ASKS_DAEMON,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
