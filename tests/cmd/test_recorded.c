/* Every command that was recorded with the real fluxctl: serin, called by that name, has to send the same requests, bodies
 * byte for byte, and given the same answers to say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "doc/json.h"
#include "program.h"

#define FILE_MAX_BYTES ((size_t)8 << 20)
#define CASES_MAX      100

/* Commands of other pages of this house: what they write, and how. */
static const char *const others[] = { "fluxctl save", "fluxctl install" };

static const char *const scenarios[] = {
    "allow-namespace", "api-errors", "automation",    "bad-manifests",    "cli-errors",
    "git-paths",       "ignore",     "list-images",   "policies",         "no-repository",
    "readonly",        "release",    "rejected-push", "unknown-kind",     "drift",
    "first-sync",      "yaml-edits", "gc-on",         "ssh-and-identity", "branch-missing"
};

struct recorded {
    struct arena *mem;
    const struct val *commands; /* of requests.json */
    const struct val *steps[ARRAY_LEN(scenarios)];
};

struct recorded_case {
    const struct recorded *recorded;
    const struct val *command;
};

/* "<c12>" is a commit: a sha made of the number; "<c12:7>" its first digits. The < of other
 * placeholders is one that JSON would escape, and goes. */
static void add_commits(const char *text, struct sbuf *out)
{
    for (const char *at = text; *at; at++) {
        int number = 0, used = 0;
        if (!strncmp(at, "<time>", 6) || !strncmp(at, "<mark>", 6)) {
            sbuf_add_bytes(out, at + 1, 4);
            at += 5;
            continue;
        }
        if (sscanf(at, "<c%d%n", &number, &used) < 1 || (at[used] != '>' && at[used] != ':')) {
            sbuf_add_char(out, *at);
            continue;
        }
        sbuf_addf(out, "%07d", number);
        if (at[used] == '>')
            sbuf_add(out, "0123456789abcdef0123456789abcdef0");
        at += strcspn(at, ">");
    }
}

static const struct val *read_recording(struct arena *mem, const char *name)
{
    SBUF(text, 2 * FILE_MAX_BYTES);
    struct val *parsed = NULL;
    FILE *in = fopen(
        arena_printf(mem, "%s/tests/differential/recordings/flux/%s.json", PROJECT, name), "r");
    assert_non_null(in);
    char *raw = arena_alloc(mem, FILE_MAX_BYTES);
    size_t len = fread(raw, 1, FILE_MAX_BYTES - 1, in);
    assert_true(len > 0 && len < FILE_MAX_BYTES - 1);
    fclose(in);
    add_commits(raw, &text);
    struct err *e = doc_json_parse(mem, sbuf_text(&text), text.len, &parsed);
    assert_string_equal(err_text(e), "");
    return parsed;
}

static void read_all(struct recorded *out)
{
    out->commands = read_recording(out->mem, "http/requests");
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        out->steps[i] = val_get(read_recording(out->mem, scenarios[i]), "steps");
}

/* "METHOD PATH?QUERY STATUS BODY", and what the request has to hold (program.h). */
static void add_exchange(struct arena *mem, const struct val *exchange, struct sbuf *out)
{
    const struct val *request = val_get(exchange, "request"),
                     *answer = val_get(exchange, "response");
    const struct val *query = val_get(request, "query"), *sent = val_get(request, "body");
    int64_t status = 0;
    assert_true(val_int(val_get(answer, "status"), &status));
    /* Who waits for a commit in vain asks as long as the time allows. */
    bool is_waiting =
        strstr(val_text(val_get(request, "path")), "/sync") && val_len(val_get(answer, "body"));
    sbuf_addf(out, "%s%s %s", is_waiting ? "*" : "", val_text(val_get(request, "method")),
              val_text(val_get(request, "path")));
    for (size_t i = 0; i < val_len(query); i++) {
        const struct val_pair *pair = &query->pairs[i];
        sbuf_addf(out, "%c%s=%s", i ? '&' : '?', pair->key, val_text(val_item(pair->value, 0)));
    }
    sbuf_addf(out, " %lld %s\n", (long long)status, val_json(mem, val_get(answer, "body"), NULL));
    if (sent)
        sbuf_addf(out, "> %s\n", val_json(mem, sent, NULL));
}

static bool is_step_as(const struct val *step, const char *title,
                       const struct program_result *result)
{
    int64_t status = 0;
    return !strcmp(val_text_or(val_get(step, "step"), ""), title) &&
           val_int(val_get(step, "exit"), &status) && status == result->status &&
           !strcmp(val_text_or(val_get(step, "stdout"), ""), result->out) &&
           !strcmp(val_text_or(val_get(step, "stderr"), ""), result->err);
}

/* The same command was recorded in several scenarios; its exchange is that of one of them. */
static bool was_said(const struct recorded *recorded, const char *title,
                     const struct program_result *result)
{
    for (size_t s = 0; s < ARRAY_LEN(scenarios); s++) {
        for (size_t i = 0; i < val_len(recorded->steps[s]); i++) {
            if (is_step_as(val_item(recorded->steps[s], i), title, result))
                return true;
        }
    }
    return false;
}

static void command_is_as_recorded(void **state)
{
    const struct recorded_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(256 << 20);
    SBUF(script, FILE_MAX_BYTES);
    const struct val *exchanges = val_get(row->command, "exchanges");
    const char *command = val_text(val_get(row->command, "command"));
    struct program_result result;
    for (size_t i = 0; i < val_len(exchanges); i++)
        add_exchange(mem, val_item(exchanges, i), &script);
    struct program_daemon *daemon = program_daemon_start(sbuf_text(&script));
    const char *env[] = { arena_printf(mem, "FLUX_URL=http://127.0.0.1:%d/api/flux",
                                       program_daemon_port(daemon)),
                          "REGISTRY=REGISTRY.HOST:1",
                          "serin=" SERIN_PROGRAM,
                          "GIT_CONFIG_COUNT=2",
                          "GIT_CONFIG_KEY_0=user.name",
                          "GIT_CONFIG_VALUE_0=Jane Doe",
                          "GIT_CONFIG_KEY_1=user.email",
                          "GIT_CONFIG_VALUE_1=jane@example.org",
                          NULL };
    const char *line = arena_printf(mem, "exec -a fluxctl $serin %s", command + strlen("fluxctl "));
    const char *argv[] = { "bash", "-c", line, NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv, .env = env },
                &result);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    if (!was_said(row->recorded, arena_printf(mem, "ctl: %s", command + strlen("fluxctl ")),
                  &result))
        fail_msg("%s says (%d):\n%s%s", command, result.status, result.out, result.err);
}

static bool is_ours(const struct val *command)
{
    const char *text = val_text(val_get(command, "command"));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (!strncmp(text, others[i], strlen(others[i])))
            return false;
    }
    return true;
}

int main(void)
{
    SCOPED(arena_free) struct arena *mem = arena_new(512 << 20);
    struct recorded recorded = { .mem = mem };
    struct recorded_case cases[CASES_MAX];
    struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    read_all(&recorded);
    for (size_t i = 0; i < val_len(recorded.commands) && count < CASES_MAX; i++) {
        const struct val *command = val_item(recorded.commands, i);
        if (!is_ours(command))
            continue;
        cases[count] = (struct recorded_case){ &recorded, command };
        tests[count] = (struct CMUnitTest){ .name = val_text(val_get(command, "command")),
                                            .test_func = command_is_as_recorded,
                                            .initial_state = &cases[count] };
        count++;
    }
    return _cmocka_run_group_tests("recorded", tests, count, NULL, NULL);
}
