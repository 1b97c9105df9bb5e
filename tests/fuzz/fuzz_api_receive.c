/* Webhooks: a configuration, then a payload that is proven to come from its source, of every kind. Whatever comes is answered, and no
 * answer has the key in it. The first byte says which: 0 a configuration, others a source. */
#include <stdlib.h>
#include <string.h>

#include "api/receive.h"
#include "base/hash.h"

#define KEY "a key of the fuzzer"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct asked {
    struct arena *mem;
    const char *body;
    size_t len;
    enum receive_source source;
};

/* All proofs are right, and the events those that are read. */
static const char *header(const void *ctx, const char *name)
{
    const struct asked *asked = ctx;
    unsigned char out[HASH_SHA256_BYTES];
    static const char *const events[][2] = {
        { "X-GitHub-Event", "push" }, { "X-Gitlab-Event", "Push Hook" },
        { "X-Gitea-Event", "push" },  { "X-Nexus-Webhook-Id", "rm:repository:component" },
        { "X-Gitlab-Token", KEY },    { "Authorization", KEY },
    };
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (!strcmp(events[i][0], name))
            return events[i][1];
    }
    if (!strcmp(name, "X-Event-Key"))
        return asked->source == RECEIVE_BITBUCKET_CLOUD ? "repo:push" : "repo:refs_changed";
    if (!strcmp(name, "X-Nexus-Webhook-Signature")) {
        hash_hmac_sha1(KEY, strlen(KEY), asked->body, asked->len, out);
        return hash_hex(asked->mem, out, HASH_SHA1_BYTES);
    }
    if (!strstr(name, "Signature"))
        return NULL;
    hash_hmac_sha256(KEY, strlen(KEY), asked->body, asked->len, out);
    const char *hex = hash_hex(asked->mem, out, sizeof(out));
    return strstr(name, "Hub") ? arena_printf(asked->mem, "sha256=%s", hex) : hex;
}

static void judge(struct arena *mem, enum receive_source source, const char *body, size_t len)
{
    struct receive_endpoint endpoint = { .source = source, .registry_host = "h:1" };
    struct asked asked = { mem, body, len, source };
    struct receive_verdict verdict;
    ASSERT(!receive_set_key(mem, KEY, strlen(KEY), &endpoint));
    receive_judge(
        mem,
        &(struct receive_request){
            .endpoint = &endpoint, .header = header, .ctx = &asked, .body = body, .len = len },
        &verdict);
    ASSERT(verdict.status == 200 || (verdict.status == 400 && !verdict.len));
    ASSERT(verdict.len <= RECEIVE_CHANGES_MAX && verdict.text);
    for (size_t i = 0; i < verdict.len; i++)
        ASSERT(verdict.changes[i].url && verdict.changes[i].branch && verdict.changes[i].domain &&
               verdict.changes[i].image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *text = arena_strndup(mem, (const char *)data + 1, size - 1);
    struct receive_config config;
    if (data[0] % (RECEIVE_SOURCES + 1) == 0)
        err_free(receive_config_parse(mem, text, size - 1, &config));
    else
        judge(mem, (enum receive_source)(data[0] % (RECEIVE_SOURCES + 1) - 1), text, size - 1);
    return 0;
}
