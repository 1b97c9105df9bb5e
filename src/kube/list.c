#include "kube/list.h"

#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "kube/watch_line.h"

#define PAGE        500
#define BEGINNINGS  5
#define QUERY_BYTES ((size_t)64 << 10)

struct list {
    struct kube *kube;
    ticket id;
    struct list_spec spec; /* its texts are ours */
    char *next;            /* continue token of the next page; NULL: the first one */
    char *resource_version;
    int beginnings;
    struct err *failed; /* a page that is none */
    bool is_handing_on; /* on_object runs */
    bool is_dropped;    /* cancelled meanwhile */
};

static void list_free(struct list *list)
{
    free((char *)list->spec.path); /* copies made by list_start */
    free((char *)list->spec.selectors);
    free((char *)list->spec.api_version);
    free((char *)list->spec.kind);
    free(list->next);
    free(list->resource_version);
    err_free(list->failed);
    free(list);
}

static void on_dropped(void *ctx)
{
    struct list *list = ctx;
    void (*on_cancel)(void *ctx) = list->spec.on_cancel;
    void *their_ctx = list->spec.ctx;
    if (list->is_handing_on)
        list->is_dropped = true;
    else
        list_free(list);
    if (on_cancel)
        on_cancel(their_ctx);
}

static void list_end(struct list *list, const struct err *e, enum kube_refusal refusal)
{
    struct list_spec spec = list->spec;
    char *version = STEAL(list->resource_version);
    list_free(list);
    struct list_end end = { .err = e, .refusal = refusal };
    end.resource_version = e || !version ? "" : version;
    spec.done(spec.ctx, &end);
    free(version);
}

static void on_page(void *ctx, const struct kube_result *result);

static void ask_page(struct list *list)
{
    SBUF(query, QUERY_BYTES);
    sbuf_addf(&query, "limit=%d", PAGE);
    if (list->next) {
        sbuf_add(&query, "&continue=");
        sbuf_add_url(&query, list->next);
    }
    sbuf_add(&query, list->spec.selectors);
    struct kube_request request = {
        .method = "GET",
        .path = list->spec.path,
        .query = sbuf_text(&query),
        .accept = list->spec.is_metadata_only ? KUBE_METADATA_LIST : KUBE_FULL,
        .on_cancel = on_dropped,
    };
    kube_go_on(list->kube, list->id, &request, on_page, list);
}

/* The turn after a page was handed on. */
static void on_handed_on(void *ctx, const struct kube_result *result)
{
    (void)result;
    struct list *list = ctx;
    SCOPED(err_free) struct err *failed = STEAL(list->failed);
    if (!failed && list->next)
        ask_page(list);
    else
        list_end(list, failed, KUBE_REFUSED_OTHER);
}

static struct err *hand_on_item(struct list *list, struct arena *mem, struct kube_slice item)
{
    struct val *object;
    TRY(err_wrap(doc_json_parse(mem, item.bytes, item.len, &object), "list item"));
    if (!val_is_map(object))
        return err_new(ERR_INVALID, "list item is %s", val_type_name(object->type));
    if (!val_get(object, "kind"))
        val_set_text(mem, object, "kind", list->spec.kind);
    if (!val_get(object, "apiVersion"))
        val_set_text(mem, object, "apiVersion", list->spec.api_version);
    list->spec.on_object(list->spec.ctx, object);
    return NULL;
}

static struct err *hand_on(struct list *list, const struct kube_page *page)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < page->items.len && !list->is_dropped; i++) {
        TRY(hand_on_item(list, mem, page->items.at[i]));
        arena_reset(mem);
    }
    return NULL;
}

static void keep_text(char **kept, const char *text)
{
    free(*kept);
    *kept = *text ? base_copy_text(text) : NULL;
}

static struct err *take_page(struct list *list, const struct kube_result *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_page page;
    TRY(kube_page_parse(mem, result->body, result->body_len, &page));
    keep_text(&list->next, page.next);
    keep_text(&list->resource_version, page.resource_version);
    return hand_on(list, &page);
}

static bool begins_again(struct list *list, const struct kube_result *result)
{
    bool may = list->spec.begins_again && list->next && list->beginnings < BEGINNINGS &&
               result->refusal == KUBE_REFUSED_EXPIRED;
    if (!may)
        return false;
    list->beginnings++;
    keep_text(&list->next, "");
    ask_page(list);
    return true;
}

static void on_page(void *ctx, const struct kube_result *result)
{
    struct list *list = ctx;
    if (result->err) {
        if (!begins_again(list, result))
            list_end(list, result->err, result->refusal);
        return;
    }
    /* What goes on in the next turn stands first, so that the ticket is good while objects are handed on. */
    struct kube_request none = { .on_cancel = on_dropped };
    kube_go_on(list->kube, list->id, &none, on_handed_on, list);
    list->is_handing_on = true;
    list->failed = take_page(list, result);
    list->is_handing_on = false;
    if (list->is_dropped)
        list_free(list);
}

/* -- starting ------------------------------------------------------------------------------------------------------ */

static void on_begun(void *ctx, const struct kube_result *result)
{
    (void)result;
    ask_page(ctx);
}

ticket list_start(struct kube *kube, const struct list_spec *spec)
{
    struct list *list = base_alloc(sizeof(*list));
    *list = (struct list){ .kube = kube, .spec = *spec, .beginnings = 1 };
    list->spec.path = base_copy_text(spec->path);
    list->spec.selectors = base_copy_text(spec->selectors);
    list->spec.api_version = base_copy_text(spec->api_version);
    list->spec.kind = base_copy_text(spec->kind);
    struct kube_request none = { .on_cancel = on_dropped };
    list->id = kube_start(kube, &none, on_begun, list);
    return list->id;
}

const char *list_selectors(struct arena *mem, const struct kube_watch_opts *opts)
{
    SBUF(text, QUERY_BYTES);
    if (opts->label_selector && *opts->label_selector) {
        sbuf_add(&text, "&labelSelector=");
        sbuf_add_url(&text, opts->label_selector);
    }
    if (opts->field_selector && *opts->field_selector) {
        sbuf_add(&text, "&fieldSelector=");
        sbuf_add_url(&text, opts->field_selector);
    }
    return arena_strndup(mem, sbuf_text(&text), text.len);
}

struct listing {
    void (*on_object)(void *ctx, const struct val *object);
    kube_list_done done;
    void *ctx;
};

static void on_listed_object(void *ctx, const struct val *object)
{
    struct listing *listing = ctx;
    listing->on_object(listing->ctx, object);
}

static void on_listed(void *ctx, const struct list_end *end)
{
    struct listing listing = *(struct listing *)ctx;
    free(ctx);
    listing.done(listing.ctx, end->err, end->resource_version);
}

ticket kube_list_start(struct kube *kube, const struct kube_resource *resource,
                       const struct kube_watch_opts *opts,
                       void (*on_object)(void *ctx, const struct val *object), kube_list_done done,
                       void *ctx)
{
    static const struct kube_watch_opts none = { 0 };
    opts = opts ? opts : &none;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct listing *listing = base_alloc(sizeof(*listing));
    *listing = (struct listing){ .on_object = on_object, .done = done, .ctx = ctx };
    struct list_spec spec = {
        .path = kube_path(mem, resource, opts->ns, NULL, NULL),
        .selectors = list_selectors(mem, opts),
        .api_version = resource->api_version,
        .kind = resource->kind,
        .is_metadata_only = opts->is_metadata_only,
        .begins_again = true,
        .on_object = on_listed_object,
        .done = on_listed,
        .on_cancel = free,
        .ctx = listing,
    };
    return list_start(kube, &spec);
}

void kube_list_cancel(struct kube *kube, ticket list)
{
    kube_cancel(kube, list);
}
