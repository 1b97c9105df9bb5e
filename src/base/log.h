/* base/log.h - one line per fact: logfmt (as fluxd writes it, reference/gitops.md 1.5), JSON, or what Go's zap writes
 * (reference/canary.md 9.3).
 * Effects:   hands finished lines to the sink it was made with; the clock is an argument of log_init.
 * Ownership: fields are borrowed for the call.
 * Units:     none.
 *
 *     log_info(log, F("component", "sync-loop"), F("event", "refreshed"), F("HEAD", sha));
 *
 * Never pass a secret: headers, tokens, Secret data and URLs with a password have no formatter. */
#ifndef SERIN_BASE_LOG_H
#define SERIN_BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;
    enum { LOG_TEXT, LOG_INT, LOG_BOOL, LOG_SECONDS } type;
    const char *text; /* NULL prints null */
    int64_t number;
};

#define F(name, value) ((struct log_field){ .key = (name), .type = LOG_TEXT, .text = (value) })
#define FI(name, value) \
    ((struct log_field){ .key = (name), .type = LOG_INT, .number = (int64_t)(value) })
#define FB(name, value) ((struct log_field){ .key = (name), .type = LOG_BOOL, .number = (value) })
#define FMS(name, value) \
    ((struct log_field){ .key = (name), .type = LOG_SECONDS, .number = (int64_t)(value) }) /* ms */

struct log {
    enum log_level least;
    bool is_json;
    /* Level, time, caller, message, then the other fields; without is_json in zap's console format. The message is the first of
     * the fields msg, warning, info, error, err, event that there is. */
    bool is_zap;
    void (*write)(void *ctx, const char *line, size_t len); /* line ends in \n */
    int64_t (*wall_ns)(void *ctx);
    void *ctx;
};

void log_line(const struct log *log, enum log_level level, const char *caller,
              const struct log_field *fields, size_t count);

#define LOG_TEXT_OF(x)  LOG_TEXT_OF_(x)
#define LOG_TEXT_OF_(x) #x
#define LOG_AT(log, level, ...)                                       \
    log_line((log), (level), __FILE_NAME__ ":" LOG_TEXT_OF(__LINE__), \
             (const struct log_field[]){ __VA_ARGS__ },               \
             sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
#define log_debug(log, ...) LOG_AT(log, LOG_DEBUG, __VA_ARGS__)
#define log_info(log, ...)  LOG_AT(log, LOG_INFO, __VA_ARGS__)
#define log_warn(log, ...)  LOG_AT(log, LOG_WARN, __VA_ARGS__)
#define log_error(log, ...) LOG_AT(log, LOG_ERROR, __VA_ARGS__)

#endif
