#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "cmd/client.h"
#include "cmd/words.h"

#define OUTPUT_MAX_BYTES ((size_t)16 << 20)

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "output", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "text",
      .usage = "`format` of the answer: text or json" },
};
/* clang-format on */

static const char *text_at(const struct val *map, const char *key)
{
    return val_text_or(val_get(map, key), "");
}

static int64_t int_at(const struct val *map, const char *key)
{
    int64_t number = 0;
    (void)val_int(val_get(map, key), &number);
    return number;
}

/* Seconds with a fraction, as JSON has them. */
static double seconds_at(const struct val *map, const char *key)
{
    const struct val *v = val_get(map, key);
    return v && v->type == VAL_NUMBER ? strtod(v->text, NULL) : 0;
}

static void add_git(struct arena *mem, const struct val *git, struct sbuf *out)
{
    const struct val *paths = val_get(git, "paths"), *ago = val_get(git, "fetchedSecondsAgo");
    sbuf_addf(out, "repository\t%s, branch %s", text_at(git, "url"), text_at(git, "branch"));
    for (size_t i = 0; i < val_len(paths); i++)
        sbuf_addf(out, "%s%s", i ? "," : ", path ", val_text_or(val_item(paths, i), ""));
    sbuf_addf(out, "%s\ngit\t%s", val_is_true(val_get(git, "readOnly")) ? ", read only" : "",
              text_at(git, "state"));
    if (!val_is_null(ago))
        sbuf_addf(out, ", fetched %s ago",
                  words_age(mem, (int64_t)seconds_at(git, "fetchedSecondsAgo")));
    if (*text_at(git, "error"))
        sbuf_addf(out, ": %s", text_at(git, "error"));
    sbuf_add_char(out, '\n');
    if (*text_at(git, "unverified"))
        sbuf_addf(out, "held back\t%s: it or a commit before it has no valid signature\n",
                  words_sha(mem, text_at(git, "unverified")));
}

static void add_sync(struct arena *mem, const struct val *status, struct sbuf *out)
{
    const struct val *sync = val_get(status, "sync"), *commit = val_get(status, "commit");
    const char *head = text_at(sync, "head"), *applied = text_at(sync, "applied");
    if (!*applied)
        sbuf_add(out, "applied\tnothing yet");
    else if (val_is_map(commit))
        sbuf_addf(out, "applied\t%s", words_commit(mem, commit));
    else
        sbuf_addf(out, "applied\t%s", words_sha(mem, applied));
    if (*applied)
        sbuf_addf(out, "; at %s in %.1f s", text_at(sync, "lastTime"),
                  seconds_at(sync, "lastDurationSeconds"));
    sbuf_addf(out, "%s\n", val_is_true(val_get(sync, "running")) ? "; a sync is running" : "");
    if (strcmp(head, applied) != 0)
        sbuf_addf(out, "waiting\t%s\n", *head ? words_sha(mem, head) : "for the first fetch");
    if (*text_at(sync, "error"))
        sbuf_addf(out, "failing\t%s\n", text_at(sync, "error"));
}

static void add_unwatched(const struct val *kinds, struct sbuf *out)
{
    for (size_t i = 0; i < val_len(kinds); i++) {
        const char *kind = val_text_or(val_item(kinds, i), ""), *name = strrchr(kind, '/');
        sbuf_addf(out, "%s%s", i ? ", " : "; not watched (see the log): ", name ? name + 1 : kind);
    }
}

static void add_objects(const struct val *status, struct sbuf *out)
{
    static const struct {
        const char *key, *word;
    } kinds[] = { { "applied", "applied" },
                  { "pending", "pending" },
                  { "failed", "failed" },
                  { "skipped", "skipped" },
                  { "unknownKind", "of a kind the cluster does not know" },
                  { "drifted", "drifted" } };
    const struct val *objects = val_get(status, "objects"), *drift = val_get(status, "drift");
    sbuf_addf(out, "objects\t%lld", (long long)int_at(objects, "total"));
    const char *separator = ": ";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!int_at(objects, kinds[i].key))
            continue;
        sbuf_addf(out, "%s%lld %s", separator, (long long)int_at(objects, kinds[i].key),
                  kinds[i].word);
        separator = ", ";
    }
    sbuf_addf(out, "\ndrift\t%lld now, %lld healed", (long long)int_at(drift, "now"),
              (long long)int_at(drift, "healed"));
    add_unwatched(val_get(drift, "unwatched"), out);
    sbuf_add_char(out, '\n');
}

static void add_canaries(const struct val *status, struct sbuf *out)
{
    const struct val *canaries = val_get(status, "canaries"), *phases = val_get(canaries, "phases");
    if (!val_is_map(canaries))
        return;
    sbuf_addf(out, "canaries\t%lld", (long long)int_at(canaries, "total"));
    for (size_t i = 0; i < val_len(phases); i++)
        sbuf_addf(out, "%s%lld %s", i ? ", " : ": ",
                  (long long)int_at(phases, phases->pairs[i].key),
                  *phases->pairs[i].key ? phases->pairs[i].key : "new");
    sbuf_add_char(out, '\n');
}

/* Those that are not at rest. */
static void add_active(const struct val *status, struct sbuf *out)
{
    const struct val *canaries = val_get(status, "canaries"), *list = val_get(canaries, "active");
    if (!val_len(list))
        return;
    sbuf_add(out, "\nrollouts:\n");
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *one = val_item(list, i);
        const char *waits_for = text_at(one, "waitsFor"), *said = text_at(one, "lastEvent");
        sbuf_addf(out, "  %s/%s %s, weight %lld, failed checks %lld%s%s%s%s\n",
                  text_at(one, "namespace"), text_at(one, "name"), text_at(one, "phase"),
                  (long long)int_at(one, "weight"), (long long)int_at(one, "failedChecks"),
                  *waits_for ? "; waits for " : "", waits_for, *said ? ": " : "", said);
    }
    if (int_at(canaries, "activeLeftOut"))
        sbuf_addf(out, "  and %lld more: serin status -o json\n",
                  (long long)int_at(canaries, "activeLeftOut"));
}

static void add_list(struct arena *mem, const struct val *status, const char *key, struct sbuf *out)
{
    const struct val *list = val_get(status, key);
    long long left_out = int_at(status, arena_printf(mem, "%sLeftOut", key));
    if (!val_len(list))
        return;
    sbuf_addf(out, "\n%s:\n", key);
    for (size_t i = 0; i < val_len(list); i++)
        sbuf_addf(out, "  %s\n", words_trouble(mem, val_item(list, i)));
    if (left_out)
        sbuf_addf(out, "  and %lld more: serin status -o json\n", left_out);
}

static struct err *print(struct command_call *call, const struct val *status)
{
    SBUF(cells, OUTPUT_MAX_BYTES);
    SBUF(text, OUTPUT_MAX_BYTES);
    const char *shown = NULL;
    add_git(call->mem, val_get(status, "git"), &cells);
    add_sync(call->mem, status, &cells);
    add_objects(status, &cells);
    add_canaries(status, &cells);
    sbuf_addf(&cells, "daemon\tserin %s, cluster %s\n", text_at(status, "version"),
              text_at(status, "clusterVersion"));
    table_layout(&text, sbuf_text(&cells));
    add_active(status, &text);
    add_list(call->mem, status, "failures", &text);
    add_list(call->mem, status, "problems", &text);
    TRY(sbuf_finish(&text, call->mem, &shown, NULL));
    command_print(call, "%s", shown);
    return NULL;
}

/* The head is applied, and nothing is as it should not be. */
static bool is_well(const struct val *status)
{
    const struct val *sync = val_get(status, "sync"), *git = val_get(status, "git");
    const struct val *phases = VAL_PATH(status, "canaries", "phases");
    return !int_at(phases, "Failed") && !strcmp(text_at(git, "state"), "ready") &&
           !*text_at(git, "unverified") && !*text_at(sync, "error") && *text_at(sync, "applied") &&
           !strcmp(text_at(sync, "applied"), text_at(sync, "head")) &&
           !val_len(val_get(status, "failures")) && !val_len(val_get(status, "problems"));
}

static struct err *run(struct command_call *call, int *exit_status)
{
    const char *format = flags_text(call->flags, "output");
    bool as_json = !strcmp(format, "json");
    TRY(command_no_args(call));
    if (!as_json && strcmp(format, "text") != 0)
        return command_mistake(call, "invalid output format specified: it is text or json");
    SCOPED(client_free) struct client *client = NULL;
    const struct val *status = NULL;
    TRY(client_new(call, &client));
    TRY(client_get_own(client, "status", &status));
    *exit_status = is_well(status) ? COMMAND_YES : COMMAND_NO;
    if (!as_json)
        return print(call, words_shown(call->mem, status));
    command_print(call, "%s\n", val_json(call->mem, status, NULL));
    return NULL;
}

const struct command cmd_status = {
    .name = "status",
    .summary = "Say which commit is applied, and what is wrong",
    .about = "Asks the daemon for the commit that is applied, its age, the objects and what became "
             "of them.\n"
             "Exit status: 0 the head of the branch is applied and nothing is wrong, 1 not so, 2 "
             "could not\n"
             "find out.",
    .faces = COMMAND_SERIN,
    .asks = COMMAND_ASKS_DAEMON,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
