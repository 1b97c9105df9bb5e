#include "git/deploykey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "io/child.h"
#include "io/stream.h"

#define KEYGEN_MS      60000 /* a long RSA key on a slow machine */
#define OUTPUT_LIMIT   ((size_t)64 << 10)
#define KEY_FILE_LIMIT ((off_t)64 << 10)

/* Runs ssh-keygen; what it says on stderr explains a failure (it never prints a private key there). */
MUST_USE static struct err *run_keygen(struct arena *mem, const char *const *argv,
                                       const char *input, const char **out)
{
    struct child_spec spec = { .argv = argv, .deadline_ms = stream_now_ms() + KEYGEN_MS };
    struct child_io io = { .input = input,
                           .input_len = input ? strlen(input) : 0,
                           .out_limit = OUTPUT_LIMIT,
                           .err_limit = 4096 };
    struct child_output output;
    struct err *e = child_run(mem, &spec, &io, &output);
    if (e)
        return err_wrap(e, "run ssh-keygen");
    if (output.exit_status) {
        size_t len = strcspn(output.err, "\r\n");
        return err_new(ERR_INVALID, "ssh-keygen: %.*s (exit status %d)", (int)len, output.err,
                       output.exit_status);
    }
    *out = output.out;
    return NULL;
}

/* -- making ------------------------------------------------------------------------------------------------------- */

struct arguments {
    const char **at;
    size_t len, cap;
};

static void push_option(struct arena *mem, struct arguments *argv, const char *option,
                        const char *value)
{
    if (!value || !*value)
        return;
    *vec_push(mem, argv) = option;
    *vec_push(mem, argv) = value;
}

MUST_USE static struct err *place(const char *from, const char *to, mode_t mode)
{
    if (chmod(from, mode))
        return err_errno(ERR_DENIED, errno, "set the mode of %s", from);
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd)) { /* a key that is announced and then lost locks us out */
        int why = errno;
        if (fd >= 0)
            (void)close(fd);
        return err_errno(ERR_TRANSIENT, why, "write %s", from);
    }
    (void)close(fd);
    return rename(from, to) ? err_errno(ERR_DENIED, errno, "rename to %s", to) : NULL;
}

MUST_USE static struct err *generate_in(struct arena *mem, const char *dir, const char *work,
                                        const struct deploykey_opts *opts)
{
    const char *file = arena_printf(mem, "%s/identity", work);
    struct arguments argv = { 0 };
    const char *const fixed[] = { "ssh-keygen", "-q", "-N", "", "-f", file };
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        *vec_push(mem, &argv) = fixed[i];
    push_option(mem, &argv, "-t", opts->type && *opts->type ? opts->type : "ed25519");
    push_option(mem, &argv, "-b", opts->bits);
    push_option(mem, &argv, "-m", opts->format);
    push_option(mem, &argv, "-C", opts->comment && *opts->comment ? opts->comment : "flux");
    *vec_push(mem, &argv) = NULL;
    const char *out = "";
    TRY(run_keygen(mem, argv.at, NULL, &out));
    TRY(place(arena_printf(mem, "%s.pub", file), arena_printf(mem, "%s/identity.pub", dir), 0444));
    return place(file, arena_printf(mem, "%s/identity", dir), 0400);
}

struct err *deploykey_generate(const char *dir, const struct deploykey_opts *opts)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (mkdir(dir, 0700) && errno != EEXIST)
        return err_errno(ERR_DENIED, errno, "make directory %s for the deploy key", dir);
    char *work = arena_printf(mem, "%s/.keygen-XXXXXX", dir);
    if (!mkdtemp(work))
        return err_errno(ERR_DENIED, errno, "make a directory in %s for the deploy key", dir);
    struct err *e = generate_in(mem, dir, work, opts);
    (void)unlink(arena_printf(mem, "%s/identity", work));
    (void)unlink(arena_printf(mem, "%s/identity.pub", work));
    (void)rmdir(work);
    return err_wrap(e, "generate a deploy key in %s", dir);
}

/* -- reading ------------------------------------------------------------------------------------------------------ */

/* ssh refuses a private key of its user's own that others may read. One of somebody else's it reads as it is: so a Secret is mounted
 * in a pod that is not root (root's file, 0440, for the group of the pod). */
MUST_USE static struct err *check_mode(const char *file)
{
    struct stat info;
    if (stat(file, &info))
        return err_errno(errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_DENIED, errno,
                         "read deploy key %s", file);
    if (!S_ISREG(info.st_mode) || info.st_size > KEY_FILE_LIMIT)
        return err_new(ERR_INVALID, "read deploy key %s: not a key file", file);
    if (!(info.st_mode & 0077) || info.st_uid != geteuid() || !chmod(file, 0400))
        return NULL;
    return err_errno(
        ERR_DENIED, errno,
        "failed to chmod identity file: %s has mode %04o, ssh accepts no key that others may "
        "read (set defaultMode 0400 on the volume)",
        file, info.st_mode & 07777u);
}

/* "256 SHA256:… comment (ED25519)" and the random art below it. */
MUST_USE static struct err *parse_fingerprint(struct arena *mem, const char *text,
                                              const char **hash, const char **art)
{
    size_t line = strcspn(text, "\n");
    size_t bits = strspn(text, "0123456789");
    const char *colon = memchr(text, ':', line);
    if (!bits || bits >= line || text[bits] != ' ' || !colon || !text[line])
        return err_new(ERR_INVALID, "ssh-keygen printed no fingerprint");
    *hash = arena_strndup(mem, colon + 1, strcspn(colon + 1, " \n"));
    *art = arena_strdup(mem, text + line + 1);
    return NULL;
}

MUST_USE static struct err *read_fingerprint(struct arena *mem, const char *public_line,
                                             const char *kind, const char **hash, const char **art)
{
    /* From the public half that belongs to the private key, not from a file beside it. */
    const char *const argv[] = { "ssh-keygen", "-l", "-v", "-E", kind, "-f", "-", NULL };
    const char *out = "";
    TRY(run_keygen(mem, argv, public_line, &out));
    return parse_fingerprint(mem, out, hash, art);
}

struct err *deploykey_read(struct arena *mem, const char *file, struct deploykey *out)
{
    *out = (struct deploykey){ 0 };
    TRY(check_mode(file));
    const char *const argv[] = { "ssh-keygen", "-y", "-P", "", "-f", file, NULL };
    struct err *e = run_keygen(mem, argv, NULL, &out->public_line);
    if (!e)
        e = read_fingerprint(mem, out->public_line, "md5", &out->md5_hash, &out->md5_art);
    if (!e)
        e = read_fingerprint(mem, out->public_line, "sha256", &out->sha256_hash, &out->sha256_art);
    return err_wrap(e, "read deploy key %s", file);
}
