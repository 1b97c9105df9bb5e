#include "kube/resource.h"

#include "base/sbuf.h"

#define PATH_MAX_BYTES ((size_t)16 << 10)

static void add_part(struct sbuf *path, const char *part)
{
    sbuf_add_char(path, '/');
    sbuf_add_url(path, part);
}

const char *kube_path(struct arena *mem, const struct kube_resource *resource, const char *ns,
                      const char *name, const char *subresource)
{
    SBUF(path, PATH_MAX_BYTES);
    if (*resource->group) {
        sbuf_add(&path, "/apis");
        add_part(&path, resource->group);
    } else {
        sbuf_add(&path, "/api");
    }
    add_part(&path, resource->version);
    if (ns && *ns && resource->is_namespaced) {
        sbuf_add(&path, "/namespaces");
        add_part(&path, ns);
    }
    add_part(&path, resource->plural);
    if (name)
        add_part(&path, name);
    if (subresource)
        add_part(&path, subresource);
    return arena_strndup(mem, sbuf_text(&path), path.is_over ? 0 : path.len);
}
