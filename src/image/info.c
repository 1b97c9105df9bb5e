#include "image/info.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

static int by_tag(const void *key, const void *info)
{
    return strcmp(key, ((const struct image_info *)info)->tag);
}

const struct image_info *image_repo_find(const struct image_repo *repo, const char *tag)
{
    if (!repo || repo->count == 0)
        return NULL;
    return bsearch(tag, repo->infos, repo->count, sizeof(*repo->infos), by_tag);
}

static void set_if_any(struct arena *mem, struct val *map, const char *key, const char *text)
{
    if (text && *text)
        val_set_text(mem, map, key, text);
}

static void set_time(struct arena *mem, struct val *map, const char *key, int64_t unix_ns)
{
    char text[TIME_TEXT_BYTES];
    time_format_nanos(unix_ns, text);
    val_set_text(mem, map, key, text);
}

struct val *image_info_json(struct arena *mem, const struct image_ref *ref,
                            const struct image_info *info)
{
    struct image_ref tagged = *ref;
    tagged.tag = info->tag;
    tagged.digest = "";
    struct val *value = val_new_map(mem), *labels = val_new_map(mem);
    val_set_text(mem, value, "ID", image_ref_format(mem, &tagged));
    if (info->is_known) {
        set_if_any(mem, value, "Digest", info->digest);
        set_if_any(mem, value, "ImageID", info->image_id);
        set_if_any(mem, labels, "org.label-schema.build-date", info->label_build_date);
        set_if_any(mem, labels, "org.opencontainers.image.created", info->label_created);
    }
    val_set(mem, value, "Labels", labels);
    if (info->is_known && info->has_created)
        set_time(mem, value, "CreatedAt", info->created_ns);
    if (info->is_known && info->fetched_ns != 0)
        set_time(mem, value, "LastFetched", info->fetched_ns);
    return value;
}
