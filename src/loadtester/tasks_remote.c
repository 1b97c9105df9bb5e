/* Tests that run on another server: nGrinder and Concord. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/hash.h"
#include "base/sbuf.h"
#include "doc/json.h"
#include "loadtester/tasks_internal.h"

#define KEY_FILE_BYTES  4096
#define FORM_BYTES      ((size_t)1 << 20)
#define POLL_MIN_MS     100
#define CONCORD_POLL_S  5
#define CONCORD_LIMIT_S 30

static const struct val *parse(struct tasks_task *task, const struct http_result *result)
{
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(task->mem, result->body, result->body_len, &v);
    return e ? NULL : v;
}

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

/* -- nGrinder ----------------------------------------------------------------------------------------- */

static const char *ngrinder_url(struct tasks_task *task, const char *id, const char *what)
{
    SBUF(url, 4096);
    const char *server = tasks_text(task, "server");
    size_t len = strlen(server);
    sbuf_add_bytes(&url, server, len && server[len - 1] == '/' ? len - 1 : len);
    sbuf_add(&url, "/perftest/api/");
    sbuf_add_url(&url, id);
    sbuf_add(&url, what);
    return arena_strdup(task->mem, sbuf_text(&url));
}

static void ngrinder_ask(struct tasks_task *task, const char *method, const char *url,
                         void (*next)(struct tasks_task *, const struct http_result *))
{
    const char *coded = tasks_text(task, "passwd"), *user = tasks_text(task, "username");
    unsigned char *password = NULL;
    size_t len = 0;
    SCOPED(err_free)
    struct err *e = hash_base64_parse(task->mem, coded, strlen(coded), &password, &len);
    if (e) {
        tasks_end(task, "passwd in metadata is not base64", NULL);
        return;
    }
    const char *both = arena_printf(task->mem, "%s:%.*s", user, (int)len, (const char *)password);
    const char *const headers[] = {
        arena_printf(task->mem, "Authorization: Basic %s",
                     hash_base64(task->mem, both, strlen(both))),
        "Content-Type: application/json",
        NULL,
    };
    tasks_ask(
        task,
        &(struct tasks_request){ .method = method, .url = url, .headers = headers, .body = "" },
        next);
}

static int64_t ngrinder_poll_ms(const struct tasks_task *task)
{
    int64_t ms = 1000;
    const char *text = tasks_text(task, "pollInterval");
    SCOPED(err_free) struct err *e = *text ? duration_parse(text, &ms) : NULL;
    if (e) { /* without a unit: seconds */
        char *end;
        long seconds = strtol(text, &end, 10);
        ms = *end == '\0' && seconds > 0 && seconds < 86400 ? seconds * 1000 : 1000;
    }
    return MAX_OF(ms, POLL_MIN_MS);
}

/* The status is a text, a map that has it as name or status_id, or a list of one of these, by the server's version. */
static const char *ngrinder_state(const struct val *answer)
{
    const struct val *status = val_get(answer, "status");
    if (val_is_list(status))
        status = val_item(status, 0);
    const char *text = val_text(status);
    if (!text)
        text = val_text(val_get(status, "name"));
    if (!text)
        text = val_text(val_get(status, "status_id"));
    return text ? text : "";
}

static void on_ngrinder_stopped(struct tasks_task *task, const struct http_result *result)
{
    (void)result;
    tasks_end(task,
              arena_printf(task->mem, "test %s did not finish in time and was stopped", task->id),
              NULL);
}

static void ngrinder_poll(void *ctx);

static void on_ngrinder_status(struct tasks_task *task, const struct http_result *result)
{
    static const char *const bad[] = { "STOP_BY_ERROR", "CANCELED", "UNKNOWN", NULL };
    const char *state = ngrinder_state(parse(task, result));
    if (strcmp(state, "FINISHED") == 0)
        tasks_end(task, NULL, NULL);
    else if (is_one_of(state, bad))
        tasks_end(task, arena_printf(task->mem, "test %s ended with %s", task->id, state), NULL);
    else if (tasks_left_ms(task) <= ngrinder_poll_ms(task))
        ngrinder_ask(task, "PUT", ngrinder_url(task, task->id, "?action=stop"),
                     on_ngrinder_stopped);
    else
        tasks_wait(task, ngrinder_poll_ms(task), ngrinder_poll);
}

static void ngrinder_poll(void *ctx)
{
    struct tasks_task *task = ctx;
    task->timer = 0;
    ngrinder_ask(task, "GET", ngrinder_url(task, task->id, "/status"), on_ngrinder_status);
}

static void on_ngrinder_started(struct tasks_task *task, const struct http_result *result)
{
    int64_t id;
    if (!val_int(val_get(parse(task, result), "id"), &id)) {
        tasks_end(task, "nGrinder's answer has no id of the test it started", NULL);
        return;
    }
    task->id = arena_printf(task->mem, "%lld", (long long)id);
    tasks_wait(task, ngrinder_poll_ms(task), ngrinder_poll);
}

void tasks_start_ngrinder(struct tasks_task *task)
{
    ngrinder_ask(task, "POST", ngrinder_url(task, tasks_text(task, "clone"), "/clone_and_start"),
                 on_ngrinder_started);
}

/* -- Concord ------------------------------------------------------------------------------------------ */

static const char *concord_url(struct tasks_task *task, const char *id)
{
    SBUF(url, 4096);
    sbuf_addf(&url, "%s/api/v1/process", tasks_text(task, "server"));
    if (id) {
        sbuf_add_char(&url, '/');
        sbuf_add_url(&url, id);
    }
    return arena_strdup(task->mem, sbuf_text(&url));
}

/* The first line of the file, NULL when it cannot be read. */
static const char *read_key(struct tasks_task *task)
{
    FILE *file = fopen(tasks_text(task, "apiKeyPath"), "re");
    if (!file)
        return NULL;
    char *key = arena_alloc(task->mem, KEY_FILE_BYTES);
    bool is_read = fgets(key, KEY_FILE_BYTES, file) != NULL;
    (void)fclose(file);
    key[strcspn(key, "\r\n")] = '\0';
    return is_read ? key : NULL;
}

static int64_t seconds_of(const struct tasks_task *task, const char *key, long otherwise)
{
    char *end;
    long seconds = strtol(tasks_text(task, key), &end, 10);
    return *end == '\0' && seconds > 0 && seconds < 86400 ? seconds : otherwise;
}

static void add_field(struct sbuf *form, const char *boundary, const char *name, const char *value)
{
    sbuf_addf(form, "--%s\r\nContent-Disposition: form-data; name=\"", boundary);
    for (const char *c = name; *c; c++)
        sbuf_add_char(form, *c == '"' || *c == '\r' || *c == '\n' ? '_' : *c);
    sbuf_addf(form, "\"\r\n\r\n%s\r\n", value);
}

static const char *concord_form(struct tasks_task *task, const char *boundary)
{
    static const char *const fields[][2] = { { "org", "org" },
                                             { "project", "project" },
                                             { "repo", "repo" },
                                             { "entryPoint", "entrypoint" },
                                             { "arguments.endpoint", "endpoint" } };
    SBUF(form, FORM_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        add_field(&form, boundary, fields[i][0], tasks_text(task, fields[i][1]));
    for (size_t i = 0; i < val_len(task->metadata); i++) {
        const struct val_pair *pair = &task->metadata->pairs[i];
        if (strncmp(pair->key, "arguments.", strlen("arguments.")) == 0 && val_text(pair->value))
            add_field(&form, boundary, pair->key, val_text(pair->value));
    }
    sbuf_addf(&form, "--%s--\r\n", boundary);
    return form.is_over ? NULL : arena_strdup(task->mem, sbuf_text(&form));
}

static void concord_poll(void *ctx);

static void on_concord_status(struct tasks_task *task, const struct http_result *result)
{
    const char *state = val_text_or(val_get(parse(task, result), "status"), "");
    int64_t poll_ms = seconds_of(task, "pollInterval", CONCORD_POLL_S) * 1000;
    if (strcmp(state, "FINISHED") == 0)
        tasks_end(task, NULL, NULL);
    else if (strcmp(state, "FAILED") == 0)
        tasks_end(task, arena_printf(task->mem, "process %s failed", task->id), NULL);
    else if (tasks_left_ms(task) <= poll_ms)
        tasks_end(task, arena_printf(task->mem, "process %s did not end in time", task->id), NULL);
    else
        tasks_wait(task, poll_ms, concord_poll);
}

static void concord_ask(struct tasks_task *task, const char *method, const char *type,
                        const char *body,
                        void (*next)(struct tasks_task *, const struct http_result *))
{
    const char *key = read_key(task);
    if (!key) {
        tasks_end(task, "the file named by apiKeyPath cannot be read", NULL);
        return;
    }
    const char *const headers[] = { arena_printf(task->mem, "Authorization: %s", key), type, NULL };
    tasks_ask(task,
              &(struct tasks_request){ .method = method,
                                       .url = concord_url(task, task->id),
                                       .headers = headers,
                                       .body = body },
              next);
}

static void concord_poll(void *ctx)
{
    struct tasks_task *task = ctx;
    task->timer = 0;
    concord_ask(task, "GET", NULL, NULL, on_concord_status);
}

static void on_concord_started(struct tasks_task *task, const struct http_result *result)
{
    task->id = val_text(val_get(parse(task, result), "instanceId"));
    if (!task->id) {
        tasks_end(task, "Concord's answer has no instanceId", NULL);
        return;
    }
    tasks_wait(task, seconds_of(task, "pollInterval", CONCORD_POLL_S) * 1000, concord_poll);
}

void tasks_start_concord(struct tasks_task *task)
{
    const char *boundary = tasks_boundary(task);
    task->limit_ms = seconds_of(task, "pollTimeout", CONCORD_LIMIT_S) * 1000;
    const char *form = concord_form(task, boundary);
    if (!form) {
        tasks_end(task, "the arguments in metadata are over 1 MiB", NULL);
        return;
    }
    concord_ask(task, "POST",
                arena_printf(task->mem, "Content-Type: multipart/form-data; boundary=%s", boundary),
                form, on_concord_started);
}
