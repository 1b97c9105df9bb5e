/* doc/build.h - puts a value together from the events of a parser: the part JSON and YAML share.
 * Effects:   none.
 * Ownership: the value is in the arena; scratch is on the heap until build_fini.
 * Units:     lines and columns from 1.
 * Keys of a map may come twice: of entries marked weak (JSON's, merged ones) the last one wins, a second strong one is an
 * error. Costs n log n for n keys whatever they are. */
#ifndef SERIN_DOC_BUILD_H
#define SERIN_DOC_BUILD_H

#include "base/vec.h"
#include "doc/val.h"

struct build_entry {
    const char *key;
    struct val *value;
    uint32_t line, column; /* of the key */
    bool is_weak;
};

struct build_frame {
    struct val *v;
    size_t first; /* of its items or entries */
};

struct build {
    struct arena *mem;
    struct val *root; /* the finished value */
    size_t depth;
    struct build_frame frames[DOC_DEPTH_MAX];
    VEC(struct val *) items;
    VEC(struct build_entry) entries;
};

void build_fini(struct build *b);
static inline void build_fini_at(struct build *b)
{
    build_fini(b);
}
/* BUILD(name, mem): an empty one that ends with its scope. */
#define BUILD(name, arena) \
    __attribute__((cleanup(build_fini_at))) struct build name = { .mem = (arena) }

/* The list or map being filled; NULL outside of any. */
const struct val *build_top(const struct build *b);
/* Begins a list or map; the depth is the caller's to bound. */
void build_open(struct build *b, struct val *container);
/* Adds a finished value to the open list, or makes it the root. */
void build_item(struct build *b, struct val *v);
/* Adds to the open map. The key is borrowed for as long as the value. */
void build_pair(struct build *b, const struct build_entry *entry);
/* Ends the open list or map and returns it, added to nothing yet. False for a strong key that came twice: `out` is its
 * second entry then. */
bool build_close(struct build *b, struct val **closed, struct build_entry *out);

#endif
