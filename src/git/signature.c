#include "git/signature.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "base/vec.h"
#include "io/child.h"

#define STATUS_LIMIT ((size_t)256 << 10)
#define RING_LIMIT   ((size_t)16 << 20) /* a listing of every key */
#define STATUS       "[GNUPG:] "

struct arguments {
    const char **at;
    size_t len, cap;
};

struct gpg_run {
    const char *const *args; /* behind the ones every run has; NULL-terminated */
    const void *input;
    size_t input_len, out_limit;
};

MUST_USE static struct err *run_gpg(struct arena *mem, const struct signature_ring *ring,
                                    const struct gpg_run *run, struct child_output *out)
{
    struct arguments argv = { 0 };
    const char *const fixed[] = { "gpg", "--batch", "--no-tty", "--quiet" };
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        *vec_push(mem, &argv) = fixed[i];
    if (ring->home) {
        *vec_push(mem, &argv) = "--homedir";
        *vec_push(mem, &argv) = ring->home;
    }
    for (size_t i = 0; run->args[i]; i++)
        *vec_push(mem, &argv) = run->args[i];
    *vec_push(mem, &argv) = NULL;
    struct child_spec spec = { .argv = argv.at,
                               .env = ring->env,
                               .deadline_ms = ring->deadline_ms };
    struct child_io io = { .input = run->input,
                           .input_len = run->input_len,
                           .out_limit = run->out_limit,
                           .err_limit = 4096 };
    return err_wrap(child_run(mem, &spec, &io, out), "run gpg");
}

/* -- status lines --------------------------------------------------------------------------------------------------- */

// clang-format off
static const struct status_word {
    const char *word;
    char letter;     /* 0: says nothing of the signature itself */
    bool is_dubious; /* the key is not known to belong to whom it names */
} status_words[] = {
    { "GOODSIG ",   'G', false }, { "BADSIG ",    'B', false }, { "ERRSIG ",    'E', false },
    { "EXPSIG ",    'X', false }, { "EXPKEYSIG ", 'Y', false }, { "REVKEYSIG ", 'R', false },
    { "TRUST_UNDEFINED", 0, true }, { "TRUST_NEVER", 0, true },
};
// clang-format on

static const struct status_word *find_word(const char *at, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(status_words); i++) {
        size_t word_len = strlen(status_words[i].word);
        if (len >= word_len && !memcmp(at, status_words[i].word, word_len))
            return &status_words[i];
    }
    return NULL;
}

static size_t word_length(const char *at, const char *end)
{
    size_t len = 0;
    while (at + len < end && at[len] != ' ' && at[len] != '\r')
        len++;
    return len;
}

void signature_parse_status(struct arena *mem, const char *text, size_t len,
                            struct signature_verdict *out)
{
    *out = (struct signature_verdict){ .letter = 'E', .key = "" };
    int verdicts = 0;
    bool is_dubious = false;
    for (const char *end = text + len, *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end;
        next = line_end + 1;
        size_t line_len = (size_t)(line_end - text);
        if (line_len <= strlen(STATUS) || memcmp(text, STATUS, strlen(STATUS)) != 0)
            continue;
        const char *at = text + strlen(STATUS);
        const struct status_word *word = find_word(at, (size_t)(line_end - at));
        if (!word)
            continue;
        is_dubious = is_dubious || word->is_dubious;
        if (!word->letter)
            continue;
        at += strlen(word->word);
        out->letter = word->letter;
        out->key = arena_strndup(mem, at, word_length(at, line_end));
        verdicts++;
    }
    if (verdicts > 1)
        out->letter = 'E';
    else if (out->letter == 'G' && is_dubious)
        out->letter = 'U';
}

/* -- signing and checking --------------------------------------------------------------------------------------------- */

struct err *signature_make(struct arena *mem, const struct signature_ring *ring, const char *key,
                           struct signature_text payload, const char **out)
{
    const char *const args[] = { "--status-fd=2", "-bsau", key, NULL };
    struct gpg_run run = { args, payload.bytes, payload.len, STATUS_LIMIT };
    struct child_output output;
    TRY(run_gpg(mem, ring, &run, &output));
    if (output.exit_status || !strstr(output.err, STATUS "SIG_CREATED ") || !output.out_len) {
        const char *said = strstr(output.err, "gpg: ");
        said = said ? said : "no signature came";
        return err_new(ERR_DENIED, "gpg failed to sign the data with key %s: %.*s", key,
                       (int)strcspn(said, "\n"), said);
    }
    *out = output.out;
    return NULL;
}

MUST_USE static struct err *write_scratch(char *path, const char *text)
{
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_errno(ERR_TRANSIENT, errno, "make %s", path);
    size_t len = strlen(text);
    ssize_t done = write(fd, text, len);
    int why = errno;
    bool is_closed = !close(fd);
    if (done == (ssize_t)len && is_closed)
        return NULL;
    (void)unlink(path);
    return err_errno(ERR_TRANSIENT, why, "write %s", path);
}

struct err *signature_check(struct arena *mem, const struct signature_ring *ring,
                            const char *signature, struct signature_text payload,
                            struct signature_verdict *out)
{
    char *file = arena_printf(mem, "%s/signature-XXXXXX", ring->scratch);
    TRY(write_scratch(file, signature));
    const char *const args[] = {
        "--status-fd=1", "--keyid-format=long", "--verify", file, "-", NULL
    };
    struct gpg_run run = { args, payload.bytes, payload.len, STATUS_LIMIT };
    struct child_output output;
    struct err *e = run_gpg(mem, ring, &run, &output);
    (void)unlink(file);
    TRY(e);
    signature_parse_status(mem, output.out, output.out_len, out);
    if (out->letter == 'G' && output.exit_status)
        out->letter = 'E';
    return NULL;
}

/* -- the ring --------------------------------------------------------------------------------------------------------- */

struct err *signature_import(const struct signature_ring *ring, const char *file, size_t *count)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *const args[] = { "--status-fd=1", "--import", "--", file, NULL };
    struct gpg_run run = { args, NULL, 0, STATUS_LIMIT };
    struct child_output output;
    TRY(run_gpg(mem, ring, &run, &output));
    const char *result = strstr(output.out, STATUS "IMPORT_RES ");
    *count = result ? strtoul(result + strlen(STATUS "IMPORT_RES "), NULL, 10) : 0;
    if (!*count)
        return err_new(ERR_INVALID, "gpg --import %s: %.*s", file, (int)strcspn(output.err, "\n"),
                       *output.err ? output.err : "no key in it");
    return NULL;
}

/* "fpr:::::::::FINGERPRINT:" behind a "pub:" line belongs to the key itself, behind "sub:" to a part of it. */
static void add_trust(struct sbuf *out, const char *listing)
{
    bool is_primary = false;
    for (const char *line = listing; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (!strncmp(line, "pub:", 4) || !strncmp(line, "sub:", 4))
            is_primary = *line == 'p';
        if (strncmp(line, "fpr:", 4) != 0 || !is_primary)
            continue;
        const char *at = line + 4 + strspn(line + 4, ":");
        sbuf_add_bytes(out, at, strspn(at, "0123456789ABCDEF"));
        sbuf_add(out, ":6:\n");
    }
}

struct err *signature_trust_all(const struct signature_ring *ring)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *const list[] = { "--with-colons", "--fingerprint", "--list-keys", NULL };
    struct gpg_run listing = { list, NULL, 0, RING_LIMIT };
    struct child_output output;
    TRY(run_gpg(mem, ring, &listing, &output));
    SBUF(trust, RING_LIMIT);
    add_trust(&trust, output.out);
    if (!trust.len)
        return NULL;
    const char *const import[] = { "--import-ownertrust", NULL };
    struct gpg_run run = { import, sbuf_text(&trust), trust.len, STATUS_LIMIT };
    TRY(run_gpg(mem, ring, &run, &output));
    if (output.exit_status)
        return err_new(ERR_DENIED, "gpg --import-ownertrust: %.*s", (int)strcspn(output.err, "\n"),
                       output.err);
    return NULL;
}
