#include "git/hostkeys.h"

#include <string.h>

#include "base/hash.h"
#include "base/sbuf.h"
#include "base/vec.h"
#include "io/child.h"
#include "io/stream.h"

#define KEYS_MAX    32
#define SCAN_LIMIT  ((size_t)64 << 10)
#define ADVICE_MAX  ((size_t)64 << 10)
#define TYPE_CHARS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-@."
#define BLANKS      " \t\r"
#define SCAN_MS     8000
#define SCAN_WAIT_S "4" /* for one connection: ssh-keyscan makes them side by side */

/* The next word of a line, "" at its end. */
static const char *next_word(struct arena *mem, const char **at, const char *end)
{
    while (*at < end && strchr(BLANKS, **at))
        ++*at;
    const char *from = *at;
    while (*at < end && !strchr(BLANKS, **at))
        ++*at;
    return arena_strndup(mem, from, (size_t)(*at - from));
}

/* base64 without padding, as ssh writes digests. */
static const char *fingerprint_of(struct arena *mem, const unsigned char *blob, size_t len)
{
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(blob, len, digest);
    const char *text = hash_base64(mem, digest, sizeof(digest));
    return arena_printf(mem, "SHA256:%.*s", (int)strcspn(text, "="), text);
}

static void parse_line(struct arena *mem, const char *at, const char *end, struct hostkeys *out)
{
    struct hostkey key = { .host = next_word(mem, &at, end) };
    if (!*key.host || *key.host == '#' || *key.host == '@')
        return;
    key.type = next_word(mem, &at, end);
    key.key = next_word(mem, &at, end);
    if (!*key.type || key.type[strspn(key.type, TYPE_CHARS)] || !*key.key)
        return;
    unsigned char *blob;
    size_t blob_len;
    SCOPED(err_free)
    struct err *no_key = hash_base64_parse(mem, key.key, strlen(key.key), &blob, &blob_len);
    if (no_key)
        return;
    key.fingerprint = fingerprint_of(mem, blob, blob_len);
    *vec_push(mem, out) = key;
}

void hostkeys_parse(struct arena *mem, const char *text, size_t len, struct hostkeys *out)
{
    const char *end = text + len;
    while (text < end && out->len < KEYS_MAX) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end;
        if (!memchr(text, 0, (size_t)(line_end - text)))
            parse_line(mem, text, line_end, out);
        text = line_end + 1;
    }
}

struct err *hostkeys_scan(struct arena *mem, const struct hostkeys_question *question,
                          struct hostkeys *out)
{
    const char *const argv[] = {
        "ssh-keyscan", "-T",           SCAN_WAIT_S, "-p", question->port ? question->port : "22",
        "--",          question->host, NULL
    };
    int64_t latest = stream_now_ms() + SCAN_MS;
    struct child_spec spec = { .argv = argv,
                               .env = question->env,
                               .deadline_ms = MIN_OF(latest, question->deadline_ms) };
    struct child_io io = { .out_limit = SCAN_LIMIT, .err_limit = 1024 };
    struct child_output output;
    TRY(err_wrap(child_run(mem, &spec, &io, &output), "run ssh-keyscan"));
    hostkeys_parse(mem, output.out, output.out_len, out);
    if (!out->len)
        return err_new(ERR_NOT_FOUND, "ssh-keyscan: %s shows no host key", question->host);
    return NULL;
}

const char *hostkeys_advice(struct arena *mem, const struct hostkeys *keys, const char *file)
{
    SBUF(text, ADVICE_MAX);
    sbuf_add(&text, "The server offers these host keys (compare the fingerprints with those its "
                    "owner publishes):\n");
    for (size_t i = 0; i < keys->len; i++)
        sbuf_addf(&text, "  %s %s\n", keys->at[i].type, keys->at[i].fingerprint);
    sbuf_addf(&text, "To trust one of them, add its line to %s:\n", file ? file : "known_hosts");
    for (size_t i = 0; i < keys->len; i++)
        sbuf_addf(&text, "  %s %s %s\n", keys->at[i].host, keys->at[i].type, keys->at[i].key);
    return arena_strdup(mem, sbuf_text(&text));
}
