#include "sync/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "doc/json.h"
#include "doc/val.h"

#define KEY_BYTES_MAX ((size_t)64 << 10)
#define LINK_NAME \
    ".serin-identity" /* leads to the key in use: ssh is told this path, whatever becomes of the key */

enum task {
    TASK_LOOK, /* is there a key file? */
    TASK_KEEP, /* write the key that the Secret holds */
    TASK_MAKE, /* a new key, beside the one in use */
    TASK_PLACE /* the new key takes its place */
};

/* What a worker is given and brings back. */
struct job {
    struct arena *mem;
    const struct identity_opts *opts; /* never change */
    enum task task;
    const char *private_text, *public_text; /* KEEP: given. MAKE: brought */
    const char *fresh; /* MAKE: brought, PLACE: given: directory of the new key */
    const char *file;  /* the key in use now; NULL: none was found */
    struct deploykey key;
    struct err *err;
    struct identity *identity;
};

struct waiter {
    struct waiter *next;
    identity_done done;
    void *ctx;
};

struct identity {
    struct arena *mem;
    struct identity_opts opts;
    const char *link;
    struct arena *key_mem; /* of the key in use; NULL: none yet */
    struct deploykey key;
    struct waiter *waiters;
    struct job *job; /* on a worker, or waiting for the API server's answer */
    ticket request;
};

/* -- on a worker ------------------------------------------------------------------------------------ */

MUST_USE static struct err *write_key(const char *file, const char *text, mode_t mode)
{
    size_t len = strlen(text);
    (void)unlink(file);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    bool is_written = fd >= 0 && write(fd, text, len) == (ssize_t)len && !fsync(fd);
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    return is_written ? NULL : err_errno(ERR_DENIED, why, "write deploy key %s", file);
}

MUST_USE static struct err *read_text(struct arena *mem, const char *file, const char **out)
{
    char *text = arena_alloc(mem, KEY_BYTES_MAX + 1);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, KEY_BYTES_MAX) : -1;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    *out = text;
    return got >= 0 ? NULL : err_errno(ERR_DENIED, why, "read %s", file);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat left, right;
    return !stat(a, &left) && !stat(b, &right) && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

static const char *key_path(struct job *job)
{
    return arena_printf(job->mem, "%s/%s", job->opts->dir, job->opts->name);
}

MUST_USE static struct err *make_dir(const char *dir)
{
    SCOPED(arena_free) struct arena *mem = arena_new(KEY_BYTES_MAX);
    char *path = arena_strdup(mem, dir);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0755); /* what cannot be made is told by the last one */
        *slash = '/';
    }
    if (mkdir(dir, 0700) && errno != EEXIST)
        return err_errno(ERR_DENIED, errno, "make %s", dir);
    return NULL;
}

/* A link's target is read from where the link is. */
static const char *absolute(struct arena *mem, const char *file)
{
    char here[4096];
    if (*file == '/' || !getcwd(here, sizeof(here)))
        return file;
    return arena_printf(mem, "%s/%s", here, file);
}

/* Points the link at the key, by rename, so that ssh never finds it missing. */
MUST_USE static struct err *use(struct job *job, const char *file)
{
    const char *link = arena_printf(job->mem, "%s/" LINK_NAME, job->opts->link_dir);
    const char *next = arena_printf(job->mem, "%s.new", link);
    job->file = file;
    TRY(deploykey_read(job->mem, file, &job->key));
    if (is_same_file(link, file))
        return NULL;
    TRY(make_dir(job->opts->link_dir));
    (void)unlink(next);
    if (symlink(absolute(job->mem, file), next) || rename(next, link))
        return err_errno(ERR_DENIED, errno, "link %s to the deploy key", link);
    return NULL;
}

MUST_USE static struct err *look(struct job *job)
{
    const char *const places[] = { job->opts->mounted, key_path(job) };
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct stat info;
        if (places[i] && !stat(places[i], &info))
            return use(job, places[i]);
    }
    return NULL;
}

MUST_USE static struct err *keep(struct job *job)
{
    const char *file = key_path(job);
    TRY(make_dir(job->opts->dir));
    TRY(write_key(file, job->private_text, 0400));
    if (job->public_text)
        TRY(write_key(arena_printf(job->mem, "%s.pub", file), job->public_text, 0444));
    return use(job, file);
}

MUST_USE static struct err *make(struct job *job)
{
    char *fresh = arena_printf(job->mem, "%s/.serin-key-XXXXXX", job->opts->dir);
    TRY(make_dir(job->opts->dir));
    if (!mkdtemp(fresh))
        return err_errno(
            ERR_DENIED, errno,
            "write to %s (--ssh-keygen-dir has to name a directory that can be written)",
            job->opts->dir);
    job->fresh = fresh;
    TRY(deploykey_generate(fresh, &job->opts->keygen));
    TRY(read_text(job->mem, arena_printf(job->mem, "%s/identity", fresh), &job->private_text));
    return read_text(job->mem, arena_printf(job->mem, "%s/identity.pub", fresh), &job->public_text);
}

MUST_USE static struct err *place(struct job *job)
{
    const char *file = key_path(job);
    const char *private_file = arena_printf(job->mem, "%s/identity", job->fresh);
    const char *public_file = arena_printf(job->mem, "%s/identity.pub", job->fresh);
    if (rename(public_file, arena_printf(job->mem, "%s.pub", file)) || rename(private_file, file))
        return err_errno(ERR_DENIED, errno, "write deploy key %s", file);
    return use(job, file);
}

/* A new key that is not to be used, or has been moved to its place, leaves nothing behind. */
static void forget_fresh(struct job *job)
{
    if (!job->fresh)
        return;
    (void)unlink(arena_printf(job->mem, "%s/identity", job->fresh));
    (void)unlink(arena_printf(job->mem, "%s/identity.pub", job->fresh));
    (void)rmdir(job->fresh);
    job->fresh = NULL;
}

static void on_worker(void *at)
{
    struct job *job = at;
    switch (job->task) {
    case TASK_LOOK: job->err = look(job); break;
    case TASK_KEEP: job->err = keep(job); break;
    case TASK_MAKE: job->err = make(job); break;
    case TASK_PLACE: job->err = place(job); break;
    }
    if (job->err || job->task == TASK_PLACE)
        forget_fresh(job);
}

/* -- on the loop -------------------------------------------------------------------------------------- */

static void on_task_done(void *at);

static void start_task(struct identity *identity, enum task task)
{
    identity->job->task = task;
    worker_start(identity->opts.workers, on_worker, on_task_done, identity->job);
}

static void free_job(struct identity *identity)
{
    struct job *job = STEAL(identity->job);
    if (!job)
        return;
    forget_fresh(job);
    err_free(job->err);
    arena_free(job->mem);
}

static void log_key(const struct identity *identity, const char *file)
{
    const char *line = identity->key.public_line;
    SCOPED(arena_free) struct arena *mem = arena_new(KEY_BYTES_MAX);
    log_info(identity->opts.log, F("component", "cluster"), F("identity", file));
    log_info(identity->opts.log, F("component", "cluster"),
             F("identity.pub", arena_strndup(mem, line, strcspn(line, "\r\n"))));
}

static void adopt(struct identity *identity, const struct job *job)
{
    arena_free(identity->key_mem);
    struct arena *mem = identity->key_mem = arena_new(KEY_BYTES_MAX * 4);
    identity->key = (struct deploykey){
        .public_line = arena_strdup(mem, job->key.public_line),
        .md5_hash = arena_strdup(mem, job->key.md5_hash),
        .md5_art = arena_strdup(mem, job->key.md5_art),
        .sha256_hash = arena_strdup(mem, job->key.sha256_hash),
        .sha256_art = arena_strdup(mem, job->key.sha256_art),
    };
    log_key(identity, job->file);
}

/* The one way out: success if e is NULL. */
static void finish(struct identity *identity, struct err *e)
{
    struct waiter *waiters = STEAL(identity->waiters);
    if (!e)
        adopt(identity, identity->job);
    free_job(identity);
    while (waiters) {
        struct waiter *waiter = waiters;
        waiters = waiter->next;
        waiter->done(waiter->ctx, e);
        free(waiter);
    }
    err_free(e);
}

static const char *secret_path(struct identity *identity)
{
    return arena_printf(identity->job->mem, "/api/v1/namespaces/%s/secrets/%s", identity->opts.ns,
                        identity->opts.secret_name);
}

MUST_USE static struct err *word_secret(const struct identity *identity, const char *what,
                                        const struct err *cause)
{
    const struct identity_opts *opts = &identity->opts;
    struct err *e = err_wrap(err_copy(cause), "%s the deploy key in Secret %s/%s", what, opts->ns,
                             opts->secret_name);
    if (!err_is(e, ERR_NOT_FOUND))
        return e;
    err_free(e);
    return err_new(ERR_NOT_FOUND,
                   "%s the deploy key: there is no Secret %s in namespace %s; make an empty one: "
                   "kubectl -n %s create secret generic %s",
                   what, opts->secret_name, opts->ns, opts->ns, opts->secret_name);
}

static void on_stored(void *ctx, const struct kube_result *result)
{
    struct identity *identity = ctx;
    identity->request = 0;
    if (result->err)
        finish(identity, word_secret(identity, "store", result->err));
    else
        start_task(identity, TASK_PLACE);
}

/* The keys of the Secret are fixed, whatever the file in the volume is called. */
static void store(struct identity *identity)
{
    struct job *job = identity->job;
    struct val *patch = val_new_map(job->mem), *data = val_new_map(job->mem);
    val_set_text(job->mem, data, "identity",
                 hash_base64(job->mem, job->private_text, strlen(job->private_text)));
    val_set_text(job->mem, data, "identity.pub",
                 hash_base64(job->mem, job->public_text, strlen(job->public_text)));
    val_set(job->mem, patch, "data", data);
    size_t len;
    struct kube_request request = { .method = "PATCH",
                                    .path = secret_path(identity),
                                    .query = "fieldManager=serin",
                                    .content_type = "application/merge-patch+json",
                                    .is_urgent = true };
    request.body = val_json(job->mem, patch, &len);
    request.body_len = len;
    identity->request = kube_start(identity->opts.kube, &request, on_stored, identity);
}

/* The private key that the Secret holds, under either name it may have there. */
static const char *find_text(struct job *job, const struct val *data, const char *name)
{
    const char *encoded = val_text(val_get(data, name));
    unsigned char *bytes = NULL;
    size_t len = 0;
    if (!encoded)
        return NULL;
    SCOPED(err_free)
    struct err *e = hash_base64_parse(job->mem, encoded, strlen(encoded), &bytes, &len);
    bool is_text = !e && len && len < KEY_BYTES_MAX && !memchr(bytes, 0, len);
    return is_text ? arena_strndup(job->mem, (const char *)bytes, len) : NULL;
}

static void on_secret(void *ctx, const struct kube_result *result)
{
    struct identity *identity = ctx;
    struct job *job = identity->job;
    struct val *secret = NULL;
    identity->request = 0;
    /* Who may not read the Secret may still be allowed to write it. */
    if (result->err && !err_is(result->err, ERR_DENIED)) {
        finish(identity, word_secret(identity, "look for", result->err));
        return;
    }
    struct err *e =
        result->err ? NULL : doc_json_parse(job->mem, result->body, result->body_len, &secret);
    if (e) {
        finish(identity,
               err_wrap(e, "read Secret %s/%s", identity->opts.ns, identity->opts.secret_name));
        return;
    }
    const struct val *data = val_get(secret, "data");
    job->private_text = find_text(job, data, identity->opts.name);
    if (!job->private_text)
        job->private_text = find_text(job, data, "identity");
    job->public_text = find_text(job, data, "identity.pub");
    start_task(identity, job->private_text ? TASK_KEEP : TASK_MAKE);
}

static void ask_secret(struct identity *identity)
{
    struct kube_request request = { .method = "GET",
                                    .path = secret_path(identity),
                                    .is_urgent = true };
    identity->request = kube_start(identity->opts.kube, &request, on_secret, identity);
}

static void on_task_done(void *at)
{
    struct job *job = at;
    struct identity *identity = job->identity;
    if (job->err)
        finish(identity, STEAL(job->err));
    else if (job->task == TASK_LOOK && !job->file)
        identity->opts.kube ? ask_secret(identity) : start_task(identity, TASK_MAKE);
    else if (job->task == TASK_MAKE)
        identity->opts.kube ? store(identity) : start_task(identity, TASK_PLACE);
    else
        finish(identity, NULL);
}

/* -- the outside ----------------------------------------------------------------------------------------- */

static void add_waiter(struct identity *identity, struct waiter waiter)
{
    struct waiter *waits = base_alloc(sizeof(*waits));
    *waits = waiter;
    waits->next = identity->waiters;
    identity->waiters = waits;
}

static void begin(struct identity *identity, enum task first, struct waiter waiter)
{
    add_waiter(identity, waiter);
    if (identity->job)
        return;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    identity->job = arena_alloc(mem, sizeof(*identity->job));
    identity->job->mem = mem;
    identity->job->opts = &identity->opts;
    identity->job->identity = identity;
    start_task(identity, first);
}

void identity_start(struct identity *identity, identity_done done, void *ctx)
{
    begin(identity, TASK_LOOK, (struct waiter){ .done = done, .ctx = ctx });
}

void identity_regenerate(struct identity *identity, identity_done done, void *ctx)
{
    begin(identity, TASK_MAKE, (struct waiter){ .done = done, .ctx = ctx });
}

bool identity_await(struct identity *identity, identity_done done, void *ctx)
{
    if (!identity->job)
        return false;
    add_waiter(identity, (struct waiter){ .done = done, .ctx = ctx });
    return true;
}

const char *identity_file(const struct identity *identity)
{
    return identity->link;
}

bool identity_key(const struct identity *identity, struct deploykey *out)
{
    if (identity->key_mem)
        *out = identity->key;
    return identity->key_mem != NULL;
}

struct identity *identity_new(const struct identity_opts *opts)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct identity *identity = arena_alloc(mem, sizeof(*identity));
    *identity = (struct identity){ .mem = mem, .opts = *opts };
    const char **const texts[] = {
        &identity->opts.ns,
        &identity->opts.secret_name,
        &identity->opts.mounted,
        &identity->opts.dir,
        &identity->opts.name,
        &identity->opts.link_dir,
        &identity->opts.keygen.type,
        &identity->opts.keygen.bits,
        &identity->opts.keygen.format,
        &identity->opts.keygen.comment,
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = arena_strdup(mem, *texts[i]);
    if (!opts->link_dir)
        identity->opts.link_dir = identity->opts.dir;
    identity->link = arena_printf(mem, "%s/" LINK_NAME, identity->opts.link_dir);
    return identity;
}

void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    if (identity->request)
        kube_cancel(identity->opts.kube, identity->request);
    free_job(identity);
    for (struct waiter *next; identity->waiters; identity->waiters = next) {
        next = identity->waiters->next;
        free(identity->waiters);
    }
    arena_free(identity->key_mem);
    arena_free(identity->mem);
}
