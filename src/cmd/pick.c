#include "cmd/pick.h"

#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "cmd/menu_terminal.h"

static const char hint[] =
    "Use arrow keys and [Space] to toggle updates; hit [Enter] to release selected.";

/* Where the menu is drawn: beside what goes to a file or to another program. */
static FILE *find_screen(const struct command_call *call)
{
    if (!isatty(STDIN_FILENO))
        return NULL;
    if (isatty(fileno(call->out)) && !command_as_json(call))
        return call->out;
    return isatty(fileno(call->err)) ? call->err : NULL;
}

struct err *pick_check(struct command_call *call)
{
    if (!find_screen(call))
        return command_mistake(call, "--interactive needs a terminal");
    return NULL;
}

struct picks {
    struct arena *mem;
    VEC(struct menu_row) rows;
    VEC(struct release_container_update) updates; /* of the row at the same place */
};

static void add_row(struct picks *picks, const char **lines, const char *id,
                    const struct release_change *change)
{
    struct menu_row *row = vec_push(picks->mem, &picks->rows);
    struct release_container_update *update = vec_push(picks->mem, &picks->updates);
    size_t len = strcspn(*lines, "\n");
    row->text = arena_strndup(picks->mem, *lines, len);
    *lines += len + ((*lines)[len] == '\n');
    if (!change)
        return;
    row->is_choice = row->is_chosen = true;
    *update = (struct release_container_update){ .id = id,
                                                 .container = change->container,
                                                 .current = change->current,
                                                 .target = change->target };
}

static bool is_shown(const struct release_outcome *outcome, int verbosity)
{
    if (outcome->status == RELEASE_IGNORED)
        return verbosity > 1;
    return outcome->status != RELEASE_SKIPPED || verbosity > 0;
}

/* The lines of the table, each with the update that it shows: first what is wrong with a workload,
 * then its containers (release/result.h). */
static void read_rows(struct picks *picks, const struct release_result *result, int verbosity,
                      const char *lines)
{
    for (size_t i = 0; i < result->len; i++) {
        const struct release_outcome *outcome = &result->at[i];
        if (!is_shown(outcome, verbosity))
            continue;
        if (*outcome->error || !outcome->changes.len)
            add_row(picks, &lines, outcome->id, NULL);
        for (size_t c = 0; c < outcome->changes.len; c++)
            add_row(picks, &lines, outcome->id, &outcome->changes.at[c]);
    }
}

static void take_chosen(struct picks *picks, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < picks->rows.len; i++) {
        if (picks->rows.at[i].is_choice && picks->rows.at[i].is_chosen)
            picks->updates.at[(*count)++] = picks->updates.at[i];
    }
}

struct err *pick_updates(struct command_call *call, const struct release_result *result,
                         int verbosity, struct release_container_update **out, size_t *count)
{
    struct picks picks = { .mem = call->mem };
    enum menu_state state = MENU_OPEN;
    const char *table = release_result_table(call->mem, result, verbosity);
    size_t heading = strcspn(table, "\n");
    *count = 0;
    read_rows(&picks, result, verbosity, table + heading + (table[heading] == '\n'));
    struct menu menu = { .heading = arena_strndup(call->mem, table, heading),
                         .hint = hint,
                         .rows = picks.rows.at,
                         .len = picks.rows.len };
    bool is_any = menu_start(&menu);
    if (is_any)
        TRY(menu_terminal_run(&menu, find_screen(call), &state));
    if (state == MENU_ACCEPTED)
        take_chosen(&picks, count);
    if (state == MENU_ABORTED)
        command_tell(call, "Aborted.\n");
    else if (!*count)
        command_tell(call, "%s\n", is_any ? "Nothing was selected." : "No changes found.");
    *out = picks.updates.at;
    return NULL;
}
