#include "sync/gc.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/vec.h"
#include "sync/order.h"
#include "sync/resolve.h"

/* What declared objects need to stay: their namespaces, and the kinds of the custom ones. */
struct needs {
    struct map *namespaces; /* keys alone count */
    struct map *kinds;      /* "group/Kind" */
};

static struct needs find_needs(struct arena *mem, const struct map *declared)
{
    struct needs needs = { map_new(NULL), map_new(NULL) };
    const char *id;
    void *value;
    for (size_t at = 0; map_next(declared, &at, &id, &value);) {
        const struct gc_declared *object = value;
        if (*object->ns)
            map_set(needs.namespaces, object->ns, needs.namespaces);
        const char *slash = strchr(object->api_version, '/');
        if (slash)
            map_set(needs.kinds,
                    arena_printf(mem, "%.*s/%s", (int)(slash - object->api_version),
                                 object->api_version, object->kind),
                    needs.kinds);
    }
    return needs;
}

/* Is `plural` the plural of `kind`? Without the definition itself only so much can be said: it begins as the kind does, but for
 * a last y (policies). A wrong yes keeps a definition that could go. */
static bool may_be_plural_of(const char *plural, size_t plural_len, const char *kind)
{
    size_t len = strlen(kind);
    if (len > 1 && tolower((unsigned char)kind[len - 1]) == 'y')
        len--;
    return plural_len >= len && strncasecmp(plural, kind, len) == 0;
}

/* A definition is named plural.group. */
static bool defines_needed_kind(const struct map *kinds, const char *name)
{
    const char *dot = strchr(name, '.');
    if (!dot)
        return false;
    const char *key;
    void *value;
    for (size_t at = 0; map_next(kinds, &at, &key, &value);) {
        const char *slash = strchr(key, '/');
        size_t group_len = (size_t)(slash - key);
        if (strlen(dot + 1) == group_len && strncmp(dot + 1, key, group_len) == 0 &&
            may_be_plural_of(name, (size_t)(dot - name), slash + 1))
            return true;
    }
    return false;
}

static bool is_needed(const struct needs *needs, const struct gc_live *live)
{
    switch (order_wait(live->api_version, live->kind)) {
    case ORDER_WAIT_NAMESPACE: return map_get(needs->namespaces, live->name) != NULL;
    case ORDER_WAIT_CRD: return defines_needed_kind(needs->kinds, live->name);
    case ORDER_WAIT_NO: return false;
    }
    return false;
}

/* Whether it is ours to judge comes first, then what the repository says, then what speaks for mercy. */
static enum gc_verdict judge(struct arena *mem, const struct gc_view *view,
                             const struct needs *needs, const struct gc_live *live)
{
    if (strcmp(live->mark, mark_of(mem, view->set_name, live->id)) != 0)
        return GC_FOREIGN;
    if (!resolve_is_allowed(view->allowed_ns, live->api_version, live->kind, live->ns, live->name))
        return GC_EXCLUDED;
    const struct gc_declared *declared = map_get(view->declared, live->id);
    if (declared && declared->checksum &&
        (!live->checksum || strcmp(live->checksum, declared->checksum) != 0))
        return GC_STALE;
    if (declared)
        return GC_DECLARED;
    if (live->has_owner)
        return GC_OWNED;
    if (live->is_deleting)
        return GC_DELETING;
    if (live->ignore != MARK_IGNORE_NO)
        return GC_IGNORED;
    if (is_needed(needs, live))
        return GC_NEEDED;
    return view->suspended ? GC_SUSPENDED : GC_DELETE;
}

/* Nothing of this set that is live is declared, and some of it would go. */
static const char *find_refusal(struct arena *mem, const struct gc_view *view,
                                const enum gc_verdict *verdicts)
{
    size_t going = 0, staying = view->declared_live;
    for (size_t i = 0; i < view->count; i++) {
        going += verdicts[i] == GC_DELETE;
        staying += verdicts[i] == GC_DECLARED || verdicts[i] == GC_STALE;
    }
    if (going == 0 || view->allow_prune_all || (staying > 0 && map_len(view->declared) > 0))
        return NULL;
    const char *why = map_len(view->declared) == 0
                          ? "the repository declares nothing at this revision"
                          : "nothing that the repository declares is in the cluster";
    return arena_printf(mem,
                        "refusing to delete all %zu objects of this repository from the cluster: "
                        "%s. If that is meant, start serin with --sync-prune-all; if not, put "
                        "the manifests (or the branch, or --git-path) right",
                        going, why);
}

static const char *reason_of(const struct gc_view *view, const struct gc_plan *plan, size_t at)
{
    switch (plan->verdicts[at]) {
    case GC_STALE: return "resource to be synced has not been updated; skipping";
    case GC_IGNORED: return "not collected; ignore annotation in cluster resource";
    case GC_NEEDED:
        return strcmp(view->live[at].kind, "Namespace") == 0
                   ? "not collected; declared objects live in this namespace"
                   : "not collected; declared objects are of this kind";
    case GC_SUSPENDED: return view->suspended;
    case GC_REFUSED: return plan->refusal;
    case GC_DELETE: return "cluster resource not in resources to be synced; deleting";
    case GC_DECLARED:
    case GC_FOREIGN:
    case GC_EXCLUDED:
    case GC_OWNED:
    case GC_DELETING: return "";
    }
    return "";
}

struct entry {
    struct order_key key;
    size_t index;
};

static int in_reverse(const void *a, const void *b)
{
    return order_compare(&((const struct entry *)b)->key, &((const struct entry *)a)->key);
}

static void sort_deletes(struct arena *mem, const struct gc_view *view, struct gc_plan *plan)
{
    VEC(struct entry) going = { 0 };
    for (size_t i = 0; i < view->count; i++)
        if (plan->verdicts[i] == GC_DELETE)
            *vec_push(mem, &going) = (struct entry){
                { order_rank(view->live[i].kind), view->live[i].name, view->live[i].id }, i
            };
    if (going.len == 0)
        return;
    qsort(going.at, going.len, sizeof(*going.at), in_reverse);
    plan->deletes = arena_alloc(mem, going.len * sizeof(*plan->deletes));
    for (size_t i = 0; i < going.len; i++)
        plan->deletes[plan->delete_count++] = going.at[i].index;
}

void gc_decide(struct arena *mem, const struct gc_view *view, struct gc_plan *out)
{
    *out = (struct gc_plan){
        .verdicts = arena_alloc(mem, (view->count + 1) * sizeof(*out->verdicts)),
        .reasons = arena_alloc(mem, (view->count + 1) * sizeof(*out->reasons)),
    };
    struct needs needs = find_needs(mem, view->declared);
    for (size_t i = 0; i < view->count; i++)
        out->verdicts[i] = judge(mem, view, &needs, &view->live[i]);
    map_free(needs.namespaces);
    map_free(needs.kinds);
    out->refusal = find_refusal(mem, view, out->verdicts);
    for (size_t i = 0; i < view->count; i++) {
        if (out->refusal && out->verdicts[i] == GC_DELETE)
            out->verdicts[i] = GC_REFUSED;
        out->reasons[i] = reason_of(view, out, i);
    }
    sort_deletes(mem, view, out);
}

const char *gc_verdict_name(enum gc_verdict verdict)
{
    switch (verdict) {
    case GC_DECLARED: return "declared";
    case GC_STALE: return "stale";
    case GC_FOREIGN: return "foreign";
    case GC_EXCLUDED: return "excluded";
    case GC_OWNED: return "owned";
    case GC_DELETING: return "deleting";
    case GC_IGNORED: return "ignored";
    case GC_NEEDED: return "needed";
    case GC_SUSPENDED: return "suspended";
    case GC_REFUSED: return "refused";
    case GC_DELETE: return "delete";
    }
    return "";
}
