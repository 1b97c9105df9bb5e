#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "sync/gc.h"

#define SET      "set"
#define OURS     "" /* replaced by the mark of the object's own ID */
#define LIVE_MAX 8

#define MAP(name_)                                                                         \
    .id = "demo:configmap/" name_, .api_version = "v1", .kind = "ConfigMap", .ns = "demo", \
    .name = name_
#define NAMESPACE(name_)                                                                    \
    .id = "<cluster>:namespace/" name_, .api_version = "v1", .kind = "Namespace", .ns = "", \
    .name = name_
#define CRD(name_)                                                                               \
    .id = "<cluster>:customresourcedefinition/" name_, .api_version = "apiextensions.k8s.io/v1", \
    .kind = "CustomResourceDefinition", .ns = "", .name = name_
#define DEPLOYMENT(name_)                                                                         \
    .id = "demo:deployment/" name_, .api_version = "apps/v1", .kind = "Deployment", .ns = "demo", \
    .name = name_

struct declared_row {
    const char *id;
    struct gc_declared object;
};

static const struct gc_case {
    const char *name;
    struct gc_live live[LIVE_MAX];
    struct declared_row declared[LIVE_MAX];
    struct gc_view how;   /* suspended, allow_prune_all, allowed_ns, declared_live */
    const char *verdicts; /* names, joined with blanks */
    const char *deletes;  /* names of objects in order */
} cases[] = {
    { .name = "what is declared stays, what is not goes",
      .live = { { MAP("a"), .mark = OURS }, { MAP("b"), .mark = OURS } },
      .declared = { { "demo:configmap/a", { "v1", "ConfigMap", "demo", NULL } } },
      .verdicts = "declared delete",
      .deletes = "b" },
    { .name = "a copied mark or that of another set is not ours to judge",
      .live = { { MAP("a"), .mark = "sha256.copied" } },
      .declared = { { "demo:configmap/x", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "foreign",
      .deletes = "" },
    { .name = "an object with an owner is left to it",
      .live = { { MAP("a"), .mark = OURS, .has_owner = true } },
      .declared = { { "demo:configmap/x", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "owned",
      .deletes = "" },
    { .name = "ignored objects stay, with either value",
      .live = { { MAP("a"), .mark = OURS, .ignore = MARK_IGNORE_YES },
                { MAP("b"), .mark = OURS, .ignore = MARK_IGNORE_SYNC_ONLY } },
      .declared = { { "demo:configmap/x", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "ignored ignored",
      .deletes = "" },
    { .name = "an object on its way out is not deleted twice",
      .live = { { MAP("a"), .mark = OURS, .is_deleting = true } },
      .declared = { { "demo:configmap/x", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "deleting",
      .deletes = "" },
    { .name = "a declared object with another checksum is told of and kept",
      .live = { { MAP("a"), .mark = OURS, .checksum = "old" }, { MAP("b"), .mark = OURS } },
      .declared = { { "demo:configmap/a", { "v1", "ConfigMap", "demo", "new" } },
                    { "demo:configmap/b", { "v1", "ConfigMap", "demo", "new" } } },
      .verdicts = "stale stale",
      .deletes = "" },
    { .name = "a declared object with the right checksum is as it should be",
      .live = { { MAP("a"), .mark = OURS, .checksum = "new" } },
      .declared = { { "demo:configmap/a", { "v1", "ConfigMap", "demo", "new" } } },
      .verdicts = "declared",
      .deletes = "" },
    { .name = "a file that cannot be read suspends collection",
      .live = { { MAP("a"), .mark = OURS }, { MAP("b"), .mark = OURS } },
      .declared = { { "demo:configmap/a", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .suspended = "broken.yaml cannot be read" },
      .verdicts = "declared suspended",
      .deletes = "" },
    { .name = "an empty repository deletes nothing unless told to",
      .live = { { MAP("a"), .mark = OURS }, { MAP("b"), .mark = OURS } },
      .verdicts = "refused refused",
      .deletes = "" },
    { .name = "an empty repository deletes all when told to, namespaces last",
      .live = { { NAMESPACE("demo"), .mark = OURS },
                { MAP("a"), .mark = OURS },
                { DEPLOYMENT("web"), .mark = OURS } },
      .how = { .allow_prune_all = true },
      .verdicts = "delete delete delete",
      .deletes = "web a demo" },
    { .name = "nothing live is declared: nothing goes",
      .live = { { MAP("a"), .mark = OURS }, { MAP("b"), .mark = OURS, .ignore = MARK_IGNORE_YES } },
      .declared = { { "demo:configmap/failed", { "v1", "ConfigMap", "demo", NULL } } },
      .verdicts = "refused ignored",
      .deletes = "" },
    { .name = "one declared object that is live lets the rest go",
      .live = { { MAP("a"), .mark = OURS }, { MAP("b"), .mark = OURS } },
      .declared = { { "demo:configmap/c", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "delete delete",
      .deletes = "b a" },
    { .name = "the guard counts nothing that was kept for another reason",
      .live = { { MAP("a"), .mark = "sha256.copied" }, { MAP("b"), .mark = OURS } },
      .verdicts = "foreign refused",
      .deletes = "" },
    { .name = "a namespace stays while declared objects live in it",
      .live = { { NAMESPACE("demo"), .mark = OURS }, { NAMESPACE("other"), .mark = OURS } },
      .declared = { { "demo:configmap/a", { "v1", "ConfigMap", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "needed delete",
      .deletes = "other" },
    { .name = "a definition stays while objects of its kind are declared",
      .live = { { CRD("policies.example.org"), .mark = OURS },
                { CRD("things.example.org"), .mark = OURS },
                { CRD("policies.example.com"), .mark = OURS } },
      .declared = { { "demo:policy/a", { "example.org/v1", "Policy", "demo", NULL } } },
      .how = { .declared_live = 1 },
      .verdicts = "needed delete delete",
      .deletes = "things.example.org policies.example.com" },
    { .name = "namespaces that are not ours to touch keep what is in them",
      .live = { { MAP("a"), .mark = OURS },
                { NAMESPACE("demo"), .mark = OURS },
                { NAMESPACE("mine"), .mark = OURS } },
      .declared = { { "mine:configmap/x", { "v1", "ConfigMap", "", NULL } } },
      .how = { .declared_live = 1, .allowed_ns = (const char *const[]){ "mine", NULL } },
      .verdicts = "excluded excluded delete",
      .deletes = "mine" },
    { .name = "deletion goes against the order of applying, names backwards too",
      .live = { { MAP("a"), .mark = OURS },
                { DEPLOYMENT("b"), .mark = OURS },
                { MAP("c"), .mark = OURS },
                { DEPLOYMENT("a"), .mark = OURS } },
      .how = { .declared_live = 1, .allow_prune_all = true },
      .verdicts = "delete delete delete delete",
      .deletes = "b a c a" },
};

static struct map *declare(const struct declared_row *rows)
{
    struct map *declared = map_new(NULL);
    for (size_t i = 0; i < LIVE_MAX && rows[i].id; i++)
        map_set(declared, rows[i].id, (void *)(uintptr_t)&rows[i].object);
    return declared;
}

static void decides(void **state)
{
    const struct gc_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(map_free) struct map *declared = declare(c->declared);
    struct gc_live live[LIVE_MAX];
    struct gc_view view = c->how;
    for (; view.count < LIVE_MAX && c->live[view.count].id; view.count++) {
        live[view.count] = c->live[view.count];
        if (!*live[view.count].mark)
            live[view.count].mark = mark_of(mem, SET, live[view.count].id);
    }
    view.live = live;
    view.declared = declared;
    view.set_name = SET;
    struct gc_plan plan;
    gc_decide(mem, &view, &plan);
    char verdicts[512] = "", deletes[512] = "";
    for (size_t i = 0; i < view.count; i++)
        snprintf(verdicts + strlen(verdicts), sizeof(verdicts) - strlen(verdicts), "%s%s",
                 i ? " " : "", gc_verdict_name(plan.verdicts[i]));
    for (size_t i = 0; i < plan.delete_count; i++)
        snprintf(deletes + strlen(deletes), sizeof(deletes) - strlen(deletes), "%s%s", i ? " " : "",
                 live[plan.deletes[i]].name);
    assert_string_equal(verdicts, c->verdicts);
    assert_string_equal(deletes, c->deletes);
}

static void the_refusal_says_how_many_why_and_what_to_do(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(map_free) struct map *declared = map_new(NULL);
    struct gc_live live[] = { { MAP("a"), .mark = mark_of(mem, SET, "demo:configmap/a") },
                              { MAP("b"), .mark = mark_of(mem, SET, "demo:configmap/b") } };
    struct gc_view view = { .live = live, .count = 2, .declared = declared, .set_name = SET };
    struct gc_plan plan;
    gc_decide(mem, &view, &plan);
    assert_non_null(strstr(plan.refusal, "all 2 objects"));
    assert_non_null(strstr(plan.refusal, "declares nothing"));
    assert_non_null(strstr(plan.refusal, "--sync-prune-all"));
    assert_string_equal(plan.reasons[0], plan.refusal);
}

/* -- every combination of one object and what is around it ----------------------------------- */

enum { COMBINATIONS = 2 * 2 * 2 * 3 * 2 * 2 * 2 * 2 * 2 * 2 * 2 };

static unsigned take(unsigned *code, unsigned choices)
{
    unsigned choice = *code % choices;
    *code /= choices;
    return choice;
}

static void no_combination_deletes_what_must_stay(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *own_mark = mark_of(mem, SET, "demo:configmap/a");
    static const char *const allowed[] = { "elsewhere", NULL };
    size_t deleted = 0;
    for (unsigned all = 0; all < COMBINATIONS; all++) {
        unsigned code = all;
        bool is_declared = take(&code, 2), is_ours = take(&code, 2),
             other_declared = take(&code, 2);
        struct gc_live live = { MAP("a"), .ignore = (enum mark_ignore)take(&code, 3),
                                .has_owner = take(&code, 2), .is_deleting = take(&code, 2),
                                .checksum = take(&code, 2) ? "new" : NULL };
        live.mark = is_ours ? own_mark : "sha256.theirs";
        struct gc_view view = { .live = &live,
                                .count = 1,
                                .set_name = SET,
                                .declared_live = take(&code, 2),
                                .suspended = take(&code, 2) ? "broken" : NULL,
                                .allow_prune_all = take(&code, 2),
                                .allowed_ns = take(&code, 2) ? allowed : NULL };
        assert_int_equal(code, 0);
        SCOPED(map_free) struct map *declared = map_new(NULL);
        struct gc_declared own = { "v1", "ConfigMap", "demo", "new" },
                           other = { "v1", "ConfigMap", "demo", "new" };
        if (is_declared)
            map_set(declared, live.id, &own);
        if (other_declared)
            map_set(declared, "demo:configmap/other", &other);
        view.declared = declared;
        struct gc_plan plan;
        gc_decide(mem, &view, &plan);
        bool is_deleted = plan.delete_count == 1;
        assert_int_equal(is_deleted, plan.verdicts[0] == GC_DELETE);
        bool must_stay = is_declared || !is_ours || live.has_owner || live.is_deleting ||
                         live.ignore != MARK_IGNORE_NO || view.suspended || view.allowed_ns ||
                         (!view.allow_prune_all && (!other_declared || !view.declared_live));
        assert_int_equal(is_deleted, !must_stay);
        assert_int_equal(plan.refusal != NULL, plan.verdicts[0] == GC_REFUSED);
        deleted += is_deleted;
    }
    assert_true(deleted > 0);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, decides),
        SINGLE(the_refusal_says_how_many_why_and_what_to_do),
        SINGLE(no_combination_deletes_what_must_stay),
    };
    return rows_run("sync_gc", tests, ARRAY_LEN(tests));
}
