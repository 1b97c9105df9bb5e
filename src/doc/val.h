/* doc/val.h - JSON values in an arena: what manifests, API objects and plans are made of.
 * Effects:   none.
 * Ownership: every value is borrowed from the arena it was made in. A value that was handed on is frozen: to change it,
 *            val_copy it.
 * Units:     lines and columns from 1, columns in characters; 0 where the value did not come from a text.
 * Depth is bounded by the parsers (DOC_DEPTH_MAX); what is built on top of a parsed value may add as much again.
 * Nothing here recurses, and nothing is quadratic in the number of keys. */
#ifndef SERIN_DOC_VAL_H
#define SERIN_DOC_VAL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/sbuf.h"

#define DOC_DEPTH_MAX 64
#define VAL_DEPTH_MAX (2 * DOC_DEPTH_MAX) /* of anything made from parsed values */

enum val_type { VAL_NULL, VAL_BOOL, VAL_NUMBER, VAL_STRING, VAL_LIST, VAL_MAP };

struct val;

struct val_pair {
    const char *key;
    struct val *value;
};

struct val {
    enum val_type type;
    uint32_t line, column;
    size_t len; /* bytes of a text (string, number), items of a list or map */
    size_t cap; /* of a list or map; of a number: 1 if YAML had a float */
    union {
        bool boolean;
        const char *text;   /* string; or the number as JSON writes it, lossless */
        struct val **items; /* list */
        struct {
            struct val_pair *pairs; /* map, in the order of the source; keys are unique */
            uint32_t *order; /* val.c's own: places of the pairs by key, once a map is not small */
        };
    };
};

/* Reading. All accept NULL and answer NULL, false, 0 for it, so that chains need no checks. */
struct val *val_get(const struct val *map, const char *key);        /* NULL if absent or no map */
struct val *val_path(const struct val *v, const char *const *path); /* NULL-terminated keys */
#define VAL_PATH(v, ...) val_path((v), (const char *const[]){ __VA_ARGS__, NULL })
struct val *val_item(const struct val *list, size_t index);
const char *val_text(const struct val *v); /* NULL unless a string */
const char *val_text_or(const struct val *v, const char *otherwise);
bool val_int(const struct val *v, int64_t *out); /* false unless an integer that fits */
bool val_is_true(const struct val *v);
bool val_is_map(const struct val *v);
bool val_is_list(const struct val *v);
bool val_is_null(const struct val *v);         /* NULL or a null */
size_t val_len(const struct val *v);           /* items of a list or map, else 0 */
const char *val_type_name(enum val_type type); /* "a list", for messages */

/* Making. */
struct val *val_new(struct arena *mem, enum val_type type);
struct val *val_new_text(struct arena *mem, const char *text); /* copies */
struct val *val_new_bytes(struct arena *mem, const char *bytes, size_t len);
struct val *val_new_int(struct arena *mem, int64_t number);
struct val *val_new_double(struct arena *mem, double number); /* as Go's encoding/json writes it */
struct val *val_new_bool(struct arena *mem, bool boolean);
#define val_new_map(mem)  val_new((mem), VAL_MAP)
#define val_new_list(mem) val_new((mem), VAL_LIST)
/* Replaces or appends; copies the key. */
void val_set(struct arena *mem, struct val *map, const char *key, struct val *value);
void val_set_text(struct arena *mem, struct val *map, const char *key, const char *text);
void val_append(struct arena *mem, struct val *list, struct val *item);
bool val_remove(struct val *map, const char *key); /* false if absent */
/* For those who make big maps: val_add appends without a look (the key is borrowed, and not there yet), val_seal after the
 * last one makes the map ready for val_get. */
void val_add(struct arena *mem, struct val *map, const char *key, struct val *value);
void val_seal(struct arena *mem, struct val *map);
/* The map at `key`, made (or put in place of a null) if need be; NULL if something else is there. */
struct val *val_need_map(struct arena *mem, struct val *map, const char *key);
struct val *val_copy(struct arena *mem, const struct val *v); /* deep; positions kept */
/* The same, but keys and texts are borrowed. */
struct val *val_copy_sharing(struct arena *mem, const struct val *v);
void val_sort_keys(struct val *v);  /* deep, by bytes */
void val_drop_nulls(struct val *v); /* deep, map entries only: for apply bodies */

/* Deep; order of keys does not matter, 1 is 1.0. */
bool val_equal(const struct val *a, const struct val *b);

/* Every value below and including `v`, without recursion:
 *     for (struct val_walk w = val_walk(v); val_walk_next(&w);) use(w.v, w.key, w.is_leaving);
 * Lists and maps come twice: entered, then left. */
struct val_walk {
    const struct val *v; /* the current one */
    const char *key;     /* in a map, else NULL */
    size_t index, depth; /* place among its siblings; number of lists and maps around it */
    bool is_leaving;
    const struct val *root; /* from here on the walk's own */
    struct val_frame {
        const struct val *v;
        size_t next;
    } stack[VAL_DEPTH_MAX];
};
struct val_walk val_walk(const struct val *v);
bool val_walk_next(struct val_walk *w);

/* Compact JSON as Go's encoding/json writes it (escapes of sbuf_add_json), keys in the order they stand. */
void val_format_json(const struct val *v, struct sbuf *out);
/* The same into the arena; out_len may be NULL. */
const char *val_json(struct arena *mem, const struct val *v, size_t *out_len);

#endif
