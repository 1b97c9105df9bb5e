#include <string.h>
#include <sys/random.h>

#include "git/mirror_internal.h"

#define TAG_MESSAGE "Sync pointer\n"
#define MARK_TRIES  3

/* -- the sync tag ----------------------------------------------------------------------------------- */

MUST_USE static struct err *write_tag(struct mirror_session *session, git_oid *out)
{
    struct mirror *mirror = session->mirror;
    SCOPED(git_signature_free) git_signature *tagger = NULL;
    SCOPED(git_odb_free) git_odb *odb = NULL;
    char sha[MIRROR_SHA_BYTES];
    const char *signature = NULL;
    TRY(mirror_committer(mirror, &tagger));
    int offset = tagger->when.offset;
    int minutes = offset < 0 ? -offset : offset;
    SBUF(text, (size_t)64 << 10);
    sbuf_addf(&text,
              "object %s\ntype commit\ntag %s\ntagger %s <%s> %lld %c%02d%02d\n\n" TAG_MESSAGE,
              git_oid_tostr(sha, sizeof(sha), &session->rev), mirror->opts.sync_tag, tagger->name,
              tagger->email, (long long)tagger->when.time, offset < 0 ? '-' : '+', minutes / 60,
              minutes % 60);
    struct signature_text payload = { sbuf_text(&text), text.len };
    TRY(err_wrap(mirror_sign(mirror, session->mem, payload, &signature), "moving tag %s",
                 mirror->opts.sync_tag));
    sbuf_add(&text, signature ? signature : "");
    int code = git_repository_odb(&odb, session->repo);
    if (!code)
        code = git_odb_write(out, odb, sbuf_text(&text), text.len, GIT_OBJECT_TAG);
    return code ? mirror_git_failed(mirror, code, "write the tag") : NULL;
}

/* Annotated, and at this commit: then there is nothing to move. */
static bool has_tag(struct mirror_session *session)
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

/* -- marking ---------------------------------------------------------------------------------------------- */

MUST_USE static struct err *plan_tag(struct mirror_session *session, struct mirror_push *push)
{
    struct mirror_update *update = &push->updates[push->count++];
    *update = (struct mirror_update){ .from = MIRROR_PRIVATE_TAG,
                                      .to = session->mirror->tag_ref,
                                      .is_forced = true };
    TRY(write_tag(session, &update->after));
    return mirror_ref_place(session, MIRROR_PRIVATE_TAG, &update->after);
}

MUST_USE static struct err *plan_note(struct mirror_session *session, const char *note,
                                      struct mirror_push *push)
{
    struct mirror_update *update = &push->updates[push->count++];
    *update = (struct mirror_update){ .from = MIRROR_PRIVATE_NOTES, .to = session->notes_ref };
    TRY(mirror_note_write(session, note, &update->after));
    return mirror_ref_place(session, MIRROR_PRIVATE_NOTES, &update->after);
}

MUST_USE static struct err *plan_mark(struct mirror_session *session,
                                      const struct mirror_marker *marker, struct mirror_push *push)
{
    struct err *e = NULL;
    if (marker->moves_tag && *session->mirror->tag_ref && !has_tag(session))
        e = plan_tag(session, push);
    if (!e && marker->note && *session->notes_ref && !mirror_note_exists(session))
        e = plan_note(session, marker->note, push);
    return e;
}

MUST_USE static struct err *mark_once(struct mirror_session *session,
                                      const struct mirror_marker *marker, bool *is_outdated)
{
    MIRROR_REPO(repo);
    struct mirror_push push = { 0 };
    TRY(mirror_repo_open(session->mirror, &repo));
    TRY(mirror_commit_find(&repo, marker->rev, &session->rev));
    session->repo = repo.at;
    struct err *e = plan_mark(session, marker, &push);
    bool has_tag_update = push.count && !strcmp(push.updates[0].from, MIRROR_PRIVATE_TAG);
    const char *what = has_tag_update
                           ? "pushing tag to origin"
                           : arena_printf(session->mem, "git push %s [%s]",
                                          session->mirror->shown_url, session->notes_ref);
    if (!e && push.count)
        e = mirror_push_run(session, &push, what);
    struct err *kept = mirror_push_keep(session, &push);
    mirror_push_clean(repo.at);
    *is_outdated = push.is_outdated;
    if (e) {
        err_free(kept);
        return e;
    }
    return kept;
}

struct err *mirror_mark_locked(struct mirror_session *session, const struct mirror_marker *marker)
{
    bool is_outdated = true;
    struct err *e = NULL;
    for (int attempt = 1; is_outdated && attempt <= MARK_TRIES; attempt++) {
        struct mirror_fetched fetched;
        err_free(e);
        e = mark_once(session, marker, &is_outdated);
        if (is_outdated && attempt < MARK_TRIES) {
            err_free(e);
            e = mirror_fetch_locked(session->mirror, session->deadline_ms, &fetched);
            is_outdated = !e;
        }
    }
    return e;
}

struct err *mirror_mark(struct mirror *mirror, const struct mirror_marker *marker,
                        int64_t deadline_ms)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct mirror_session session = {
        .mirror = mirror, .mem = mem, .deadline_ms = deadline_ms, .notes_ref = mirror->notes_ref
    };
    (void)pthread_mutex_lock(&mirror->writing);
    struct err *e = mirror_mark_locked(&session, marker);
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

MUST_USE static struct err *check_once(struct mirror_session *session)
{
    struct mirror_push add = { .count = 1 }, drop = { .count = 1 };
    add.updates[0] =
        (struct mirror_update){ .from = MIRROR_PRIVATE_CHECK, .to = random_name(session->mem) };
    drop.updates[0] = (struct mirror_update){ .to = add.updates[0].to, .is_forced = true };
    TRY(mirror_ref_place(session, MIRROR_PRIVATE_CHECK, &session->rev));
    TRY(mirror_push_run(session, &add, "attempt to push tag"));
    struct err *e = mirror_push_run(session, &drop, "attempt to delete tag");
    if (!e)
        return NULL;
    err_free(e); /* tags that stay behind are a nuisance to people: once more */
    drop.updates[0].is_answered = false;
    drop.updates[0].refusal = NULL;
    return mirror_push_run(session, &drop, "attempt to delete tag");
}

struct err *mirror_write_check(struct mirror *mirror, const char *rev, int64_t deadline_ms)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct mirror_session session = { .mirror = mirror, .mem = mem, .deadline_ms = deadline_ms };
    (void)pthread_mutex_lock(&mirror->writing);
    struct mirror_repo repo = { 0 };
    struct err *e = mirror_repo_open(mirror, &repo);
    if (!e)
        e = mirror_commit_find(&repo, rev, &session.rev);
    session.repo = repo.at;
    if (!e) {
        e = check_once(&session);
        mirror_push_clean(repo.at);
    }
    mirror_repo_close(&repo);
    (void)pthread_mutex_unlock(&mirror->writing);
    return e;
}
