#include <string.h>

#include "git/mirror_internal.h"

/* -- the conversation ------------------------------------------------------------------------------ */

static int on_status(const char *ref, const char *refusal, void *payload)
{
    struct mirror_push *push = payload;
    for (size_t i = 0; i < push->count; i++)
        if (!strcmp(push->updates[i].to, ref)) {
            push->updates[i].is_answered = true;
            push->updates[i].refusal = arena_strdup(push->talk.mem, refusal);
        }
    return 0;
}

static void find_before(struct mirror_push *push, git_remote *remote)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    if (git_remote_ls(&heads, &count, remote))
        return;
    for (size_t i = 0; i < count; i++)
        for (size_t u = 0; u < push->count; u++)
            if (!strcmp(push->updates[u].to, heads[i]->name))
                git_oid_cpy(&push->updates[u].before, &heads[i]->oid);
}

/* A branch that was taken back is not brought back by a commit on top of what it was. */
static bool is_as_expected(const struct mirror_push *push)
{
    for (size_t i = 0; i < push->count; i++)
        if (push->updates[i].expected &&
            !git_oid_equal(push->updates[i].expected, &push->updates[i].before))
            return false;
    return true;
}

static int upload(struct mirror_push *push, git_remote *remote, const git_push_options *options)
{
    char *texts[ARRAY_LEN(push->updates)];
    git_strarray specs = { texts, push->count };
    for (size_t i = 0; i < push->count; i++) {
        const struct mirror_update *update = &push->updates[i];
        texts[i] = arena_printf(push->talk.mem, "%s%s:%s", update->is_forced ? "+" : "",
                                update->from ? update->from : "", update->to);
    }
    return git_remote_upload(remote, &specs, options);
}

MUST_USE static struct err *converse(struct mirror *mirror, git_repository *repo,
                                     struct mirror_push *push, int *code)
{
    SCOPED(git_remote_free) git_remote *remote = NULL;
    TRY(mirror_remote_new(mirror, repo, &remote));
    git_push_options options;
    git_remote_connect_options connect;
    (void)git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);
    (void)git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    options.callbacks.transport = transport_create;
    options.callbacks.sideband_progress = transport_on_message;
    options.callbacks.push_update_reference = on_status;
    options.callbacks.payload = push;
    connect.callbacks = options.callbacks;
    *code = git_remote_connect_ext(remote, GIT_DIRECTION_PUSH, &connect);
    if (!*code) {
        push->talk.is_connected = true;
        push->talk.received = 0;
        find_before(push, remote);
        *code = is_as_expected(push) ? upload(push, remote, &options) : GIT_ENONFASTFORWARD;
    }
    push->is_outdated = *code == GIT_ENONFASTFORWARD;
    if (*code)
        transport_note(&push->talk, *code);
    return NULL;
}

/* -- words ------------------------------------------------------------------------------------------ */

static const char *short_ref(const char *ref)
{
    static const char *const prefixes[] = { "refs/heads/", "refs/tags/" };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (!strncmp(ref, prefixes[i], strlen(prefixes[i])))
            return ref + strlen(prefixes[i]);
    return ref;
}

/* As git lays them out: a mark, 17 columns of what became of it, the names. */
static void add_outcome(struct sbuf *out, const struct mirror_update *update)
{
    const char *name = short_ref(update->to);
    if (!update->from) {
        if (update->refusal)
            sbuf_addf(out, " ! [remote rejected] %s (%s)\n", name, update->refusal);
        else
            sbuf_addf(out, " - [deleted]         %s\n", name);
        return;
    }
    if (update->refusal) {
        sbuf_addf(out, " ! [remote rejected] %s -> %s (%s)\n", name, name, update->refusal);
        return;
    }
    if (git_oid_is_zero(&update->before)) {
        bool is_tag = !strncmp(update->to, "refs/tags/", strlen("refs/tags/"));
        sbuf_addf(out, " * %-17s %s -> %s\n", is_tag ? "[new tag]" : "[new reference]", name, name);
        return;
    }
    char before[8], after[8];
    sbuf_addf(out, " %c %s%s%s %s -> %s%s\n", update->is_forced ? '+' : ' ',
              git_oid_tostr(before, sizeof(before), &update->before),
              update->is_forced ? "..." : "..", git_oid_tostr(after, sizeof(after), &update->after),
              name, name, update->is_forced ? " (forced update)" : "");
}

static bool has_any(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strstr(text, *words))
            return true;
    return false;
}

/* Refusals that mean no more than that somebody else was faster, or is at it just now. */
static bool is_race(const struct mirror_update *update)
{
    static const char *const busy[] = { "failed to update ref", "lock ref", "failed to lock",
                                        NULL };
    static const char *const outdated[] = { "fast-forward", "fetch first", "already exists",
                                            "old value",    "stale info",  NULL };
    return has_any(update->refusal, busy) ||
           (!update->is_forced && has_any(update->refusal, outdated));
}

static size_t count_refused(struct mirror_push *push)
{
    size_t refused = 0;
    for (size_t i = 0; i < push->count; i++) {
        const struct mirror_update *update = &push->updates[i];
        if (!update->is_answered || !update->refusal)
            continue;
        refused++;
        push->is_outdated = push->is_outdated || is_race(update);
    }
    return refused;
}

/* The remote answered, and did not take everything. */
MUST_USE static struct err *word_refusal(struct mirror *mirror, struct mirror_push *push,
                                         const char *what)
{
    SBUF(after, (size_t)64 << 10);
    sbuf_addf(&after, "To %s\n", mirror->shown_url);
    for (int refused = 0; refused <= 1; refused++)
        for (size_t i = 0; i < push->count; i++)
            if ((push->updates[i].refusal != NULL) == (refused == 1))
                add_outcome(&after, &push->updates[i]);
    sbuf_addf(&after, "error: failed to push some refs to '%s'\n", mirror->shown_url);
    struct transport_report report = { .what = what,
                                       .after = sbuf_text(&after),
                                       .is_refusal = !push->is_outdated,
                                       .is_stale = push->is_outdated };
    return transport_explain(&push->talk, &report);
}

/* Nothing was sent: the remote is not where it was thought to be. */
MUST_USE static struct err *word_outdated(struct mirror_session *session, struct mirror_push *push,
                                          const char *what)
{
    SCOPED(git_odb_free) git_odb *odb = NULL;
    const char *url = session->mirror->shown_url;
    SBUF(after, (size_t)64 << 10);
    sbuf_addf(&after, "To %s\n", url);
    bool can_look = !git_repository_odb(&odb, session->repo);
    for (size_t i = 0; i < push->count; i++) {
        const struct mirror_update *update = &push->updates[i];
        const char *name = short_ref(update->to);
        bool is_known =
            git_oid_is_zero(&update->before) || (can_look && git_odb_exists(odb, &update->before));
        if (!update->is_forced)
            sbuf_addf(&after, " ! [rejected]        %s -> %s (%s)\n", name, name,
                      update->expected && is_known ? "stale info" : "fetch first");
    }
    sbuf_addf(&after, "error: failed to push some refs to '%s'\n", url);
    struct transport_report report = { .what = what, .after = sbuf_text(&after), .is_stale = true };
    return transport_explain(&push->talk, &report);
}

/* -- pushing ---------------------------------------------------------------------------------------- */

struct err *mirror_push_run(struct mirror_session *session, struct mirror_push *push,
                            const char *what)
{
    struct mirror *mirror = session->mirror;
    mirror_talk_start(mirror, &push->talk, session->mem, session->deadline_ms);
    int code = 0;
    struct err *e = converse(mirror, session->repo, push, &code);
    struct transport_report report = { .what = what };
    if (!e && code)
        e = push->is_outdated ? word_outdated(session, push, what)
                              : transport_explain(&push->talk, &report);
    else if (!e && count_refused(push))
        e = word_refusal(mirror, push, what);
    transport_talk_fini(&push->talk);
    return e;
}

struct err *mirror_ref_place(struct mirror_session *session, const char *ref, const git_oid *oid)
{
    SCOPED(git_reference_free) git_reference *placed = NULL;
    int code = git_reference_create(&placed, session->repo, ref, oid, 1, NULL);
    return code ? mirror_git_failed(session->mirror, code, "write a ref of the mirror") : NULL;
}

void mirror_push_clean(git_repository *repo)
{
    static const char *const refs[] = { MIRROR_PRIVATE_TAG, MIRROR_PRIVATE_NOTES,
                                        MIRROR_PRIVATE_CHECK, MIRROR_PRIVATE_HEAD };
    for (size_t i = 0; i < ARRAY_LEN(refs); i++)
        (void)git_reference_remove(repo, refs[i]); /* most are not there */
}

/* What the remote has taken is so here, too, whatever became of the rest. */
struct err *mirror_push_keep(struct mirror_session *session, const struct mirror_push *push)
{
    for (size_t i = 0; i < push->count; i++)
        if (push->updates[i].is_answered && !push->updates[i].refusal)
            TRY(mirror_ref_place(session, push->updates[i].to, &push->updates[i].after));
    return NULL;
}
