#include "sync/reveal.h"

#include <stdlib.h>
#include <string.h>

#include "io/stream.h"
#include "sync/reveal_parts.h"

enum {
    TIMEOUT_DEFAULT_MS = 60 * 1000,
    LIMIT_LEAST_MS = 2000, /* however many programs gave no answer */
    SECOND_MS = 1000,
    CPU_PER_SECOND = 4,
    PROCESSES_MAX = 4096,
    SOPS_NO_KEY = 128, /* exit status of sops: no key could be got */
    SOPS_BAD_MAC = 51,
    SOPS_NO_MAC = 52,
};
#define ERRORS_BYTES ((size_t)16 << 10)
#define MEMORY_BYTES ((size_t)1 << 30)

struct reveal *reveal_new(struct arena *mem, const struct reveal_settings *settings,
                          const struct reveal_source *source)
{
    struct reveal *reveal = arena_alloc(mem, sizeof(*reveal));
    reveal->mem = mem;
    if (settings)
        reveal->settings = *settings;
    reveal->source = *source;
    reveal->revealed = map_new_in(mem);
    reveal->decrypted = map_new_in(mem);
    int64_t timeout_ms = reveal->settings.timeout_ms;
    reveal->limit_ms = timeout_ms > 0 ? timeout_ms : TIMEOUT_DEFAULT_MS;
    return reveal;
}

/* -- programs -------------------------------------------------------------------------------------- */

/* Hundreds of files whose key server is away must not hold up a run for hours. */
static struct err *give_up(struct reveal *reveal, const char *name)
{
    struct err *e =
        err_new(ERR_TRANSIENT, "%s gave no answer in %lld ms", name, (long long)reveal->limit_ms);
    reveal->limit_ms = MIN_OF(reveal->limit_ms, MAX_OF(reveal->limit_ms / 2, LIMIT_LEAST_MS));
    return e;
}

struct err *reveal_execute(struct reveal *reveal, struct arena *mem,
                           const struct reveal_program *program, struct child_output *out)
{
    int64_t deadline_ms = stream_now_ms() + reveal->limit_ms;
    const struct child_sandbox sandbox = { .no_network = !program->needs_network,
                                           .network_if_refused = true,
                                           .cpu_s =
                                               CPU_PER_SECOND * (reveal->limit_ms / SECOND_MS + 1),
                                           .memory_bytes = MEMORY_BYTES,
                                           .file_bytes = REVEAL_FILE_BYTES,
                                           .processes = PROCESSES_MAX };
    const struct child_spec spec = { .argv = program->argv,
                                     .env = program->env,
                                     .cwd = program->cwd,
                                     .deadline_ms = deadline_ms,
                                     .sandbox = &sandbox };
    const struct child_io io = { .input = program->input,
                                 .input_len = program->input_len,
                                 .out_limit = REVEAL_FILE_BYTES,
                                 .err_limit = ERRORS_BYTES };
    struct err *e = child_run(mem, &spec, &io, out);
    if (err_is(e, ERR_TRANSIENT) && stream_now_ms() >= deadline_ms) {
        err_free(e);
        return give_up(reveal, program->name);
    }
    if (err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        return err_new(ERR_NOT_FOUND,
                       "there is no program %s on the PATH of serin: install it beside serin",
                       program->name);
    }
    if (e || !out->exit_status)
        return e;
    const char *said = encrypted_brief(mem, out->err);
    return err_new(ERR_DENIED, "%s failed with exit status %d: %s", program->name, out->exit_status,
                   *said ? said : "it did not say why");
}

/* -- SOPS ------------------------------------------------------------------------------------------ */

/* As sops numbers its failures: what is wrong with the file stays so until the file changes. */
static struct err *judge_sops(struct err *e, int exit_status)
{
    if (!err_is(e, ERR_DENIED) ||
        (exit_status != SOPS_NO_KEY && exit_status != SOPS_BAD_MAC && exit_status != SOPS_NO_MAC))
        return e;
    enum err_kind kind = exit_status == SOPS_NO_KEY ? ERR_TRANSIENT : ERR_INVALID;
    struct err *judged = err_new(kind, "%s", err_text(e));
    err_free(e);
    return judged;
}

static struct err *run_sops(struct reveal *reveal, struct arena *mem, struct reveal_text *text)
{
    static const char *const argv[] = { "sops",          "--decrypt", "--input-type", "yaml",
                                        "--output-type", "yaml",      "/dev/stdin",   NULL };
    const struct reveal_program program = { .name = "sops",
                                            .argv = argv,
                                            .input = text->text,
                                            .input_len = text->len,
                                            .needs_network = true };
    struct child_output output = { 0 };
    struct err *e = reveal_execute(reveal, mem, &program, &output);
    TRY(judge_sops(e, output.exit_status));
    if (!output.out_len)
        return err_new(ERR_INVALID, "sops made nothing of it");
    text->text = output.out;
    text->len = output.out_len;
    return NULL;
}

static void keep(struct reveal *reveal, const struct reveal_text *text)
{
    if (!text->oid || text->len > REVEAL_SOPS_BYTES - reveal->kept[1])
        return;
    struct reveal_kept *kept = arena_alloc(reveal->mem, sizeof(*kept));
    *kept = (struct reveal_kept){ .text = arena_strndup(reveal->mem, text->text, text->len),
                                  .len = text->len };
    reveal->kept[1] += text->len;
    map_set(reveal->decrypted, text->oid, kept);
}

struct err *reveal_decrypt(struct reveal *reveal, struct arena *mem, struct reveal_text *text)
{
    const struct reveal_kept *known = text->oid ? map_get(reveal->decrypted, text->oid) : NULL;
    if (!known && !encrypted_is_sops(text->text, text->len))
        return NULL;
    text->was_encrypted = true;
    if (!reveal->settings.sops)
        return err_new(ERR_INVALID, "encrypted with SOPS: start serin with --sops");
    if (known) {
        text->text = known->text;
        text->len = known->len;
        return NULL;
    }
    TRY(err_wrap(run_sops(reveal, mem, text), "encrypted with SOPS, and cannot be decrypted"));
    keep(reveal, text);
    return NULL;
}

/* -- reading --------------------------------------------------------------------------------------- */

void reveal_prepare(struct reveal *reveal, const struct files_list *files)
{
    struct files_list ours = { 0 };
    for (size_t i = 0; i < files->len; i++) {
        if (files->at[i].mode == ENCRYPTED_MODE)
            *vec_push(reveal->mem, &ours) = files->at[i];
    }
    if (ours.len)
        reveal_git_run(reveal, &ours);
}

static struct err *read_revealed(const struct reveal *reveal, const struct files_entry *entry,
                                 struct reveal_text *out)
{
    const struct reveal_kept *kept = map_get(reveal->revealed, entry->path);
    out->was_encrypted = true;
    if (!kept)
        return err_new(ERR_TRANSIENT, "not revealed yet");
    if (kept->why)
        return err_new(kept->kind, "encrypted with git-secret, and cannot be revealed: %s",
                       kept->why);
    out->text = kept->text;
    out->len = kept->len;
    return NULL;
}

struct err *reveal_read(struct reveal *reveal, struct arena *mem, const struct files_entry *entry,
                        struct reveal_text *out)
{
    *out = (struct reveal_text){ .oid = entry->oid, .text = "" };
    const struct mirror_entry where = { entry->path, entry->oid, entry->mode };
    if (entry->mode == ENCRYPTED_MODE)
        TRY(read_revealed(reveal, entry, out));
    else
        TRY(mirror_read(reveal->source.mirror, mem, reveal->source.rev, &where, REVEAL_FILE_BYTES,
                        &out->text, &out->len));
    return reveal_decrypt(reveal, mem, out);
}
