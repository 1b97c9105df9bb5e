/* image/info.h - what is known of the tags of a repository of images.
 * Effects:   none (pure).
 * Ownership: whoever hands one out owns it; borrowed until that one's next turn.
 * Units:     nanoseconds since 1970 as the names say.
 * Reference: gitops.md 5.5, 8.5. */
#ifndef SERIN_IMAGE_INFO_H
#define SERIN_IMAGE_INFO_H

#include "doc/val.h"
#include "image/ref.h"

struct image_info {
    const char *tag;
    bool is_known;    /* what follows was read; else only that the tag exists */
    bool is_excluded; /* there is no image for a platform of ours: `why_excluded` */
    const char *why_excluded;
    const char *digest;   /* sha256:… of what the tag names (an index, too); "" */
    const char *image_id; /* sha256:… of the configuration; "" */
    const char *label_created,
        *label_build_date; /* org.opencontainers.image.created, org.label-schema.build-date; "" */
    bool has_created;
    int64_t created_ns, fetched_ns;
};

struct image_repo {
    const char *name;  /* canonical */
    const char *error; /* of the last scan; "" */
    bool is_missing;   /* that error is the registry's word that there is no such repository */
    bool
        is_complete; /* all tags were listed at least once, and `infos` are those of the last complete listing */
    const struct image_info *infos; /* by tag, in byte order */
    size_t count;
    int64_t scanned_ns; /* 0: never */
};

const struct image_info *image_repo_find(const struct image_repo *repo,
                                         const char *tag); /* NULL: no such tag */

/* {"ID","Digest"?,"ImageID"?,"Labels","CreatedAt"?,"LastFetched"?}: the name as `ref` writes it, with this info's tag. */
struct val *image_info_json(struct arena *mem, const struct image_ref *ref,
                            const struct image_info *info);

#endif
