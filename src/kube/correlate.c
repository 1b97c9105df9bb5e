#include "kube/correlate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/sbuf.h"
#include "base/utf8.h"

#define PRINT_BYTES 16
#define KEY_BYTES   (2 * PRINT_BYTES + 1)

/* Events alike in all but the message: the different messages of late. */
struct alike {
    int64_t last_ms;
    size_t len;
    unsigned char messages[KUBE_EVENT_COMBINE_FROM][PRINT_BYTES];
};

/* An event that was written. */
struct written {
    int64_t count, first_ms, name_ns;
};

/* What an object may still write. */
struct bucket {
    int64_t refilled_ms;
    int left;
};

/* Maps remember the order of insertion; a use moves an entry to the end, the first one goes when there are too many. */
struct kube_correlator {
    struct map *alike, *written, *buckets;
};

struct kube_correlator *kube_correlator_new(void)
{
    struct kube_correlator *correlator = base_alloc(sizeof(*correlator));
    correlator->alike = map_new(free);
    correlator->written = map_new(free);
    correlator->buckets = map_new(free);
    return correlator;
}

void kube_correlator_free(struct kube_correlator *correlator)
{
    if (!correlator)
        return;
    map_free(correlator->alike);
    map_free(correlator->written);
    map_free(correlator->buckets);
    free(correlator);
}

/* The entry, made (zeroed) if need be, now the last used one. */
static void *use(struct map *map, const char *key, size_t size, bool *out_is_new)
{
    void *entry = map_take(map, key);
    *out_is_new = !entry;
    if (!entry)
        entry = base_alloc(size);
    map_set(map, key, entry);
    size_t at = 0;
    const char *oldest;
    if (map_len(map) > KUBE_EVENT_REMEMBERED && map_next(map, &at, &oldest, NULL))
        map_remove(map, oldest);
    return entry;
}

static void key_of(const char *const *texts, size_t len, char out[KEY_BYTES])
{
    SBUF(all, SBUF_MAX);
    for (size_t i = 0; i < len; i++) {
        sbuf_add(&all, texts[i]);
        sbuf_add_char(&all, '\n');
    }
    unsigned char print[PRINT_BYTES];
    hash_fingerprint(sbuf_text(&all), all.len, print);
    for (size_t i = 0; i < PRINT_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[print[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[print[i] & 15];
    }
    out[KEY_BYTES - 1] = '\0';
}

/* Keys over the object, then its type and reason, then the message: each is a longer part of the same list. */
enum key_part { OF_OBJECT = 5, OF_REASON = 7, OF_MESSAGE = 8 };

static void event_key(const struct kube_event *event, enum key_part part, char out[KEY_BYTES])
{
    const char *const texts[] = { event->kind,        event->ns,
                                  event->name,        event->uid,
                                  event->api_version, event->is_warning ? "Warning" : "Normal",
                                  event->reason,      event->message };
    key_of(texts, (size_t)part, out);
}

static bool remember_message(struct alike *alike, const char *message)
{
    unsigned char print[PRINT_BYTES];
    hash_fingerprint(message, strlen(message), print);
    for (size_t i = 0; i < alike->len; i++) {
        if (!memcmp(alike->messages[i], print, PRINT_BYTES))
            return true;
    }
    if (alike->len + 1 >= KUBE_EVENT_COMBINE_FROM)
        return false; /* one message too many: it is not kept, so that the known ones stay known */
    memcpy(alike->messages[alike->len++], print, PRINT_BYTES);
    return true;
}

/* Whether this message is one of too many different ones. */
static bool is_combined(struct kube_correlator *correlator, const struct kube_event *event,
                        const char *reason_key, int64_t now_ms)
{
    bool is_new;
    struct alike *alike = use(correlator->alike, reason_key, sizeof(*alike), &is_new);
    if (now_ms - alike->last_ms > KUBE_EVENT_COMBINE_WINDOW_MS)
        alike->len = 0;
    alike->last_ms = now_ms;
    return !remember_message(alike, event->message);
}

static bool may_write(struct kube_correlator *correlator, const struct kube_event *event,
                      int64_t now_ms)
{
    char key[KEY_BYTES];
    event_key(event, OF_OBJECT, key);
    bool is_new;
    struct bucket *bucket = use(correlator->buckets, key, sizeof(*bucket), &is_new);
    if (is_new)
        *bucket = (struct bucket){ .refilled_ms = now_ms, .left = KUBE_EVENT_BURST };
    int64_t more = MAX_OF((now_ms - bucket->refilled_ms) / KUBE_EVENT_REFILL_MS, (int64_t)0);
    bucket->refilled_ms += more * KUBE_EVENT_REFILL_MS;
    bucket->left = (int)MIN_OF(bucket->left + more, (int64_t)KUBE_EVENT_BURST);
    if (bucket->left == 0)
        return false;
    bucket->left--;
    return true;
}

static bool is_subdomain(const char *name)
{
    bool starts = true; /* a label */
    char last = '.';
    for (; *name; name++) {
        bool is_alnum = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
        if (!is_alnum &&
            (starts || (*name != '-' && *name != '.') || (*name == '.' && last == '-')))
            return false;
        starts = *name == '.';
        last = *name;
    }
    return last != '.' && last != '-';
}

/* <object>.<time>; objects whose names are no names for events (system:masters) or too long leave theirs out. */
static const char *name_of(struct arena *mem, const char *object, int64_t unix_ns)
{
    bool fits = strlen(object) <= 253 - 17 && is_subdomain(object);
    return arena_printf(mem, "%s.%" PRIx64, fits ? object : "event", (uint64_t)unix_ns);
}

const char *kube_event_cut(struct arena *mem, const char *message)
{
    size_t len = utf8_fit(message, KUBE_EVENT_MESSAGE_MAX);
    return message[len] ? arena_strndup(mem, message, len) : message;
}

void kube_correlate(struct kube_correlator *correlator, struct arena *mem,
                    const struct kube_event *event, int64_t now_ns, struct kube_correlated *out)
{
    *out = (struct kube_correlated){ 0 };
    int64_t now_ms = now_ns / 1000000;
    char key[KEY_BYTES];
    event_key(event, OF_REASON, key);
    bool combined = is_combined(correlator, event, key, now_ms);
    if (!combined)
        event_key(event, OF_MESSAGE, key);
    bool is_new;
    struct written *written = use(correlator->written, key, sizeof(*written), &is_new);
    if (is_new)
        *written = (struct written){ .first_ms = now_ms, .name_ns = now_ns };
    written->count++;
    out->is_dropped = !may_write(correlator, event, now_ms);
    if (out->is_dropped)
        return;
    out->is_again = !is_new;
    out->name = name_of(mem, event->name, written->name_ns);
    const char *message = event->message;
    if (combined)
        message = arena_printf(mem, "(combined from similar events): %s", message);
    out->message = kube_event_cut(mem, message);
    out->count = written->count;
    out->first_ms = written->first_ms;
    out->last_ms = now_ms;
}
