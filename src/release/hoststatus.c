#include "release/hoststatus.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "git/giturl.h"
#include "kube/credential.h"
#include "kube/smallfile.h"

#define REQUEST_MS    15000
#define ANSWER_MAX    ((size_t)64 << 10)
#define TOKEN_MAX     ((size_t)8 << 10)
#define SENT_MAX      2000 /* that are remembered, so as not to be sent again */
#define BACKOFF_MS    1000
#define BACKOFF_MAX   ((int64_t)300 * 1000)
#define DENIED_MS     30000
#define DENIED_MAX    HOSTSTATUS_WAIT_MAX_MS
#define CONTEXT_KEPT  1024 /* bytes of a context */
#define LINK_MAX      450  /* what Bitbucket takes, the least of all */
#define SHA1_DIGITS   40
#define SHA256_DIGITS 64

struct entry {
    char *key; /* "SHA CONTEXT" */
    char *sha, *context, *description;
    enum hoststatus_state state;
};

struct hoststatus {
    struct arena *mem; /* of what follows, and of the place */
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct hoststatus_place place;
    const char *branch, *target_url, *token_file, *token;
    char *used; /* the token of the request on its way */
    struct http_tls tls;
    struct map *waiting; /* by key: entries */
    struct map *sent;    /* by key: what was said last, as text */
    struct entry *sending;
    ticket request, timer;
    int64_t next_ms; /* nothing before */
    int64_t denied_ms;
    int failures;     /* in a row */
    bool was_denied;  /* and it was said */
    bool was_dropped; /* since it last went through */
    struct metric *results, *length;
};

static void schedule(struct hoststatus *status);

/* -- entries ---------------------------------------------------------------------------------------- */

static void entry_free(void *object)
{
    struct entry *entry = object;
    if (!entry)
        return;
    free(entry->key);
    free(entry->sha);
    free(entry->context);
    free(entry->description);
    free(entry);
}

static struct entry *entry_new(struct arena *mem, const struct hoststatus_news *news)
{
    struct entry *entry = base_alloc(sizeof(*entry));
    const char *context = arena_strndup(mem, news->context, strnlen(news->context, CONTEXT_KEPT));
    entry->key = base_copy_text(arena_printf(mem, "%s %s", news->sha, context));
    entry->sha = base_copy_text(news->sha);
    entry->context = base_copy_text(context);
    entry->description = base_copy_text(hoststatus_shorten(
        mem, news->description ? news->description : "", HOSTSTATUS_DESCRIPTION_MAX));
    entry->state = news->state;
    return entry;
}

static const char *text_of(struct arena *mem, const struct entry *entry)
{
    return arena_printf(mem, "%d %s", (int)entry->state, entry->description);
}

static bool is_same(const struct entry *a, const struct entry *b)
{
    return a && !strcmp(a->key, b->key) && a->state == b->state &&
           !strcmp(a->description, b->description);
}

static void count(struct hoststatus *status, const char *result)
{
    metric_add(status->results, (const char *const[]){ result }, 1);
}

static void show_length(struct hoststatus *status)
{
    metric_set(status->length, NULL, (double)hoststatus_waiting(status));
}

/* The oldest makes room. */
static void make_room(struct hoststatus *status)
{
    size_t at = 0;
    const char *key = NULL;
    void *oldest = NULL;
    if (map_len(status->waiting) < HOSTSTATUS_WAITING_MAX ||
        !map_next(status->waiting, &at, &key, &oldest))
        return;
    (void)map_remove(status->waiting, key);
    count(status, "dropped");
    if (!status->was_dropped)
        log_warn(status->log, F("component", "hoststatus"), F("event", "dropped"),
                 F("reason", "too many statuses of commits wait for the git host"));
    status->was_dropped = true;
}

/* `is_news` false: it was tried, and anything newer goes before it. */
static void queue(struct hoststatus *status, struct entry *entry, bool is_news)
{
    bool is_there = map_get(status->waiting, entry->key) != NULL;
    if (is_there)
        count(status, "superseded");
    if (is_there && !is_news) {
        entry_free(entry);
        return;
    }
    if (!is_there)
        make_room(status);
    map_set(status->waiting, entry->key, entry);
}

static void remember(struct hoststatus *status, struct arena *mem, const struct entry *entry)
{
    size_t at = 0;
    const char *key = NULL;
    void *oldest = NULL;
    map_set(status->sent, entry->key, base_copy_text(text_of(mem, entry)));
    if (map_len(status->sent) > SENT_MAX && map_next(status->sent, &at, &key, &oldest))
        (void)map_remove(status->sent, key);
}

/* -- answers ---------------------------------------------------------------------------------------- */

static int64_t back_off(struct hoststatus *status, int64_t base_ms, int64_t max_ms)
{
    int64_t wait = base_ms;
    for (int i = 0; i < status->failures && wait < max_ms; i++)
        wait *= 2;
    status->failures++;
    wait = MIN_OF(wait, max_ms);
    return wait / 2 + (int64_t)(loop_random(status->loop) % (uint32_t)(wait / 2 + 1));
}

/* Once, until it is taken again. */
static void tell_denied(struct hoststatus *status, const char *text)
{
    if (!status->was_denied)
        log_error(status->log, F("component", "hoststatus"), F("err", text),
                  F("event", "the git host does not take statuses of commits"));
    status->was_denied = true;
}

static void tell_taken(struct hoststatus *status)
{
    if (status->was_denied)
        log_info(status->log, F("component", "hoststatus"),
                 F("event", "the git host takes statuses of commits again"));
    status->was_denied = false;
    status->was_dropped = false;
    status->failures = 0;
}

static int64_t wait_after(struct hoststatus *status, const struct hoststatus_verdict *verdict)
{
    int64_t wait = hoststatus_gap_ms(status->place.provider);
    switch (verdict->outcome) {
    case HOSTSTATUS_TAKEN:
    case HOSTSTATUS_REFUSED: break;
    case HOSTSTATUS_LATER: wait = back_off(status, BACKOFF_MS, BACKOFF_MAX); break;
    case HOSTSTATUS_DENIED:
    case HOSTSTATUS_UNKNOWN: wait = back_off(status, status->denied_ms, DENIED_MAX); break;
    }
    return MAX_OF(wait, verdict->wait_ms);
}

static void settle(struct hoststatus *status, struct arena *mem, struct entry *entry,
                   const struct hoststatus_verdict *verdict)
{
    switch (verdict->outcome) {
    case HOSTSTATUS_TAKEN:
        tell_taken(status);
        count(status, "sent");
        remember(status, mem, entry);
        entry_free(entry);
        return;
    case HOSTSTATUS_LATER:
        count(status, "failed");
        log_debug(status->log, F("component", "hoststatus"), F("err", verdict->text));
        queue(status, entry, false);
        return;
    case HOSTSTATUS_DENIED:
        count(status, "denied");
        tell_denied(status, verdict->text);
        queue(status, entry, false);
        return;
    case HOSTSTATUS_UNKNOWN:
        count(status, "denied");
        tell_denied(status, verdict->text);
        entry_free(entry);
        return;
    case HOSTSTATUS_REFUSED:
        status->failures = 0;
        count(status, "refused");
        log_warn(status->log, F("component", "hoststatus"), F("context", entry->context),
                 F("revision", entry->sha), F("err", verdict->text));
        remember(status, mem, entry); /* it would be refused again */
        entry_free(entry);
        return;
    }
}

/* A host may repeat in its answer what it was sent. */
static void read_answer(const struct hoststatus *status, const struct http_result *result,
                        struct hoststatus_answer *out)
{
    const char *left = http_header(result, "X-RateLimit-Remaining");
    const char *at = http_header(result, "X-RateLimit-Reset");
    bool is_shown = result->body && !strstr(result->body, status->used);
    *out = (struct hoststatus_answer){
        .status = result->status,
        .body = is_shown ? result->body : "",
        .location = http_header(result, "Location"),
        .retry_after = http_header(result, "Retry-After"),
        .limit_left = left ? left : http_header(result, "RateLimit-Remaining"),
        .limit_at = at ? at : http_header(result, "RateLimit-Reset"),
    };
}

/* Of no answer: a person has to act where the connection cannot be trusted, or the address is none. */
static void judge_failure(const struct err *e, struct hoststatus_verdict *out)
{
    bool is_lasting = err_is(e, ERR_DENIED) || err_is(e, ERR_INVALID);
    *out =
        (struct hoststatus_verdict){ .outcome = is_lasting ? HOSTSTATUS_DENIED : HOSTSTATUS_LATER,
                                     .wait_ms = -1,
                                     .text = err_text(e) };
}

static void end_entry(struct hoststatus *status, struct arena *mem,
                      const struct hoststatus_verdict *verdict)
{
    status->next_ms = loop_now_ms(status->loop) + wait_after(status, verdict);
    settle(status, mem, STEAL(status->sending), verdict);
    show_length(status);
    schedule(status);
}

static void on_answer(void *ctx, const struct http_result *result)
{
    struct hoststatus *status = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct hoststatus_verdict verdict;
    struct hoststatus_answer answer;
    status->request = 0;
    if (result->err && result->status < 400) {
        judge_failure(result->err, &verdict);
    } else {
        read_answer(status, result, &answer);
        hoststatus_judge(mem, &status->place, &answer, loop_wall_ms(status->loop), &verdict);
    }
    end_entry(status, mem, &verdict);
}

/* -- requests --------------------------------------------------------------------------------------- */

/* Read each time: it may have been changed. */
MUST_USE static struct err *read_token(struct hoststatus *status)
{
    free(STEAL(status->used));
    if (!*status->token_file)
        return err_wrap(kube_token_parse(status->token, &status->used), "the git host's token");
    char *text = NULL;
    size_t len = 0;
    struct err *e = smallfile_read(status->token_file, TOKEN_MAX, &text, &len);
    if (!e)
        e = err_wrap(kube_token_parse(text, &status->used), "%s", status->token_file);
    free(text);
    return err_wrap(e, "--git-host-token-file");
}

static void post_next(struct hoststatus *status)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct entry *entry = status->sending;
    const struct hoststatus_news news = { .sha = entry->sha,
                                          .context = entry->context,
                                          .description = entry->description,
                                          .state = entry->state,
                                          .target_url = status->target_url,
                                          .branch = status->branch };
    SCOPED(err_free) struct err *e = read_token(status);
    if (e) {
        const struct hoststatus_verdict verdict = { HOSTSTATUS_DENIED, -1, err_text(e) };
        end_entry(status, mem, &verdict);
        return;
    }
    struct hoststatus_request request;
    hoststatus_make_request(mem, &status->place, &news, status->used, &request);
    status->request = http_start(status->http,
                                 &(struct http_request){ .method = "POST",
                                                         .url = request.url,
                                                         .headers = request.headers,
                                                         .body = request.body,
                                                         .body_len = request.body_len,
                                                         .timeout_ms = REQUEST_MS,
                                                         .limit_bytes = ANSWER_MAX,
                                                         .tls = &status->tls },
                                 on_answer, status);
}

static void on_timer(void *ctx)
{
    struct hoststatus *status = ctx;
    size_t at = 0;
    const char *key = NULL;
    void *oldest = NULL;
    status->timer = 0;
    if (!map_next(status->waiting, &at, &key, &oldest))
        return;
    status->sending = map_take(status->waiting, ((struct entry *)oldest)->key);
    post_next(status);
}

static void schedule(struct hoststatus *status)
{
    int64_t wait = status->next_ms - loop_now_ms(status->loop);
    if (status->sending || status->timer || !map_len(status->waiting))
        return;
    status->timer = loop_after(status->loop, MAX_OF(wait, (int64_t)0), on_timer, status);
}

static bool is_sha(const char *text)
{
    size_t len = strspn(text, "0123456789abcdef");
    return !text[len] && (len == SHA1_DIGITS || len == SHA256_DIGITS);
}

void hoststatus_set(struct hoststatus *status, const char *sha, const char *context,
                    enum hoststatus_state state, const char *description)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (!is_sha(sha) || !*context)
        return;
    const struct hoststatus_news news = {
        .sha = sha, .context = context, .state = state, .description = description
    };
    struct entry *entry = entry_new(mem, &news);
    const struct entry *before = map_get(status->waiting, entry->key);
    bool is_on_its_way = !before && is_same(status->sending, entry);
    bool is_other = status->sending && !strcmp(status->sending->key, entry->key);
    const char *sent = map_get(status->sent, entry->key);
    bool was_sent = !before && !is_other && sent && !strcmp(sent, text_of(mem, entry));
    if (is_on_its_way || was_sent) {
        entry_free(entry);
        return;
    }
    queue(status, entry, true);
    show_length(status);
    schedule(status);
}

const char *hoststatus_context(struct arena *mem, const char *workload_id)
{
    return arena_printf(mem, "serin/%s", workload_id);
}

size_t hoststatus_waiting(const struct hoststatus *status)
{
    return map_len(status->waiting) + (status->sending != NULL);
}

const struct hoststatus_place *hoststatus_place(const struct hoststatus *status)
{
    return &status->place;
}

/* -- making ------------------------------------------------------------------------------------------ */

MUST_USE static struct err *check_link(const char *url)
{
    bool is_web = !strncmp(url, "https://", 8) || !strncmp(url, "http://", 7);
    size_t len = strnlen(url, LINK_MAX + 1);
    for (const char *c = url; *c && is_web; c++)
        is_web = *c > ' ' && *c < 0x7f;
    if (!*url || (is_web && len <= LINK_MAX))
        return NULL;
    return err_new(ERR_INVALID,
                   "--git-host-url is no link: it begins with https:// or http:// and "
                   "is at most %d characters long",
                   LINK_MAX);
}

static const char *copy_or_empty(struct arena *mem, const char *text)
{
    return arena_strdup(mem, text ? text : "");
}

MUST_USE static struct err *fill(struct hoststatus *status, const struct hoststatus_opts *opts)
{
    struct arena *mem = status->mem;
    struct giturl url = { 0 };
    status->branch = copy_or_empty(mem, opts->branch);
    status->target_url = copy_or_empty(mem, opts->target_url);
    status->token_file = copy_or_empty(mem, opts->token_file);
    status->token = copy_or_empty(mem, opts->token);
    status->tls = (struct http_tls){ .ca_pem = arena_strdup(mem, opts->ca_pem) };
    TRY(giturl_parse(mem, opts->git_url ? opts->git_url : "", &url));
    TRY(check_link(status->target_url));
    if (!*status->token_file && !*status->token)
        return err_new(ERR_INVALID, "setting the status of commits needs a token: give "
                                    "--git-host-token-file or " HOSTSTATUS_TOKEN_VARIABLE);
    if (!*status->token_file)
        TRY(read_token(status));
    const struct hoststatus_where where = { .is_http = url.kind == GITURL_HTTP,
                                            .scheme = url.scheme,
                                            .host = url.host,
                                            .port = url.port,
                                            .path = url.path };
    return hoststatus_find_place(mem, &where, opts->provider, arena_strdup(mem, opts->api),
                                 &status->place);
}

static void declare_metrics(struct hoststatus *status, struct metrics *all)
{
    status->results = metrics_declare(
        all, &(struct metric_spec){
                 .name = "serin_host_statuses_total",
                 .help = "Statuses of commits for the git host, by what became of them: sent, "
                         "failed (tried again), denied, refused, superseded, dropped.",
                 .type = METRIC_COUNTER,
                 .labels = { "result" } });
    status->length = metrics_declare(
        all,
        &(struct metric_spec){ .name = "serin_host_statuses_waiting",
                               .help = "Statuses of commits that the git host has yet to take.",
                               .type = METRIC_GAUGE });
}

struct err *hoststatus_new(const struct hoststatus_opts *opts, struct hoststatus **out)
{
    *out = NULL;
    struct hoststatus *status = base_alloc(sizeof(*status));
    status->mem = arena_new(ARENA_LIMIT_BYTES);
    status->loop = opts->loop;
    status->http = opts->http;
    status->log = opts->log;
    status->denied_ms = opts->denied_ms ? opts->denied_ms : DENIED_MS;
    status->waiting = map_new(entry_free);
    status->sent = map_new(free);
    declare_metrics(status, opts->metrics);
    struct err *e = fill(status, opts);
    if (e) {
        hoststatus_free(status);
        return e;
    }
    *out = status;
    return NULL;
}

void hoststatus_free(struct hoststatus *status)
{
    if (!status)
        return;
    http_cancel(status->http, status->request);
    loop_cancel(status->loop, status->timer);
    entry_free(status->sending);
    map_free(status->waiting);
    map_free(status->sent);
    free(status->used);
    arena_free(status->mem);
    free(status);
}
