#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "git/mirror_internal.h"
#include "io/stream.h"

#define TAG_MESSAGE "Sync pointer\n"
#define NOTE_MAX    ((size_t)1 << 20)
#define NOTE_TRIES  3
#define SIGN_MS     20000
/* What is pushed stands under these names until the remote has taken it: a refused push leaves no trace here. */
#define PRIVATE       "refs/serin/"
#define PRIVATE_TAG   PRIVATE "tag"
#define PRIVATE_NOTES PRIVATE "notes"
#define PRIVATE_CHECK PRIVATE "check"

/* One ref to be changed in the remote. */
struct update {
    const char *from; /* local ref; NULL: the remote's is deleted */
    const char *to;
    bool is_forced;
    git_oid before; /* in the remote; zero: there was none */
    git_oid after;
    bool is_answered;
    const char *refusal; /* the remote's words; NULL: taken */
};

struct push {
    struct transport_talk talk; /* first: libgit2's callbacks get it */
    struct update updates[2];
    size_t count;
    bool is_outdated; /* the remote has what we do not: fetch, then try again */
};

/* -- the conversation ------------------------------------------------------------------------------ */

static int on_status(const char *ref, const char *refusal, void *payload)
{
    struct push *push = payload;
    for (size_t i = 0; i < push->count; i++)
        if (!strcmp(push->updates[i].to, ref)) {
            push->updates[i].is_answered = true;
            push->updates[i].refusal = arena_strdup(push->talk.mem, refusal);
        }
    return 0;
}

static void find_before(struct push *push, git_remote *remote)
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

static int upload(struct push *push, git_remote *remote, const git_push_options *options)
{
    char *texts[ARRAY_LEN(push->updates)];
    git_strarray specs = { texts, push->count };
    for (size_t i = 0; i < push->count; i++) {
        const struct update *update = &push->updates[i];
        texts[i] = arena_printf(push->talk.mem, "%s%s:%s", update->is_forced ? "+" : "",
                                update->from ? update->from : "", update->to);
    }
    return git_remote_upload(remote, &specs, options);
}

MUST_USE static struct err *converse(struct mirror *mirror, git_repository *repo, struct push *push,
                                     int *code)
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
        *code = upload(push, remote, &options);
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
static void add_outcome(struct sbuf *out, const struct update *update)
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
static bool is_race(const struct update *update)
{
    static const char *const busy[] = { "failed to update ref", "lock ref", "failed to lock",
                                        NULL };
    static const char *const outdated[] = { "fast-forward", "fetch first", "already exists",
                                            "old value",    "stale info",  NULL };
    return has_any(update->refusal, busy) ||
           (!update->is_forced && has_any(update->refusal, outdated));
}

static size_t count_refused(struct push *push)
{
    size_t refused = 0;
    for (size_t i = 0; i < push->count; i++) {
        const struct update *update = &push->updates[i];
        if (!update->is_answered || !update->refusal)
            continue;
        refused++;
        push->is_outdated = push->is_outdated || is_race(update);
    }
    return refused;
}

/* The remote answered, and did not take everything. */
MUST_USE static struct err *word_refusal(struct mirror *mirror, struct push *push, const char *what)
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
                                       .is_refusal = !push->is_outdated };
    return transport_explain(&push->talk, &report);
}

MUST_USE static struct err *word_outdated(struct mirror *mirror, struct push *push,
                                          const char *what)
{
    SBUF(after, (size_t)64 << 10);
    sbuf_addf(&after, "To %s\n", mirror->shown_url);
    for (size_t i = 0; i < push->count; i++)
        if (!push->updates[i].is_forced)
            sbuf_addf(&after, " ! [rejected]        %s -> %s (fetch first)\n",
                      short_ref(push->updates[i].to), short_ref(push->updates[i].to));
    sbuf_addf(&after, "error: failed to push some refs to '%s'\n", mirror->shown_url);
    struct transport_report report = { .what = what, .after = sbuf_text(&after) };
    return transport_explain(&push->talk, &report);
}

/* -- pushing ---------------------------------------------------------------------------------------- */

struct session {
    struct mirror *mirror;
    git_repository *repo;
    struct arena *mem;
    int64_t deadline_ms;
    git_oid rev;
};

MUST_USE static struct err *run_push(struct session *session, struct push *push, const char *what)
{
    struct mirror *mirror = session->mirror;
    mirror_talk_start(mirror, &push->talk, session->mem, session->deadline_ms);
    int code = 0;
    struct err *e = converse(mirror, session->repo, push, &code);
    struct transport_report report = { .what = what };
    if (!e && code)
        e = push->is_outdated ? word_outdated(mirror, push, what)
                              : transport_explain(&push->talk, &report);
    else if (!e && count_refused(push))
        e = word_refusal(mirror, push, what);
    transport_talk_fini(&push->talk);
    return e;
}

MUST_USE static struct err *place(struct session *session, const char *ref, const git_oid *oid)
{
    SCOPED(git_reference_free) git_reference *placed = NULL;
    int code = git_reference_create(&placed, session->repo, ref, oid, 1, NULL);
    return code ? mirror_git_failed(session->mirror, code, "write a ref of the mirror") : NULL;
}

static void remove_private(git_repository *repo)
{
    static const char *const refs[] = { PRIVATE_TAG, PRIVATE_NOTES, PRIVATE_CHECK };
    for (size_t i = 0; i < ARRAY_LEN(refs); i++)
        (void)git_reference_remove(repo, refs[i]); /* most are not there */
}

struct signature_ring mirror_ring(const struct mirror *mirror, int64_t deadline_ms)
{
    return (struct signature_ring){ .home = mirror->opts.gnupg_home,
                                    .env = mirror->opts.env,
                                    .scratch = mirror->opts.dir,
                                    .deadline_ms = deadline_ms };
}

/* -- the sync tag ----------------------------------------------------------------------------------- */

MUST_USE static struct err *sign_now(struct mirror *mirror, git_signature **out)
{
    int code = git_signature_now(out, mirror->opts.user_name, mirror->opts.user_email);
    return code ? mirror_git_failed(mirror, code, "use --git-user and --git-email") : NULL;
}

MUST_USE static struct err *write_tag(struct session *session, git_oid *out)
{
    struct mirror *mirror = session->mirror;
    SCOPED(git_signature_free) git_signature *tagger = NULL;
    SCOPED(git_odb_free) git_odb *odb = NULL;
    char sha[MIRROR_SHA_BYTES];
    TRY(sign_now(mirror, &tagger));
    int offset = tagger->when.offset;
    int minutes = offset < 0 ? -offset : offset;
    SBUF(text, (size_t)64 << 10);
    sbuf_addf(&text,
              "object %s\ntype commit\ntag %s\ntagger %s <%s> %lld %c%02d%02d\n\n" TAG_MESSAGE,
              git_oid_tostr(sha, sizeof(sha), &session->rev), mirror->opts.sync_tag, tagger->name,
              tagger->email, (long long)tagger->when.time, offset < 0 ? '-' : '+', minutes / 60,
              minutes % 60);
    if (mirror->opts.signing_key) {
        struct signature_ring ring = mirror_ring(mirror, stream_now_ms() + SIGN_MS);
        struct signature_text payload = { sbuf_text(&text), text.len };
        const char *signature;
        TRY(err_wrap(
            signature_make(session->mem, &ring, mirror->opts.signing_key, payload, &signature),
            "moving tag %s", mirror->opts.sync_tag));
        sbuf_add(&text, signature);
    }
    int code = git_repository_odb(&odb, session->repo);
    if (!code)
        code = git_odb_write(out, odb, sbuf_text(&text), text.len, GIT_OBJECT_TAG);
    return code ? mirror_git_failed(mirror, code, "write the tag") : NULL;
}

/* Annotated, and at this commit: then there is nothing to move. */
static bool has_tag(struct session *session)
{
    git_oid oid, commit;
    git_object *tag = NULL;
    const char *ref = session->mirror->tag_ref;
    bool is_annotated = !git_reference_name_to_id(&oid, session->repo, ref) &&
                        !git_object_lookup(&tag, session->repo, &oid, GIT_OBJECT_TAG);
    git_object_free(tag);
    return is_annotated && mirror_ref_commit(session->repo, ref, &commit) &&
           git_oid_equal(&commit, &session->rev);
}

/* -- notes ---------------------------------------------------------------------------------------------- */

static bool has_note(struct session *session)
{
    SCOPED(git_note_free) git_note *note = NULL;
    return !git_note_read(&note, session->repo, session->mirror->notes_ref, &session->rev);
}

MUST_USE static struct err *write_note(struct session *session, const char *note, git_oid *out)
{
    struct mirror *mirror = session->mirror;
    SCOPED(git_signature_free) git_signature *author = NULL;
    SCOPED(git_commit_free) git_commit *parent = NULL;
    git_oid tip;
    size_t len = strlen(note);
    if (len > NOTE_MAX)
        return err_new(ERR_LIMIT, "a note of %zu bytes is too large", len);
    TRY(sign_now(mirror, &author));
    int code = 0;
    if (!git_reference_name_to_id(&tip, session->repo, mirror->notes_ref))
        code = git_commit_lookup(&parent, session->repo, &tip);
    const char *ending = len && note[len - 1] == '\n' ? "" : "\n";
    const char *text = arena_printf(session->mem, "%s%s", note, ending);
    if (!code)
        code = git_note_commit_create(out, NULL, session->repo, parent, author, author,
                                      &session->rev, text, 0);
    return code ? mirror_git_failed(mirror, code, "write a note") : NULL;
}

struct err *mirror_note_read(struct mirror *mirror, struct arena *mem, const char *ref,
                             const char *rev, const char **out)
{
    *out = NULL;
    MIRROR_REPO(repo);
    SCOPED(git_note_free) git_note *note = NULL;
    git_oid oid;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_commit_find(&repo, rev, &oid));
    bool is_full = !strncmp(ref, "refs/", strlen("refs/"));
    const char *name = is_full ? ref : arena_printf(mem, "refs/notes/%s", ref);
    int code = git_note_read(&note, repo.at, name, &oid);
    if (code == GIT_ENOTFOUND)
        return NULL;
    if (code)
        return mirror_git_failed(mirror, code, "read a note");
    *out = arena_strdup(mem, git_note_message(note));
    return NULL;
}

/* -- marking ---------------------------------------------------------------------------------------------- */

MUST_USE static struct err *plan_tag(struct session *session, struct push *push)
{
    struct update *update = &push->updates[push->count++];
    *update =
        (struct update){ .from = PRIVATE_TAG, .to = session->mirror->tag_ref, .is_forced = true };
    TRY(write_tag(session, &update->after));
    return place(session, PRIVATE_TAG, &update->after);
}

MUST_USE static struct err *plan_note(struct session *session, const char *note, struct push *push)
{
    struct update *update = &push->updates[push->count++];
    *update = (struct update){ .from = PRIVATE_NOTES, .to = session->mirror->notes_ref };
    TRY(write_note(session, note, &update->after));
    return place(session, PRIVATE_NOTES, &update->after);
}

MUST_USE static struct err *plan_mark(struct session *session, const struct mirror_marker *marker,
                                      struct push *push)
{
    struct err *e = NULL;
    if (marker->moves_tag && *session->mirror->tag_ref && !has_tag(session))
        e = plan_tag(session, push);
    if (!e && marker->note && *session->mirror->notes_ref && !has_note(session))
        e = plan_note(session, marker->note, push);
    return e;
}

/* What the remote has taken is so here, too, whatever became of the rest. */
MUST_USE static struct err *keep_accepted(struct session *session, const struct push *push)
{
    for (size_t i = 0; i < push->count; i++)
        if (push->updates[i].is_answered && !push->updates[i].refusal)
            TRY(place(session, push->updates[i].to, &push->updates[i].after));
    return NULL;
}

MUST_USE static struct err *mark_once(struct session *session, const struct mirror_marker *marker,
                                      bool *is_outdated)
{
    MIRROR_REPO(repo);
    struct push push = { 0 };
    TRY(mirror_repo_open(session->mirror, &repo));
    TRY(mirror_commit_find(&repo, marker->rev, &session->rev));
    session->repo = repo.at;
    struct err *e = plan_mark(session, marker, &push);
    bool has_tag_update = push.count && !strcmp(push.updates[0].from, PRIVATE_TAG);
    const char *what = has_tag_update
                           ? "pushing tag to origin"
                           : arena_printf(session->mem, "git push %s [%s]",
                                          session->mirror->shown_url, session->mirror->notes_ref);
    if (!e && push.count)
        e = run_push(session, &push, what);
    struct err *kept = keep_accepted(session, &push);
    remove_private(repo.at);
    *is_outdated = push.is_outdated;
    if (e) {
        err_free(kept);
        return e;
    }
    return kept;
}

struct err *mirror_mark(struct mirror *mirror, const struct mirror_marker *marker,
                        int64_t deadline_ms)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct session session = { .mirror = mirror, .mem = mem, .deadline_ms = deadline_ms };
    bool is_outdated = true;
    struct err *e = NULL;
    (void)pthread_mutex_lock(&mirror->writing);
    for (int attempt = 1; is_outdated && attempt <= NOTE_TRIES; attempt++) {
        struct mirror_fetched fetched;
        err_free(e);
        e = mark_once(&session, marker, &is_outdated);
        if (is_outdated && attempt < NOTE_TRIES) {
            err_free(e);
            e = mirror_fetch_locked(mirror, deadline_ms, &fetched);
            is_outdated = !e;
        }
    }
    (void)pthread_mutex_unlock(&mirror->writing);
    return e;
}

/* -- the write check ----------------------------------------------------------------------------------------- */

static const char *random_name(struct arena *mem)
{
    unsigned char bytes[5];
    ASSERT(getentropy(bytes, sizeof(bytes)) == 0);
    return arena_printf(mem, "refs/tags/flux-write-check-%02x%02x%02x%02x%02x", bytes[0], bytes[1],
                        bytes[2], bytes[3], bytes[4]);
}

MUST_USE static struct err *check_once(struct session *session)
{
    struct push add = { .count = 1 }, drop = { .count = 1 };
    add.updates[0] = (struct update){ .from = PRIVATE_CHECK, .to = random_name(session->mem) };
    drop.updates[0] = (struct update){ .to = add.updates[0].to, .is_forced = true };
    TRY(place(session, PRIVATE_CHECK, &session->rev));
    TRY(run_push(session, &add, "attempt to push tag"));
    struct err *e = run_push(session, &drop, "attempt to delete tag");
    if (!e)
        return NULL;
    err_free(e); /* tags that stay behind are a nuisance to people: once more */
    drop.updates[0].is_answered = false;
    drop.updates[0].refusal = NULL;
    return run_push(session, &drop, "attempt to delete tag");
}

struct err *mirror_write_check(struct mirror *mirror, const char *rev, int64_t deadline_ms)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct session session = { .mirror = mirror, .mem = mem, .deadline_ms = deadline_ms };
    (void)pthread_mutex_lock(&mirror->writing);
    struct mirror_repo repo = { 0 };
    struct err *e = mirror_repo_open(mirror, &repo);
    if (!e)
        e = mirror_commit_find(&repo, rev, &session.rev);
    session.repo = repo.at;
    if (!e) {
        e = check_once(&session);
        remove_private(repo.at);
    }
    mirror_repo_close(&repo);
    (void)pthread_mutex_unlock(&mirror->writing);
    return e;
}
