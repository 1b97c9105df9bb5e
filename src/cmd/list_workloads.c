#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "cmd/client.h"
#include "cmd/home.h"
#include "cmd/words.h"

#define OUTPUT_MAX_BYTES ((size_t)64 << 20)

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "namespace", .type = FLAGS_TEXT, .shorthand = 'n',
      .usage = "namespace to list (default: that of the kubeconfig context)" },
    { .name = "all-namespaces", .type = FLAGS_BOOL, .shorthand = 'a', .usage = "list all namespaces" },
    { .name = "container", .type = FLAGS_TEXT, .shorthand = 'c',
      .usage = "only workloads with a container of this `name`" },
    { .name = "no-headers", .type = FLAGS_BOOL, .usage = "leave out the line of headings" },
    { .name = "output-format", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "tab",
      .usage = "`format` of the list: tab or json" },
};
/* clang-format on */

static int by_id(const void *a, const void *b)
{
    const struct val *const *left = a, *const *right = b;
    return strcmp(val_text_or(val_get(*left, "ID"), ""), val_text_or(val_get(*right, "ID"), ""));
}

static bool has_container(const struct val *workload, const char *name)
{
    const struct val *containers = val_get(workload, "Containers");
    for (size_t i = 0; i < val_len(containers); i++) {
        if (!strcmp(val_text_or(val_get(val_item(containers, i), "Name"), ""), name))
            return true;
    }
    return false;
}

/* Those asked for, sorted; NULL where the daemon said null and nothing was to be chosen from, and where fluxctl finds none. */
static const struct val *choose(struct command_call *call, const struct val *all)
{
    const char *container = flags_text(call->flags, "container");
    if (!val_is_list(all))
        return NULL;
    struct val *chosen = val_new_list(call->mem);
    for (size_t i = 0; i < val_len(all); i++) {
        struct val *workload = val_item(all, i);
        if (!*container || has_container(workload, container))
            val_append(call->mem, chosen, workload);
    }
    if (*container && !chosen->len && call->face == COMMAND_FLUXCTL)
        return NULL;
    if (chosen->len)
        qsort(chosen->items, chosen->len, sizeof(struct val *), by_id);
    return chosen;
}

static const char *policies(struct arena *mem, const struct val *workload)
{
    static const struct {
        const char *field, *name;
    } known[] = { { "Automated", "automated" }, { "Ignore", "ignore" }, { "Locked", "locked" } };
    const char *text = "";
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (val_is_true(val_get(workload, known[i].field)))
            text = arena_printf(mem, "%s%s%s", text, *text ? "," : "", known[i].name);
    }
    return text;
}

static void add_rows(struct command_call *call, const struct val *workload, struct sbuf *out)
{
    const struct val *containers = val_get(workload, "Containers");
    const char *id = val_text_or(val_get(workload, "ID"), "");
    const char *status = val_text_or(val_get(workload, "Status"), "");
    if (!val_len(containers))
        sbuf_addf(out, "%s\t\t\t%s\t%s\n", id, status, policies(call->mem, workload));
    for (size_t i = 0; i < val_len(containers); i++) {
        const struct val *container = val_item(containers, i);
        const char *name = val_text_or(val_get(container, "Name"), "");
        const char *image = val_text_or(VAL_PATH(container, "Current", "ID"), "");
        if (i == 0)
            sbuf_addf(out, "%s\t%s\t%s\t%s\t%s\n", id, name, image, status,
                      policies(call->mem, workload));
        else
            sbuf_addf(out, "\t%s\t%s\t\t\n", name, image);
    }
}

static struct err *print_table(struct command_call *call, const struct val *list)
{
    SBUF(cells, OUTPUT_MAX_BYTES);
    SBUF(table, OUTPUT_MAX_BYTES);
    const char *text = NULL;
    if (!flags_bool(call->flags, "no-headers"))
        sbuf_add(&cells, "WORKLOAD\tCONTAINER\tIMAGE\tRELEASE\tPOLICY\n");
    for (size_t i = 0; i < val_len(list); i++)
        add_rows(call, val_item(list, i), &cells);
    table_layout(&table, sbuf_text(&cells));
    TRY(sbuf_finish(&table, call->mem, &text, NULL));
    command_print(call, "%s", text);
    return NULL;
}

/* As serin: an empty table may be that of another namespace than was meant. */
static void say_empty(struct command_call *call, const struct val *chosen, const char *ns)
{
    if (call->face == COMMAND_SERIN && !val_len(chosen))
        command_tell(call,
                     *ns ? "No such workload in namespace %s; -a lists all namespaces.\n"
                         : "No such workload%s.\n",
                     ns);
}

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    const char *format = flags_text(call->flags, "output-format");
    bool as_json = !strcmp(format, "json");
    TRY(command_no_args(call));
    if (!as_json && strcmp(format, "tab") != 0)
        return command_mistake(call, "invalid output format specified");
    SCOPED(client_free) struct client *client = NULL;
    const struct val *all = NULL;
    const char *ns = flags_text(call->flags, "namespace");
    if (flags_bool(call->flags, "all-namespaces"))
        ns = "";
    else if (!*ns)
        ns = home_namespace(call);
    SBUF(path, OUTPUT_MAX_BYTES);
    sbuf_add(&path, "v6/services?namespace=");
    sbuf_add_url(&path, ns);
    TRY(client_new(call, &client));
    TRY(client_get(client, sbuf_text(&path), &all));
    const struct val *chosen = choose(call, all);
    say_empty(call, chosen, ns);
    if (!as_json)
        return print_table(call, words_shown(call->mem, chosen));
    command_print(call, "%s\n", chosen ? val_json(call->mem, chosen, NULL) : "null");
    return NULL;
}

const struct command cmd_list_workloads = {
    .name = "list-workloads",
    .alias = "list-controllers",
    .summary = "List the workloads of the cluster, with their images and state",
    .about = "Lists the workloads that run, whether the repository declares them or not.",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_DAEMON | COMMAND_ASKS_CLUSTER,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
