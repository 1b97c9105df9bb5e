#include <string.h>

#include "base/hash.h"
#include "base/time.h"
#include "canary/metric/aws.h"

/* Digits and letters of "2015-08-30T12:36:00Z" alone. */
const char *aws_time(struct arena *mem, int64_t now_ms)
{
    char text[TIME_TEXT_BYTES];
    char *made = arena_alloc(mem, TIME_TEXT_BYTES);
    size_t used = 0;
    time_format_seconds(now_ms, text);
    for (const char *at = text; *at; at++) {
        if (*at != '-' && *at != ':')
            made[used++] = *at;
    }
    return made;
}

static const char *hex_digest(struct arena *mem, const char *text)
{
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(text, strlen(text), digest);
    return hash_hex(mem, digest, sizeof(digest));
}

/* The names of the headers, and the headers as they are signed. */
static void add_headers(const struct aws_request *request, struct sbuf *names, struct sbuf *lines)
{
    for (const char *const *at = request->headers; *at; at++) {
        size_t name_len = strcspn(*at, ":");
        const char *value = *at + name_len + 1;
        value += strspn(value, " ");
        sbuf_add(names, names->len ? ";" : "");
        sbuf_add_bytes(names, *at, name_len);
        sbuf_addf(lines, "%.*s:%s\n", (int)name_len, *at, value);
    }
}

static void chain(const unsigned char key[HASH_SHA256_BYTES], const char *text,
                  unsigned char out[HASH_SHA256_BYTES])
{
    hash_hmac_sha256(key, HASH_SHA256_BYTES, text, strlen(text), out);
}

/* A key for one day, region and service. */
static void derive_key(struct arena *mem, const struct aws_request *request, const char *day,
                       const char *secret_key, unsigned char out[HASH_SHA256_BYTES])
{
    unsigned char of_day[HASH_SHA256_BYTES], of_region[HASH_SHA256_BYTES],
        of_service[HASH_SHA256_BYTES];
    const char *first = arena_printf(mem, "AWS4%s", secret_key);
    hash_hmac_sha256(first, strlen(first), day, strlen(day), of_day);
    chain(of_day, request->region, of_region);
    chain(of_region, request->service, of_service);
    chain(of_service, "aws4_request", out);
}

const char *aws_sign(struct arena *mem, const struct aws_request *request,
                     const struct aws_credentials *credentials)
{
    unsigned char key[HASH_SHA256_BYTES], signature[HASH_SHA256_BYTES];
    const char *time = aws_time(mem, request->now_ms);
    const char *day = arena_strndup(mem, time, strcspn(time, "T"));
    SBUF(names, SBUF_MAX);
    SBUF(lines, SBUF_MAX);
    add_headers(request, &names, &lines);
    const char *canonical =
        arena_printf(mem, "%s\n%s\n%s\n%s\n%s\n%s", request->method, request->path, request->query,
                     sbuf_text(&lines), sbuf_text(&names), hex_digest(mem, request->body));
    const char *scope =
        arena_printf(mem, "%s/%s/%s/aws4_request", day, request->region, request->service);
    const char *to_sign =
        arena_printf(mem, "AWS4-HMAC-SHA256\n%s\n%s\n%s", time, scope, hex_digest(mem, canonical));
    derive_key(mem, request, day, credentials->secret_key, key);
    chain(key, to_sign, signature);
    return arena_printf(mem, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                        credentials->access_key, scope, sbuf_text(&names),
                        hash_hex(mem, signature, sizeof(signature)));
}
