#include "image/tagstore.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

#define DIGEST_BYTES  32
#define DIGEST_PREFIX "sha256:"
#define NS_PER_S      ((int64_t)1000000000)

#define REFRESH_FIRST_S    3600
#define REFRESH_LEAST_S    300
#define REFRESH_MOST_S     (7 * 24 * 3600)
#define REFRESH_EXCLUDED_S (24 * 3600)

/* What is known of the image of one tag. */
struct fact {
    unsigned char digest[DIGEST_BYTES], image_id[DIGEST_BYTES];
    int64_t created_ns, fetched_ns;
    uint32_t refresh_s;
    bool has_digest, has_id, is_bare_id, has_created, is_excluded;
    /* why_excluded, or both labels with a NUL between; NULL: none. */
    char *text;
};

/*   tags: [name 0 | fact 1] [name 1 | 0] ...     in order of their names
 *            |        └────────────► facts: [0] [1] ...      any order, one for each tag whose image is known
 *            └─► names: "1.0\0001.1\000..."  */
struct tag {
    uint32_t name; /* offset */
    uint32_t fact; /* index + 1; 0: none */
};

struct tagstore {
    struct tag *tags;
    size_t len;
    char *names;
    size_t names_len;
    struct fact *facts;
    size_t facts_len, facts_cap, texts_len;
};

struct tagstore *tagstore_new(void)
{
    return base_alloc(sizeof(struct tagstore));
}

void tagstore_free(struct tagstore *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->facts_len; i++)
        free(store->facts[i].text);
    free(store->facts);
    free(store->names);
    free(store->tags);
    free(store);
}

size_t tagstore_bytes(const struct tagstore *store)
{
    return sizeof(*store) + store->len * sizeof(struct tag) + store->names_len +
           store->facts_cap * sizeof(struct fact) + store->texts_len;
}

size_t tagstore_len(const struct tagstore *store)
{
    return store->len;
}

const char *tagstore_name(const struct tagstore *store, size_t at)
{
    return store->names + store->tags[at].name;
}

static struct tag *find_tag(const struct tagstore *store, const char *name)
{
    size_t low = 0, high = store->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, tagstore_name(store, middle));
        if (order == 0)
            return &store->tags[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static struct fact *fact_of(const struct tagstore *store, const struct tag *tag)
{
    return tag && tag->fact ? &store->facts[tag->fact - 1] : NULL;
}

/* -- listings */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sort_names(const char **names, size_t len)
{
    size_t kept = 0;
    if (len > 0)
        qsort(names, len, sizeof(*names), compare_names);
    for (size_t i = 0; i < len; i++) {
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    }
    return kept;
}

static size_t add_up(const char *const *names, size_t len)
{
    size_t bytes = 0;
    for (size_t i = 0; i < len; i++)
        bytes += strlen(names[i]) + 1;
    return bytes;
}

static size_t pair_len(const char *text)
{
    size_t first = strlen(text) + 1;
    return first + strlen(text + first) + 1;
}

static size_t text_len(const struct fact *fact)
{
    if (!fact->text)
        return 0;
    return fact->is_excluded ? strlen(fact->text) + 1 : pair_len(fact->text);
}

static void move_fact(struct tagstore *to, struct tag *tag, struct fact *fact)
{
    to->facts[to->facts_len++] = *fact;
    to->texts_len += text_len(fact);
    fact->text = NULL;
    tag->fact = (uint32_t)to->facts_len;
}

size_t tagstore_list(struct tagstore *store, const char *const *names, size_t len)
{
    const char **sorted = base_alloc((len + 1) * sizeof(*sorted));
    if (len > 0)
        memcpy(sorted, names, len * sizeof(*sorted));
    len = sort_names(sorted, len);
    struct tagstore *old = tagstore_new();
    size_t fresh = 0;
    *old = *store;
    *store = (struct tagstore){ .len = len, .names_len = add_up(sorted, len) };
    store->tags = base_alloc(MAX_OF(len, 1) * sizeof(struct tag));
    store->names = base_alloc(MAX_OF(store->names_len, 1));
    store->facts_cap = old->facts_len;
    store->facts = base_alloc(MAX_OF(store->facts_cap, 1) * sizeof(struct fact));
    size_t offset = 0;
    for (size_t i = 0; i < len; i++) {
        size_t size = strlen(sorted[i]) + 1;
        memcpy(store->names + offset, sorted[i], size);
        store->tags[i] = (struct tag){ .name = (uint32_t)offset };
        offset += size;
        const struct tag *known = find_tag(old, sorted[i]);
        fresh += known == NULL;
        if (known && known->fact)
            move_fact(store, &store->tags[i], fact_of(old, known));
    }
    tagstore_free(old);
    free(sorted);
    return fresh;
}

/* -- facts */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned char out[DIGEST_BYTES])
{
    if (strlen(text) != (size_t)2 * DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static const char *bare(const char *digest)
{
    size_t len = strlen(DIGEST_PREFIX);
    return strncmp(digest, DIGEST_PREFIX, len) == 0 ? digest + len : digest;
}

static const char *show_hex(struct arena *mem, const unsigned char bytes[DIGEST_BYTES],
                            const char *prefix)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = strlen(prefix);
    char *text = arena_alloc(mem, at + (size_t)2 * DIGEST_BYTES + 1);
    memcpy(text, prefix, at);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        text[at++] = digits[bytes[i] >> 4];
        text[at++] = digits[bytes[i] & 15];
    }
    return text;
}

static uint32_t clip(uint32_t refresh_s)
{
    return MIN_OF(MAX_OF(refresh_s, REFRESH_LEAST_S), REFRESH_MOST_S);
}

static uint32_t next_refresh(const struct fact *old, const struct fact *now)
{
    if (now->is_excluded) /* without a digest it could not even be read */
        return now->has_digest ? REFRESH_EXCLUDED_S : REFRESH_LEAST_S;
    if (!old || old->is_excluded)
        return REFRESH_FIRST_S;
    bool is_same =
        old->has_digest == now->has_digest && memcmp(old->digest, now->digest, DIGEST_BYTES) == 0;
    return clip(is_same ? old->refresh_s * 2 : old->refresh_s / 2);
}

static char *join_labels(const char *first, const char *second)
{
    size_t first_len = strlen(first), second_len = strlen(second);
    if (first_len + second_len == 0)
        return NULL;
    char *text = base_alloc(first_len + second_len + 2);
    memcpy(text, first, first_len);
    memcpy(text + first_len + 1, second, second_len);
    return text;
}

static struct fact read_info(const struct image_info *info)
{
    struct fact fact = { .created_ns = info->created_ns,
                         .fetched_ns = info->fetched_ns,
                         .has_created = info->has_created,
                         .is_excluded = info->is_excluded };
    fact.has_digest = read_hex(bare(info->digest), fact.digest);
    fact.has_id = read_hex(bare(info->image_id), fact.image_id);
    fact.is_bare_id = bare(info->image_id) == info->image_id;
    fact.text = info->is_excluded ? base_copy_text(info->why_excluded)
                                  : join_labels(info->label_created, info->label_build_date);
    return fact;
}

static struct fact *add_fact(struct tagstore *store, struct tag *tag)
{
    if (store->facts_len == store->facts_cap) {
        store->facts_cap = MAX_OF(store->facts_cap + store->facts_cap / 4, 8);
        store->facts = base_realloc(store->facts, store->facts_cap * sizeof(struct fact));
    }
    tag->fact = (uint32_t)++store->facts_len;
    store->facts[store->facts_len - 1] = (struct fact){ .text = NULL };
    return &store->facts[store->facts_len - 1];
}

bool tagstore_learn(struct tagstore *store, const char *tag, const struct image_info *info)
{
    struct tag *found = find_tag(store, tag);
    if (!found)
        return false;
    struct fact *place = fact_of(store, found), fact = read_info(info);
    fact.refresh_s = next_refresh(place, &fact);
    if (!place)
        place = add_fact(store, found);
    store->texts_len += text_len(&fact) - text_len(place);
    free(place->text);
    *place = fact;
    return true;
}

void tagstore_confirm(struct tagstore *store, const char *tag, int64_t now_ns)
{
    struct fact *fact = fact_of(store, find_tag(store, tag));
    if (!fact)
        return;
    fact->refresh_s = fact->is_excluded ? REFRESH_EXCLUDED_S : clip(fact->refresh_s * 2);
    fact->fetched_ns = now_ns;
}

bool tagstore_is_known(const struct tagstore *store, size_t at)
{
    return store->tags[at].fact != 0;
}

bool tagstore_is_excluded(const struct tagstore *store, size_t at)
{
    const struct fact *fact = fact_of(store, &store->tags[at]);
    return fact && fact->is_excluded;
}

bool tagstore_is_due(const struct tagstore *store, size_t at, int64_t now_s)
{
    const struct fact *fact = fact_of(store, &store->tags[at]);
    return !fact || fact->fetched_ns / NS_PER_S + fact->refresh_s <= now_s;
}

/* -- views */

static void show_fact(struct arena *mem, const struct fact *fact, struct image_info *out)
{
    out->is_known = true;
    out->is_excluded = fact->is_excluded;
    out->fetched_ns = fact->fetched_ns;
    out->has_created = fact->has_created;
    out->created_ns = fact->created_ns;
    if (fact->has_digest)
        out->digest = show_hex(mem, fact->digest, DIGEST_PREFIX);
    if (fact->has_id)
        out->image_id = show_hex(mem, fact->image_id, fact->is_bare_id ? "" : DIGEST_PREFIX);
    if (fact->text && fact->is_excluded) {
        out->why_excluded = arena_strdup(mem, fact->text);
    } else if (fact->text) {
        out->label_created = arena_strdup(mem, fact->text);
        out->label_build_date = arena_strdup(mem, fact->text + strlen(fact->text) + 1);
    }
}

static struct image_info unknown(const char *tag)
{
    return (struct image_info){ .tag = tag,
                                .why_excluded = "",
                                .digest = "",
                                .image_id = "",
                                .label_created = "",
                                .label_build_date = "" };
}

static struct image_info show_tag(const struct tagstore *store, struct arena *mem, size_t at)
{
    struct image_info info = unknown(arena_strdup(mem, tagstore_name(store, at)));
    const struct fact *fact = fact_of(store, &store->tags[at]);
    if (fact)
        show_fact(mem, fact, &info);
    return info;
}

bool tagstore_info(const struct tagstore *store, struct arena *mem, size_t at,
                   struct image_info *out)
{
    *out = show_tag(store, mem, at);
    return out->is_known;
}

static void trust_labels(struct image_info *info)
{
    const char *text = *info->label_created ? info->label_created : info->label_build_date;
    int64_t ns;
    if (*text == '\0')
        return;
    SCOPED(err_free) struct err *e = time_parse(text, &ns);
    if (e)
        return;
    info->created_ns = ns;
    info->has_created = true;
}

void tagstore_view(const struct tagstore *store, struct arena *mem, bool use_labels,
                   struct image_repo *out)
{
    struct image_info *infos = arena_alloc(mem, MAX_OF(store->len, 1) * sizeof(*infos));
    for (size_t i = 0; i < store->len; i++) {
        infos[i] = show_tag(store, mem, i);
        if (use_labels)
            trust_labels(&infos[i]);
    }
    out->infos = infos;
    out->count = store->len;
}

void tagstore_names(const struct tagstore *store, struct arena *mem, struct image_repo *out)
{
    struct image_info *infos = arena_alloc(mem, MAX_OF(store->len, 1) * sizeof(*infos));
    for (size_t i = 0; i < store->len; i++)
        infos[i] = unknown(tagstore_name(store, i));
    out->infos = infos;
    out->count = store->len;
}
