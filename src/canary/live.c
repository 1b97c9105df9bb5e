#include "canary/live.h"

#include "base/map.h"
#include "base/sbuf.h"

#define KEY_MAX \
    ((size_t)4 << 20) /* of an object that the API server takes, whatever it is called */

/* What one form of an object is known to be. */
struct live_slot {
    bool is_known;
    enum live_state state;
    const struct val *object;
};

/* ConfigMaps and Secrets may be wanted in both forms at once. */
struct live_entry {
    struct live_slot object, checked;
    const char *checksum;
};

struct live {
    struct arena *mem;
    struct map *entries;
};

static void free_entries(void *entries)
{
    map_free(entries);
}

struct live *live_new(struct arena *mem)
{
    struct live *live = arena_alloc(mem, sizeof(*live));
    live->mem = mem;
    live->entries = map_new(NULL);
    arena_defer(mem, free_entries, live->entries);
    return live;
}

void live_want(struct live_wants *wants, const struct live_key *key)
{
    *vec_push(wants->mem, &wants->keys) = *key;
}

static void write_key(struct sbuf *out, const char *api_version, const char *kind, const char *ns,
                      const char *name)
{
    sbuf_addf(out, "%s\n%s\n%s\n%s", api_version, kind, ns, name);
}

void live_put(struct live *live, const struct live_key *key, enum live_state state,
              const struct val *object, const char *checksum)
{
    SBUF(text, KEY_MAX);
    write_key(&text, key->api_version, key->kind, key->ns, key->name);
    struct live_entry *entry = map_get(live->entries, sbuf_text(&text));
    if (!entry) {
        entry = arena_alloc(live->mem, sizeof(*entry));
        map_set(live->entries, sbuf_text(&text), entry);
    }
    bool is_here = state == LIVE_HERE, is_checked = key->form == LIVE_CHECKSUM;
    *(is_checked ? &entry->checked : &entry->object) =
        (struct live_slot){ .is_known = true, .state = state, .object = is_here ? object : NULL };
    if (is_checked)
        entry->checksum = is_here ? checksum : NULL;
}

static const struct live_entry *find_entry(const struct live *live, const char *api_version,
                                           const char *kind, const char *ns, const char *name)
{
    SBUF(text, KEY_MAX);
    write_key(&text, api_version, kind, ns, name);
    return map_get(live->entries, sbuf_text(&text));
}

enum live_state live_state(const struct live *live, const char *api_version, const char *kind,
                           const char *ns, const char *name)
{
    const struct live_entry *entry = find_entry(live, api_version, kind, ns, name);
    if (!entry)
        return LIVE_UNKNOWN;
    if (!entry->object.is_known || !entry->checked.is_known)
        return entry->object.is_known ? entry->object.state : entry->checked.state;
    /* Both are: what one of them does not know yet is not known. */
    return entry->checked.state == LIVE_UNKNOWN ? LIVE_UNKNOWN : entry->object.state;
}

const struct val *live_find(const struct live *live, const char *api_version, const char *kind,
                            const char *ns, const char *name)
{
    const struct live_entry *entry = find_entry(live, api_version, kind, ns, name);
    if (!entry)
        return NULL;
    return entry->object.is_known ? entry->object.object : entry->checked.object;
}

const char *live_checksum(const struct live *live, const char *kind, const char *ns,
                          const char *name)
{
    const struct live_entry *entry = find_entry(live, "v1", kind, ns, name);
    return entry ? entry->checksum : NULL;
}
