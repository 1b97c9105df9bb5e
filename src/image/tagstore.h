/* image/tagstore.h - the tags of one repository, in little memory: eight bytes and its name for a tag, some hundred more where its image
 * is known.
 * Effects:   none (pure).
 * Ownership: a store owns all it holds; views are in the caller's arena.
 * Units:     bytes; nanoseconds since 1970 for what is shown, seconds since 1970 for what is due.
 * Reference: gitops.md 5.5 (intervals of refreshing). */
#ifndef SERIN_IMAGE_TAGSTORE_H
#define SERIN_IMAGE_TAGSTORE_H

#include "image/info.h"

struct tagstore;

struct tagstore *tagstore_new(void);
void tagstore_free(struct tagstore *store);
DEFINE_SCOPED(struct tagstore, tagstore_free)

size_t tagstore_bytes(const struct tagstore *store); /* of memory */
size_t tagstore_len(const struct tagstore *store);
const char *tagstore_name(const struct tagstore *store, size_t at); /* in byte order */

/* A new complete listing in place of the last: any order, twice the same is once. What is known of tags that stay, stays. The number of
 * tags that were not there before. */
size_t tagstore_list(struct tagstore *store, const char *const *names, size_t len);

/* Is the image of this tag to be looked at? True if nothing is known of it, or its time has come. */
bool tagstore_is_due(const struct tagstore *store, size_t at, int64_t now_s);
bool tagstore_is_known(const struct tagstore *store, size_t at);
bool tagstore_is_excluded(const struct tagstore *store, size_t at); /* known, and of no use */
/* What is known of one tag; false if nothing. */
bool tagstore_info(const struct tagstore *store, struct arena *mem, size_t at,
                   struct image_info *out);

/* What was found out about a tag (copied), and when to look again: an hour later; twice as long as last time when the digest is the same,
 * half as long when it is another; a day for what is excluded, minutes if there was not even a digest. False if there is no such tag (any more). */
bool tagstore_learn(struct tagstore *store, const char *tag, const struct image_info *info);
/* It still is what it was. */
void tagstore_confirm(struct tagstore *store, const char *tag, int64_t now_ns);

/* All tags. `use_labels`: times of labels, where there are some, in place of those of images. */
void tagstore_view(const struct tagstore *store, struct arena *mem, bool use_labels,
                   struct image_repo *out);
/* The same with nothing but names, which are the store's. */
void tagstore_names(const struct tagstore *store, struct arena *mem, struct image_repo *out);

#endif
