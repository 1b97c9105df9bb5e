#include "canary/notify/verdict.h"

#include <string.h>

#include "base/duration.h"
#include "base/utf8.h"

#define PASSES_UP_TO 202 /* 203 and above fail, 204 among them (17.3 no. 1) */

/* -- the body of an answer, as far as it is shown ----------------------------------------------- */

/* Ends before a character that would not fit. */
static const char *shown(struct arena *mem, const char *body)
{
    return arena_strndup(mem, body, utf8_fit(body, VERDICT_BODY_BYTES));
}

/* -- webhooks ----------------------------------------------------------------------------------- */

static struct verdict failed(const char *text)
{
    return (struct verdict){ .kind = VERDICT_FAILED, .text = text };
}

static const char *gave_up(struct arena *mem, const struct hook_tries *tries, const char *cause)
{
    return arena_printf(mem, "POST %s giving up after %lld attempt(s)%s%s", tries->url,
                        (long long)tries->made, cause ? ": " : "", cause ? cause : "");
}

static int64_t delay_of(const struct hook_tries *tries, const struct attempt *attempt)
{
    bool is_told = attempt->status == 429 || attempt->status == 503;
    if (is_told && attempt->retry_after_ms >= 0)
        return MIN_OF(attempt->retry_after_ms, VERDICT_RETRY_AFTER_MAX_MS);
    int64_t delay = tries->delay_ms;
    for (int64_t i = 1; i < tries->made && delay < VERDICT_DELAY_MAX_MS; i++)
        delay *= 2;
    return MIN_OF(delay, VERDICT_DELAY_MAX_MS);
}

static bool is_worth_another(const struct attempt *attempt)
{
    if (attempt->status == 0)
        return !attempt->is_final;
    return attempt->status == 429 || (attempt->status >= 500 && attempt->status != 501);
}

struct verdict notify_hook_verdict(struct arena *mem, const struct hook_tries *tries,
                                   const struct attempt *attempt)
{
    if (is_worth_another(attempt)) {
        if (tries->made <= tries->allowed)
            return (struct verdict){ .kind = VERDICT_AGAIN, .wait_ms = delay_of(tries, attempt) };
        return failed(gave_up(mem, tries, attempt->status ? NULL : attempt->cause));
    }
    if (attempt->status == 0)
        return failed(gave_up(mem, tries, attempt->cause));
    if (attempt->broken)
        return failed(arena_printf(mem, "error reading body: %s", attempt->broken));
    if (attempt->status > PASSES_UP_TO)
        return failed(shown(mem, attempt->body));
    return (struct verdict){ .kind = VERDICT_PASSED };
}

struct err *notify_hook_timeout(const char *text, int64_t *out_ms)
{
    *out_ms = VERDICT_TIMEOUT_MS;
    if (strlen(text) < 2)
        return NULL;
    int64_t ms;
    TRY(duration_parse(text, &ms));
    if (ms > 0) /* Go would wait for ever */
        *out_ms = ms;
    return NULL;
}

/* -- chats -------------------------------------------------------------------------------------- */

/* Also when it shows but the path, which is what is secret in an address. */
static bool repeats_one(const char *body, const char *const *secrets)
{
    for (; *secrets; secrets++) {
        const char *host = strstr(*secrets, "://"), *path = host ? strchr(host + 3, '/') : NULL;
        const char *secret = path && path[1] ? path + 1 : *secrets;
        if (*secret && strstr(body, secret))
            return true;
    }
    return false;
}

const char *notify_alert_fault(struct arena *mem, const struct attempt *attempt,
                               const char *const *secrets)
{
    if (attempt->status >= 200 && attempt->status <= 299)
        return NULL;
    if (attempt->status == 0)
        return arena_printf(mem, "postMessage failed: %s", attempt->cause);
    return arena_printf(
        mem, "postMessage failed: sending notification bad response %d: %s", attempt->status,
        repeats_one(attempt->body, secrets) ? "(not shown: it repeats the address or the token)"
                                            : shown(mem, attempt->body));
}
