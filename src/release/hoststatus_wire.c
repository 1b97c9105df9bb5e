#include "release/hoststatus_wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/time.h"
#include "base/utf8.h"
#include "doc/json.h"

#define KEY_MAX_CLOUD  40 /* bytes of a key of Bitbucket Cloud */
#define NAME_MAX_GIVEN 2048
#define SAID_MAX       200
#define BODY_MAX       ((size_t)16 << 10) /* of an answer that is looked at */
#define LIMITED_MS     60000              /* without a word of how long */
#define FAR_SECONDS    1000000000         /* from here on a time, below a duration */
#define DIGEST_HEX     8
#define BETWEEN_MS     100
#define BETWEEN_HUB_MS 1000 /* what GitHub asks of those who write */

/* -- words ----------------------------------------------------------------------------------------- */

// clang-format off
static const struct words {
    enum hoststatus_state state;
    const char *hub, *lab, *tea, *bucket;
} words[] = {
    { HOSTSTATUS_PROGRESSING, "pending", "running", "pending", "INPROGRESS" },
    { HOSTSTATUS_APPLIED,     "success", "success", "success", "SUCCESSFUL" },
    { HOSTSTATUS_PROMOTED,    "success", "success", "success", "SUCCESSFUL" },
    { HOSTSTATUS_ROLLED_BACK, "failure", "failed",  "failure", "FAILED" },
    { HOSTSTATUS_FAILED,      "failure", "failed",  "failure", "FAILED" },
};
// clang-format on

static const char *word_of(enum hoststatus_provider provider, enum hoststatus_state state)
{
    const struct words *row = &words[0];
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        row = words[i].state == state ? &words[i] : row;
    switch (provider) {
    case HOSTSTATUS_GITHUB: return row->hub;
    case HOSTSTATUS_GITLAB: return row->lab;
    case HOSTSTATUS_GITEA: return row->tea;
    case HOSTSTATUS_BITBUCKET:
    case HOSTSTATUS_BITBUCKET_SERVER: return row->bucket;
    case HOSTSTATUS_AUTO: break;
    }
    return "";
}

const char *hoststatus_shorten(struct arena *mem, const char *text, size_t max)
{
    SBUF(out, (size_t)8 * max + 16);
    size_t left = strlen(text), count = 0, cut = 0;
    for (size_t taken; left; text += taken, left -= taken, count++) {
        uint32_t point = 0;
        taken = utf8_decode(text, left, &point);
        bool is_shown = taken && !utf8_is_order(point);
        if (count + 1 == max)
            cut = out.len;
        if (count == max)
            return arena_printf(mem, "%.*s…", (int)cut, sbuf_text(&out));
        if (is_shown)
            sbuf_add_bytes(&out, text, taken);
        else
            sbuf_add_char(&out, taken ? ' ' : '?');
        taken = taken ? taken : 1;
    }
    return arena_strdup(mem, sbuf_text(&out));
}

/* A name that is too long keeps its beginning and is told from others by a digest. */
static const char *bounded(struct arena *mem, const char *given, size_t max)
{
    const char *name = hoststatus_shorten(mem, given, NAME_MAX_GIVEN);
    size_t len = strlen(name), kept = max - DIGEST_HEX - 1;
    unsigned char digest[HASH_SHA256_BYTES];
    if (len <= max)
        return name;
    while (kept && ((unsigned char)name[kept] & 0xc0) == 0x80)
        kept--;
    hash_sha256(name, len, digest);
    return arena_printf(mem, "%.*s-%s", (int)kept, name, hash_hex(mem, digest, DIGEST_HEX / 2));
}

/* -- requests --------------------------------------------------------------------------------------- */

static void add_parts(struct sbuf *out, const char *path)
{
    char part[2] = "";
    for (; *path; path++) {
        part[0] = *path;
        if (*path == '/')
            sbuf_add_char(out, '/');
        else
            sbuf_add_url(out, part);
    }
}

static const char *make_url(struct arena *mem, const struct hoststatus_place *place,
                            const char *sha)
{
    SBUF(url, SBUF_MAX);
    sbuf_add(&url, place->api);
    switch (place->provider) {
    case HOSTSTATUS_GITHUB:
    case HOSTSTATUS_GITEA:
        sbuf_add(&url, "/repos/");
        add_parts(&url, place->repo);
        sbuf_addf(&url, "/statuses/%s", sha);
        break;
    case HOSTSTATUS_GITLAB:
        sbuf_add(&url, "/projects/");
        sbuf_add_url(&url, place->repo);
        sbuf_addf(&url, "/statuses/%s", sha);
        break;
    case HOSTSTATUS_BITBUCKET:
        sbuf_add(&url, "/repositories/");
        add_parts(&url, place->repo);
        sbuf_addf(&url, "/commit/%s/statuses/build", sha);
        break;
    case HOSTSTATUS_BITBUCKET_SERVER: sbuf_addf(&url, "/build-status/1.0/commits/%s", sha); break;
    case HOSTSTATUS_AUTO: break;
    }
    return arena_strdup(mem, sbuf_text(&url));
}

static void set_if(struct arena *mem, struct val *map, const char *key, const char *text)
{
    if (text && *text)
        val_set_text(mem, map, key, text);
}

/* They want a link; without one of ours it is the commit's own page. */
static void add_bucket(struct arena *mem, const struct hoststatus_place *place,
                       const struct hoststatus_news *news, struct val *body)
{
    size_t max = place->provider == HOSTSTATUS_BITBUCKET ? KEY_MAX_CLOUD : HOSTSTATUS_CONTEXT_MAX;
    bool has_link = news->target_url && *news->target_url;
    val_set_text(mem, body, "key", bounded(mem, news->context, max));
    val_set_text(mem, body, "name", bounded(mem, news->context, HOSTSTATUS_CONTEXT_MAX));
    val_set_text(mem, body, "url",
                 has_link ? news->target_url
                          : arena_printf(mem, "%s/commits/%s", place->web, news->sha));
}

static const char *make_body(struct arena *mem, const struct hoststatus_place *place,
                             const struct hoststatus_news *news, size_t *len)
{
    struct val *body = val_new_map(mem);
    const char *said = hoststatus_shorten(mem, news->description ? news->description : "",
                                          HOSTSTATUS_DESCRIPTION_MAX);
    val_set_text(mem, body, "state", word_of(place->provider, news->state));
    if (place->provider == HOSTSTATUS_BITBUCKET || place->provider == HOSTSTATUS_BITBUCKET_SERVER) {
        add_bucket(mem, place, news, body);
    } else {
        val_set_text(mem, body, "context", bounded(mem, news->context, HOSTSTATUS_CONTEXT_MAX));
        set_if(mem, body, "target_url", news->target_url);
    }
    if (place->provider == HOSTSTATUS_GITLAB) /* else it joins any pipeline of the commit */
        set_if(mem, body, "ref", news->branch);
    set_if(mem, body, "description", said);
    return val_json(mem, body, len);
}

static const char *make_credential(struct arena *mem, enum hoststatus_provider provider,
                                   const char *token)
{
    if (strchr(token, ':'))
        return arena_printf(mem, "Authorization: Basic %s", hash_base64(mem, token, strlen(token)));
    switch (provider) {
    case HOSTSTATUS_GITLAB: return arena_printf(mem, "PRIVATE-TOKEN: %s", token);
    case HOSTSTATUS_GITEA: return arena_printf(mem, "Authorization: token %s", token);
    case HOSTSTATUS_GITHUB:
    case HOSTSTATUS_BITBUCKET:
    case HOSTSTATUS_BITBUCKET_SERVER:
    case HOSTSTATUS_AUTO: break;
    }
    return arena_printf(mem, "Authorization: Bearer %s", token);
}

void hoststatus_make_request(struct arena *mem, const struct hoststatus_place *place,
                             const struct hoststatus_news *news, const char *token,
                             struct hoststatus_request *out)
{
    bool is_hub = place->provider == HOSTSTATUS_GITHUB;
    *out = (struct hoststatus_request){ .url = make_url(mem, place, news->sha) };
    out->body = make_body(mem, place, news, &out->body_len);
    size_t count = 0;
    out->headers[count++] = "Content-Type: application/json";
    out->headers[count++] =
        is_hub ? "Accept: application/vnd.github+json" : "Accept: application/json";
    if (is_hub)
        out->headers[count++] = "X-GitHub-Api-Version: 2022-11-28";
    out->headers[count] = make_credential(mem, place->provider, token);
}

/* -- answers ---------------------------------------------------------------------------------------- */

/* "1700000000" is a time, "30" is from now on. -1: neither. */
static int64_t until_reset(const char *text, int64_t now_unix_ms)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    if (!digits || digits > 12 || text[digits])
        return -1;
    int64_t seconds = strtoll(text, NULL, 10);
    int64_t ms = seconds >= FAR_SECONDS ? seconds * 1000 - now_unix_ms : seconds * 1000;
    return MIN_OF(MAX_OF(ms, (int64_t)1000), HOSTSTATUS_WAIT_MAX_MS);
}

static bool is_used_up(const struct hoststatus_answer *answer)
{
    return answer->limit_left && !strcmp(answer->limit_left, "0");
}

static int64_t find_wait(const struct hoststatus_answer *answer, int64_t now_unix_ms)
{
    int64_t wait = time_parse_retry_after(answer->retry_after, now_unix_ms);
    if (wait < 0 && is_used_up(answer))
        wait = until_reset(answer->limit_at, now_unix_ms);
    return MIN_OF(wait, HOSTSTATUS_WAIT_MAX_MS);
}

/* A refusal that only means "not so fast". */
static bool is_limited(const struct hoststatus_answer *answer)
{
    return answer->status == 429 ||
           (answer->status == 403 && (answer->retry_after || is_used_up(answer) ||
                                      strcasestr(answer->body, "rate limit") != NULL));
}

/* What the host says of it: its "message", "error" or "errors". */
static const char *find_said(struct arena *mem, const char *body)
{
    static const char *const keys[] = { "message", "error", "errors" };
    struct val *answer = NULL;
    if (strlen(body) > BODY_MAX)
        return "";
    SCOPED(err_free) struct err *e = doc_json_parse(mem, body, strlen(body), &answer);
    for (size_t i = 0; !e && i < ARRAY_LEN(keys); i++) {
        const struct val *said = val_get(answer, keys[i]);
        said = val_is_list(said) ? val_item(said, 0) : said;
        said = val_is_map(said) ? val_get(said, "message") : said;
        if (val_text(said) && *val_text(said))
            return hoststatus_shorten(mem, val_text(said), SAID_MAX);
    }
    return "";
}

static const char *right_of(enum hoststatus_provider provider)
{
    switch (provider) {
    case HOSTSTATUS_GITHUB: return "\"Commit statuses: write\", or the scope repo:status";
    case HOSTSTATUS_GITLAB: return "the scope api, and the role of a developer";
    case HOSTSTATUS_GITEA: return "the scope write:repository, and write access";
    case HOSTSTATUS_BITBUCKET: return "the scope repository, and write access";
    case HOSTSTATUS_BITBUCKET_SERVER: return "read access to the repository, and a licence";
    case HOSTSTATUS_AUTO: break;
    }
    return "";
}

/* Of a redirect only where it leads: scheme and host. */
static const char *advise_redirect(struct arena *mem, const char *location)
{
    const char *host = location ? strstr(location, "://") : NULL;
    size_t len = host ? (size_t)(host + 3 - location) + strcspn(host + 3, "/?#") : 0;
    const char *there = arena_strndup(mem, location ? location : "", MIN_OF(len, (size_t)SAID_MAX));
    const char *at = strrchr(there, '@');
    return arena_printf(mem,
                        "leads on%s%s, where the token is not sent to: give the address that is "
                        "meant as --git-host-api, and the repository's own as --git-url",
                        *there ? " to " : "",
                        at ? at + 1 : hoststatus_shorten(mem, there, SAID_MAX));
}

static const char *advise(struct arena *mem, const struct hoststatus_place *place,
                          const struct hoststatus_answer *answer)
{
    if (answer->status >= 300 && answer->status < 400)
        return advise_redirect(mem, answer->location);
    if (answer->status == 401)
        return "the token is not accepted: put one that is valid into --git-host-token-file";
    if (answer->status == 403)
        return arena_printf(mem, "the token may not set the status of commits: it needs %s",
                            right_of(place->provider));
    if (answer->status == 404)
        return arena_printf(mem,
                            "no %s there, or not this commit, or the token may not see it: check "
                            "--git-url, --git-host-api and what the token is for",
                            hoststatus_shorten(mem, place->repo, SAID_MAX));
    return "";
}

static enum hoststatus_outcome outcome_of(const struct hoststatus_place *place,
                                          const struct hoststatus_answer *answer)
{
    int status = answer->status;
    bool is_lab = place->provider == HOSTSTATUS_GITLAB;
    if (status >= 200 && status < 300)
        return HOSTSTATUS_TAKEN;
    if (status == 400 && is_lab && strstr(answer->body, "Cannot transition status"))
        return HOSTSTATUS_TAKEN; /* it has this state already */
    if (is_limited(answer) || status == 408 || status >= 500)
        return HOSTSTATUS_LATER;
    if (status == 404)
        return HOSTSTATUS_UNKNOWN;
    return status < 400 || status == 401 || status == 403 ? HOSTSTATUS_DENIED : HOSTSTATUS_REFUSED;
}

void hoststatus_judge(struct arena *mem, const struct hoststatus_place *place,
                      const struct hoststatus_answer *answer, int64_t now_unix_ms,
                      struct hoststatus_verdict *out)
{
    *out = (struct hoststatus_verdict){ .outcome = outcome_of(place, answer),
                                        .wait_ms = find_wait(answer, now_unix_ms),
                                        .text = "" };
    if (out->outcome == HOSTSTATUS_TAKEN)
        return;
    if (out->wait_ms < 0 && is_limited(answer))
        out->wait_ms = LIMITED_MS;
    const char *said = find_said(mem, answer->body);
    const char *advice = out->outcome == HOSTSTATUS_LATER ? "" : advise(mem, place, answer);
    out->text = arena_printf(mem, "%s answers %d%s%s%s%s", place->api, answer->status,
                             *said ? ": " : "", said, *advice ? ": " : "", advice);
}

int64_t hoststatus_gap_ms(enum hoststatus_provider provider)
{
    return provider == HOSTSTATUS_GITHUB ? BETWEEN_HUB_MS : BETWEEN_MS;
}
