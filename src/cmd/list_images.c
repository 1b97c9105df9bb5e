#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/time.h"
#include "cmd/client.h"
#include "cmd/home.h"
#include "cmd/words.h"
#include "image/ref.h"
#include "release/spec.h"

#define OUTPUT_MAX_BYTES ((size_t)64 << 20)
#define NO_DATA          "image data not available"

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "namespace", .type = FLAGS_TEXT, .shorthand = 'n',
      .usage = "namespace to list (default: that of the kubeconfig context)" },
    { .name = "workload", .type = FLAGS_TEXT, .shorthand = 'w',
      .usage = "only the images of this `workload`: kind/name, or namespace:kind/name" },
    { .name = "limit", .type = FLAGS_INT, .shorthand = 'l', .initial = "10",
      .usage = "images to show of each container, the newest first; 0: all" },
    { .name = "no-headers", .type = FLAGS_BOOL, .usage = "leave out the line of headings" },
    { .name = "output-format", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "tab",
      .usage = "`format` of the list: tab or json" },
    { .name = "controller", .type = FLAGS_TEXT, .shorthand = 'c', .usage = "the older word for --workload",
      .deprecated = "changed to --workload, use that instead" },
};
/* clang-format on */

static int by_id(const void *a, const void *b)
{
    const struct val *const *left = a, *const *right = b;
    return strcmp(val_text_or(val_get(*left, "ID"), ""), val_text_or(val_get(*right, "ID"), ""));
}

/* -- one container --------------------------------------------------------------------------------- */

/* "20 Jul 16 13:19 UTC"; "" when nobody knows, or Go's zero time says so. */
static const char *created(struct arena *mem, const struct val *info)
{
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    const char *text = val_text_or(val_get(info, "CreatedAt"), "");
    int64_t ns = 0;
    char utc[TIME_TEXT_BYTES];
    SCOPED(err_free) struct err *e = time_parse(text, &ns);
    if (e || !strncmp(text, "0001-01-01T00:00:00Z", 20))
        return "";
    time_format_seconds(ns / 1000000, utc);
    long month = strtol(utc + 5, NULL, 10);
    return arena_printf(mem, "%.2s %s %.2s %.5s UTC", utc + 8, months[month - 1], utc + 2,
                        utc + 11);
}

/* The tag of what may be no reference: of ":v2" (Flux's daemon can say that) serin shows v2, fluxctl
 * nothing. */
static const char *tag_of(const struct command_call *call, const struct val *info)
{
    const char *id = val_text_or(val_get(info, "ID"), "");
    struct image_ref ref;
    SCOPED(err_free) struct err *e = image_ref_parse(call->mem, id, &ref);
    const char *colon = strrchr(id, ':');
    if (!e && *ref.digest && !*ref.tag && call->face == COMMAND_SERIN)
        return arena_printf(call->mem, "@sha256:%.12s…", ref.digest);
    if (!e)
        return ref.tag;
    return colon && call->face == COMMAND_SERIN ? colon + 1 : "";
}

static const char *name_of(struct arena *mem, const struct val *info)
{
    struct image_ref ref;
    SCOPED(err_free)
    struct err *e = image_ref_parse(mem, val_text_or(val_get(info, "ID"), ""), &ref);
    return e ? "" : image_ref_name(mem, &ref);
}

struct tags {
    const struct command_call *call;
    struct sbuf *out;
    const char *current;
    int64_t limit; /* 0: none */
    bool found;    /* the current one was passed */
};

/* The at-th tag: shown within the limit, and beyond it if it is the current one. */
static void add_tag(struct tags *tags, const struct val *info, int64_t at)
{
    const char *tag = tag_of(tags->call, info);
    bool is_current = !strcmp(tag, tags->current);
    const char *mark = is_current ? "'->" : tags->found ? "   " : "|  ";
    tags->found = tags->found || is_current;
    if (tags->limit && at > tags->limit && !is_current)
        return;
    if (tags->limit && at > tags->limit + 1)
        sbuf_addf(tags->out, "\t\t: (%lld image(s) omitted)\t\n",
                  (long long)(at - tags->limit - 1));
    sbuf_addf(tags->out, "\t\t%s %s\t%s\n", mark, tag, created(tags->call->mem, info));
}

static void add_container(struct command_call *call, const char *id, const struct val *container,
                          struct sbuf *out)
{
    const struct val *current = val_get(container, "Current");
    const struct val *available = val_get(container, "Available");
    const char *trouble = val_text_or(val_get(container, "AvailableError"), "");
    struct tags tags = { .call = call,
                         .out = out,
                         .current = tag_of(call, current),
                         .limit = MAX_OF(flags_int(call->flags, "limit"), 0) };
    sbuf_addf(out, "%s\t%s\t%s\t%s\n", id, val_text_or(val_get(container, "Name"), ""),
              name_of(call->mem, current),
              val_len(available) ? ""
              : *trouble         ? trouble
                                 : NO_DATA);
    for (size_t i = 0; i < val_len(available); i++)
        add_tag(&tags, val_item(available, i), (int64_t)i + 1);
    if (!tags.found)
        sbuf_addf(out, "\t\t'-> %s\t?\n", *tags.current ? tags.current : "(untagged)");
}

/* -- all of it ------------------------------------------------------------------------------------- */

static struct err *print_table(struct command_call *call, const struct val *list)
{
    SBUF(cells, OUTPUT_MAX_BYTES);
    SBUF(table, OUTPUT_MAX_BYTES);
    const char *text = NULL;
    if (!flags_bool(call->flags, "no-headers"))
        sbuf_add(&cells, "WORKLOAD\tCONTAINER\tIMAGE\tCREATED\n");
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *containers = val_get(val_item(list, i), "Containers");
        const char *id = val_text_or(val_get(val_item(list, i), "ID"), "");
        if (!val_len(containers))
            sbuf_addf(&cells, "%s\t\t\t\n", id);
        for (size_t c = 0; c < val_len(containers); c++)
            add_container(call, c ? "" : id, val_item(containers, c), &cells);
    }
    table_layout(&table, sbuf_text(&cells));
    TRY(sbuf_finish(&table, call->mem, &text, NULL));
    command_print(call, "%s", text);
    return NULL;
}

/* As it came, but for the images beyond the limit. */
static void print_json(struct command_call *call, const struct val *list)
{
    struct val *shown = list ? val_copy_sharing(call->mem, list) : NULL;
    int64_t limit = flags_int(call->flags, "limit");
    for (size_t i = 0; limit && i < val_len(shown); i++) {
        const struct val *containers = val_get(val_item(shown, i), "Containers");
        for (size_t c = 0; c < val_len(containers); c++) {
            struct val *available = val_get(val_item(containers, c), "Available");
            if (val_is_list(available))
                available->len = MIN_OF(available->len, (size_t)limit);
        }
    }
    command_print(call, "%s\n", shown ? val_json(call->mem, shown, NULL) : "null");
}

/* "v10/images?containerFields=&namespace=demo&service=%3Call%3E", or the workload without the
 * namespace: as fluxctl asks. */
static struct err *find_path(struct command_call *call, const char **out)
{
    const char *ns = flags_text(call->flags, "namespace");
    const char *workload = flags_text(call->flags, "workload");
    const char *service = RELEASE_ALL;
    if (!*ns)
        ns = home_namespace(call);
    if (!*workload)
        workload = flags_text(call->flags, "controller");
    if (*workload) {
        TRY(release_spec_id(call->mem, workload, ns, &service));
        ns = "";
    }
    SBUF(path, OUTPUT_MAX_BYTES);
    sbuf_add(&path, "v10/images?containerFields=&namespace=");
    sbuf_add_url(&path, ns);
    sbuf_add(&path, "&service=");
    sbuf_add_url(&path, service);
    return sbuf_finish(&path, call->mem, out, NULL);
}

static struct err *check(struct command_call *call, bool *as_json)
{
    const char *format = flags_text(call->flags, "output-format");
    *as_json = !strcmp(format, "json");
    TRY(command_no_args(call));
    if (!*as_json && strcmp(format, "tab") != 0)
        return command_mistake(call, "invalid output format specified");
    if (flags_int(call->flags, "limit") < 0 && (*as_json || call->face == COMMAND_SERIN))
        return command_mistake(call, "opts.limit cannot be less than 0");
    if (*flags_text(call->flags, "workload") && *flags_text(call->flags, "controller"))
        return command_mistake(call, "can't specify both the controller and image");
    return NULL;
}

static struct err *run(struct command_call *call, int *status)
{
    SCOPED(client_free) struct client *client = NULL;
    const struct val *list = NULL;
    const char *path = NULL;
    bool as_json = false;
    *status = COMMAND_YES;
    TRY(check(call, &as_json));
    TRY(find_path(call, &path));
    TRY(client_new(call, &client));
    TRY(client_get(client, path, &list));
    if (val_is_list(list) && list->len)
        qsort(list->items, list->len, sizeof(struct val *), by_id);
    if (!as_json)
        return print_table(call, words_shown(call->mem, list));
    print_json(call, list);
    return NULL;
}

const struct command cmd_list_images = {
    .name = "list-images",
    .summary = "List the images that workloads run, and those they could run",
    .about =
        "Lists the containers of the workloads that run, with the image of each and the tags its\n"
        "repository has, in the order of its tag filter: '-> marks the one that runs, what\n"
        "stands above it is newer.",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_DAEMON | COMMAND_ASKS_CLUSTER,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
