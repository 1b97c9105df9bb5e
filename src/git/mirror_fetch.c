#include <limits.h>
#include <string.h>

#include "git/mirror_internal.h"
#include "io/stream.h"

/* One ref that is followed, and where the remote has it. */
struct follow {
    const char *ref; /* "": not wanted */
    bool is_there;
    git_oid oid;
};

/* What is asked for, as libgit2 numbers it. */
enum depth { DEPTH_NEWS = 0, DEPTH_HEAD = 1, DEPTH_HISTORY = INT_MAX };

/* The branch last: it says that all has come. */
enum { FOLLOW_COMMIT_NOTES, FOLLOW_NOTES, FOLLOW_TAG, FOLLOW_BRANCH, FOLLOWS };

struct fetch {
    struct transport_talk talk; /* first: libgit2's callbacks get it */
    struct follow follows[FOLLOWS];
    git_oid tagged; /* what the sync tag leads to; zero if there is none */
    enum depth depth;
    bool has_pack; /* objects have come: what fails from here on is the remote's fault */
};

void mirror_talk_start(struct mirror *mirror, struct transport_talk *talk, struct arena *mem,
                       int64_t deadline_ms)
{
    struct transport_start start = { &mirror->carrier, mirror->real, deadline_ms };
    transport_talk_init(talk, mem, &start);
}

struct err *mirror_remote_new(struct mirror *mirror, git_repository *repo, git_remote **out)
{
    git_remote_create_options options;
    (void)git_remote_create_options_init(&options, GIT_REMOTE_CREATE_OPTIONS_VERSION);
    options.repository = repo;
    options.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    int code = git_remote_create_with_opts(out, mirror->real.plain, &options);
    return code ? mirror_git_failed(mirror, code, "prepare the remote") : NULL;
}

/* -- the conversation -------------------------------------------------------------------------- */

static int on_progress(const git_indexer_progress *stats, void *payload)
{
    struct fetch *fetch = payload;
    (void)stats;
    fetch->has_pack = true;
    if (!fetch->talk.deadline_ms || stream_now_ms() < fetch->talk.deadline_ms)
        return 0;
    return transport_fail(&fetch->talk, err_new(ERR_TRANSIENT, "the deadline passed"));
}

static void find_ref(const git_remote_head *const *heads, size_t count, struct follow *follow)
{
    for (size_t i = 0; *follow->ref && i < count; i++) {
        if (strcmp(heads[i]->name, follow->ref) != 0)
            continue;
        follow->is_there = true;
        git_oid_cpy(&follow->oid, &heads[i]->oid);
    }
}

static void add_spec(struct arena *mem, const struct follow *follow, git_strarray *specs)
{
    if (follow->is_there)
        specs->strings[specs->count++] = arena_printf(mem, "+%s:%s", follow->ref, follow->ref);
}

/* An annotated tag is followed by what it leads to, under its name and ^{}. */
static void find_tagged(struct arena *mem, const git_remote_head *const *heads, size_t count,
                        struct fetch *fetch)
{
    struct follow tag = fetch->follows[FOLLOW_TAG];
    if (*tag.ref)
        tag.ref = arena_printf(mem, "%s^{}", tag.ref);
    find_ref(heads, count, &tag);
    git_oid_cpy(&fetch->tagged, &tag.oid);
}

/* The commits from the sync tag on will be asked for: where it is elsewhere, the head alone is no use. */
static enum depth choose_depth(const struct fetch *fetch)
{
    const struct follow *branch = &fetch->follows[FOLLOW_BRANCH];
    const struct follow *tag = &fetch->follows[FOLLOW_TAG];
    bool is_behind = tag->is_there && !git_oid_equal(&fetch->tagged, &branch->oid);
    return fetch->depth == DEPTH_HEAD && (!branch->is_there || is_behind) ? DEPTH_NEWS
                                                                          : fetch->depth;
}

static int get_pack(git_remote *remote, const git_strarray *specs, const git_fetch_options *options,
                    enum depth depth)
{
    git_fetch_options mine = *options;
#if MIRROR_KNOWS_DEPTH
    mine.depth = depth;
#else
    (void)depth;
#endif
    return git_remote_download(remote, specs, &mine);
}

/* Objects only: the refs are moved when all have come. */
static int download(struct fetch *fetch, git_remote *remote, const git_fetch_options *options)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    int code = git_remote_ls(&heads, &count, remote);
    if (code)
        return code;
    char *texts[FOLLOWS];
    git_strarray specs = { texts, 0 };
    for (size_t i = 0; i < FOLLOWS; i++) {
        find_ref((const git_remote_head *const *)heads, count, &fetch->follows[i]);
        add_spec(fetch->talk.mem, &fetch->follows[i], &specs);
    }
    find_tagged(fetch->talk.mem, (const git_remote_head *const *)heads, count, fetch);
    fetch->depth = choose_depth(fetch);
    if (specs.count)
        code = get_pack(remote, &specs, options, fetch->depth);
    if (code == GIT_EINVALID &&
        fetch->depth == DEPTH_HEAD) { /* the remote cannot; nothing was sent */
        fetch->depth = DEPTH_NEWS;
        code = get_pack(remote, &specs, options, fetch->depth);
    }
    return code;
}

MUST_USE static struct err *converse(struct mirror *mirror, git_repository *repo,
                                     struct fetch *fetch, int *code)
{
    SCOPED(git_remote_free) git_remote *remote = NULL;
    TRY(mirror_remote_new(mirror, repo, &remote));
    git_fetch_options options;
    git_remote_connect_options connect;
    (void)git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    (void)git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    options.callbacks.transport = transport_create;
    options.callbacks.sideband_progress = transport_on_message;
    options.callbacks.transfer_progress = on_progress;
    options.callbacks.payload = fetch;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    connect.callbacks = options.callbacks;
    *code = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &connect);
    if (!*code) {
        fetch->talk.is_connected = true;
        fetch->talk.received = 0;
        *code = download(fetch, remote, &options);
    }
    if (*code)
        transport_note(&fetch->talk, *code);
    return NULL;
}

/* -- refs ------------------------------------------------------------------------------------------ */

MUST_USE static struct err *move_ref(struct mirror *mirror, git_repository *repo,
                                     const struct follow *follow, bool *has_changed)
{
    git_oid before;
    if (!follow->is_there)
        return NULL;
    if (!git_reference_name_to_id(&before, repo, follow->ref) &&
        git_oid_equal(&before, &follow->oid))
        return NULL;
    SCOPED(git_reference_free) git_reference *moved = NULL;
    *has_changed = true;
    int code = git_reference_create(&moved, repo, follow->ref, &follow->oid, 1, NULL);
    return code ? mirror_git_failed(mirror, code, "move a ref of the mirror") : NULL;
}

/* The branch stays when the remote loses it; the tag, the notes and what an earlier configuration followed do not. */
static bool is_kept(const struct fetch *fetch, const char *ref)
{
    for (size_t i = 0; i < FOLLOWS; i++)
        if (!strcmp(ref, fetch->follows[i].ref))
            return fetch->follows[i].is_there || i == FOLLOW_BRANCH;
    return false;
}

MUST_USE static struct err *prune(struct mirror *mirror, git_repository *repo,
                                  const struct fetch *fetch, bool *has_changed)
{
    git_strarray refs = { 0 };
    int code = git_reference_list(&refs, repo);
    for (size_t i = 0; !code && i < refs.count; i++) {
        if (is_kept(fetch, refs.strings[i]))
            continue;
        *has_changed = *has_changed || !strcmp(refs.strings[i], fetch->follows[FOLLOW_TAG].ref);
        code = git_reference_remove(repo, refs.strings[i]);
    }
    git_strarray_dispose(&refs);
    return code ? mirror_git_failed(mirror, code, "remove a ref of the mirror") : NULL;
}

/* HEAD means the branch, also after another one was configured. */
MUST_USE static struct err *point_head(struct mirror *mirror, git_repository *repo)
{
    SCOPED(git_reference_free) git_reference *head = NULL, *moved = NULL;
    int code = git_reference_lookup(&head, repo, "HEAD");
    const char *target = code ? NULL : git_reference_symbolic_target(head);
    if (target && !strcmp(target, mirror->branch_ref))
        return NULL;
    code = git_reference_symbolic_create(&moved, repo, "HEAD", mirror->branch_ref, 1, NULL);
    return code ? mirror_git_failed(mirror, code, "move HEAD of the mirror") : NULL;
}

/* A head whose commit or tree cannot be read is no head. */
static bool is_readable(git_repository *repo, const git_oid *head)
{
    SCOPED(git_commit_free) git_commit *commit = NULL;
    SCOPED(git_tree_free) git_tree *tree = NULL;
    return !git_commit_lookup(&commit, repo, head) && !git_commit_tree(&tree, commit);
}

MUST_USE static struct err *settle(struct mirror *mirror, git_repository *repo,
                                   const struct fetch *fetch, struct mirror_fetched *out)
{
    TRY(prune(mirror, repo, fetch, &out->has_changed));
    TRY(point_head(mirror, repo));
    for (size_t i = 0; i < FOLLOWS; i++)
        TRY(move_ref(mirror, repo, &fetch->follows[i], &out->has_changed));
    git_oid oid;
    if (mirror_ref_commit(repo, mirror->tag_ref, &oid))
        (void)git_oid_tostr(out->tag, sizeof(out->tag), &oid);
    if (mirror_ref_commit(repo, mirror->branch_ref, &oid))
        (void)git_oid_tostr(out->head, sizeof(out->head), &oid);
    return NULL;
}

/* -- fetching ------------------------------------------------------------------------------------ */

MUST_USE static struct err *explain(struct mirror *mirror, struct fetch *fetch, bool is_clone,
                                    bool *is_damaged)
{
    const struct transport_talk *talk = &fetch->talk;
    *is_damaged = !talk->failed && !fetch->has_pack &&
                  (talk->git_class == GIT_ERROR_ODB || talk->git_class == GIT_ERROR_OBJECT ||
                   talk->git_class == GIT_ERROR_REPOSITORY);
    const char *before =
        arena_printf(talk->mem, "Cloning into bare repository '%s'...\n", mirror->opts.dir);
    struct transport_report report = { .what = is_clone ? "git clone --mirror" : "git fetch",
                                       .before = is_clone ? before : NULL };
    return transport_explain(&fetch->talk, &report);
}

static struct fetch follow_all(const struct mirror *mirror, enum depth depth)
{
    bool is_shared = !strcmp(mirror->commit_notes_ref, mirror->notes_ref);
    return (struct fetch){
        .follows = {
            [FOLLOW_COMMIT_NOTES].ref = is_shared ? "" : mirror->commit_notes_ref,
            [FOLLOW_NOTES].ref = mirror->notes_ref,
            [FOLLOW_TAG].ref = mirror->tag_ref,
            [FOLLOW_BRANCH].ref = mirror->branch_ref,
        },
        .depth = depth,
    };
}

MUST_USE static struct err *get_objects(struct mirror_repo *repo, struct fetch *fetch,
                                        int64_t deadline_ms, bool *is_damaged,
                                        struct mirror_fetched *out)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct mirror *mirror = repo->mirror;
    mirror_talk_start(mirror, &fetch->talk, mem, deadline_ms);
    int code = 0;
    struct err *e = converse(mirror, repo->at, fetch, &code);
    if (!e && code)
        e = explain(mirror, fetch, out->was_clone, is_damaged);
    out->host_unknown = fetch->talk.is_host_unknown;
    transport_talk_fini(&fetch->talk);
    if (fetch->depth == DEPTH_NEWS)
        return e;
    __atomic_add_fetch(&mirror->depth, 1, __ATOMIC_ACQ_REL);
    mirror_repo_drop_idle(mirror);
    bool is_unable = code == GIT_EINVALID; /* another server than the one that was cloned from */
    *is_damaged = *is_damaged || (fetch->depth == DEPTH_HISTORY && is_unable);
    if (!e && fetch->depth == DEPTH_HISTORY && mirror_is_shallow(mirror)) {
        *is_damaged = true; /* the cut was in a history that the remote has forgotten */
        e = err_new(ERR_TRANSIENT, "git fetch: the remote does not have all commits any more that "
                                   "were cloned: the mirror is made anew");
    }
    return e;
}

static void add_tip(git_repository *repo, const struct follow *follow, const git_oid *oid,
                    struct mirror_search *search)
{
    SCOPED(git_commit_free) git_commit *commit = NULL;
    if (follow->is_there && !git_commit_lookup(&commit, repo, oid)) /* tags are of anything */
        search->tips[search->count++] = *oid;
}

/* A new head may stem from before the cut: then it came with all that is before itself. */
MUST_USE static struct err *find_bypass(struct mirror_repo *repo, const struct fetch *fetch,
                                        const git_oid *known, bool *out)
{
    struct mirror_search search = { .hidden = known, .is_wanted = mirror_is_root };
    const struct follow *branch = &fetch->follows[FOLLOW_BRANCH];
    *out = false;
    add_tip(repo->at, branch, &branch->oid, &search);
    add_tip(repo->at, &fetch->follows[FOLLOW_TAG], &fetch->tagged, &search);
    /* A first commit is on the list of cuts, too, where it is all there is. */
    bool may_be = fetch->depth == DEPTH_NEWS && mirror_is_shallow(repo->mirror);
    return may_be ? mirror_search(repo, &search, out) : NULL;
}

/* libgit2 would cut off a history that is here. */
static bool is_empty(git_repository *repo)
{
    git_strarray refs = { 0 };
    bool is_it = !git_reference_list(&refs, repo) && refs.count == 0;
    git_strarray_dispose(&refs);
    return is_it;
}

static enum depth plan_depth(const struct mirror_repo *repo)
{
    if (!MIRROR_KNOWS_DEPTH)
        return DEPTH_NEWS;
    if (is_empty(repo->at))
        return repo->mirror->opts.history_ms ? DEPTH_HEAD : DEPTH_NEWS;
    bool is_too_short = !repo->mirror->opts.history_ms && mirror_is_shallow(repo->mirror);
    return is_too_short ? DEPTH_HISTORY : DEPTH_NEWS;
}

MUST_USE static struct err *fetch_once(struct mirror *mirror, int64_t deadline_ms, bool *is_damaged,
                                       struct mirror_fetched *out)
{
    MIRROR_REPO(repo);
    git_oid head;
    TRY(mirror_repo_open(mirror, &repo));
    bool had_head = mirror_ref_commit(repo.at, mirror->branch_ref, &head);
    bool is_bypassed = false;
    out->was_clone = !had_head && !mirror->has_fetched;
    struct fetch fetch = follow_all(mirror, plan_depth(&repo));
    const struct follow *branch = &fetch.follows[FOLLOW_BRANCH];
    struct err *e = get_objects(&repo, &fetch, deadline_ms, is_damaged, out);
    if (!e)
        e = find_bypass(&repo, &fetch, had_head ? &head : NULL, &is_bypassed);
    if (!e && is_bypassed) {
        fetch = follow_all(mirror, DEPTH_HISTORY);
        e = get_objects(&repo, &fetch, deadline_ms, is_damaged, out);
    }
    if (!e && branch->is_there && !is_readable(repo.at, &branch->oid)) {
        *is_damaged = true;
        e = err_new(ERR_TRANSIENT, "git fetch: the head cannot be read after all its objects came");
    }
    if (!e)
        e = settle(mirror, repo.at, &fetch, out);
    *is_damaged = *is_damaged || (e && !mirror_disk_is_ours(mirror));
    return e;
}

struct err *mirror_fetch_history(struct mirror *mirror, int64_t deadline_ms)
{
    struct mirror_fetched ignored = { 0 };
    bool is_new, is_damaged = false;
    TRY(mirror_disk_prepare(mirror, &is_new));
    MIRROR_REPO(repo);
    TRY(mirror_repo_open(mirror, &repo));
    struct fetch fetch = follow_all(mirror, DEPTH_HISTORY);
    struct err *e = is_new ? NULL : get_objects(&repo, &fetch, deadline_ms, &is_damaged, &ignored);
    if (is_damaged)
        mirror_disk_suspect(mirror);
    return e;
}

struct err *mirror_fetch_locked(struct mirror *mirror, int64_t deadline_ms,
                                struct mirror_fetched *out)
{
    struct err *e = NULL;
    bool is_damaged = true;
    for (int attempt = 0; is_damaged && attempt < 2; attempt++) {
        bool is_new;
        err_free(e);
        is_damaged = false;
        *out = (struct mirror_fetched){ 0 };
        TRY(mirror_disk_prepare(mirror, &is_new));
        mirror->has_fetched = mirror->has_fetched && !is_new;
        e = fetch_once(mirror, deadline_ms, &is_damaged, out);
        if (is_damaged)
            mirror_disk_suspect(mirror);
    }
    mirror->has_fetched = mirror->has_fetched || !e;
    if (!e)
        err_free(mirror_tidy(mirror)); /* housekeeping: it is tried again */
    return e;
}

struct err *mirror_fetch(struct mirror *mirror, int64_t deadline_ms, struct mirror_fetched *out)
{
    *out = (struct mirror_fetched){ 0 };
    (void)pthread_mutex_lock(&mirror->writing);
    struct err *e = mirror_fetch_locked(mirror, deadline_ms, out);
    (void)pthread_mutex_unlock(&mirror->writing);
    return e;
}
