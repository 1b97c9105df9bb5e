/* image/wire.h - what registries say: lists of tags, manifests, challenges, credentials files. Nothing of it is trusted.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Units:     bytes; nanoseconds since 1970.
 * Errors:    ERR_INVALID says what is wrong; ERR_LIMIT names the bound.
 * Reference: gitops.md 5.5; the Docker Registry HTTP API V2, the OCI distribution and image specifications. */
#ifndef SERIN_IMAGE_WIRE_H
#define SERIN_IMAGE_WIRE_H

#include "image/info.h"

#define IMAGE_TAGS_MAX      ((size_t)100000) /* of one repository */
#define IMAGE_MANIFEST_MAX  ((size_t)4 << 20)
#define IMAGE_TAG_BYTES_MAX ((size_t)128)

/* {"name","tags":[…]}: appended to `tags`; null is none. Names that are no tags are left out and counted. */
struct image_tags {
    const char **at;
    size_t len, cap;
    size_t bad;
};
MUST_USE struct err *image_wire_tags(struct arena *mem, const char *body, size_t len,
                                     struct image_tags *tags);

/* The next page of a Link header, against the URL that was asked: NULL if there is none. ERR_INVALID: it leads to another host or
 * scheme. */
MUST_USE struct err *image_wire_next(struct arena *mem, const char *url, const char *link,
                                     const char **out);

/* WWW-Authenticate; one of over 16 KiB is none. */
enum image_auth { IMAGE_AUTH_NONE, IMAGE_AUTH_BASIC, IMAGE_AUTH_BEARER };
struct image_challenge {
    enum image_auth kind;
    const char *realm, *service, *scope; /* "" where not given */
};
void image_wire_challenge(struct arena *mem, const char *header, struct image_challenge *out);

/* A manifest of any kind: schema 1, schema 2, OCI; lists and indexes by the platforms wanted ("linux/amd64", "linux/arm64/v8", in
 * order of preference). */
enum image_manifest_kind { IMAGE_MANIFEST_CONFIG, IMAGE_MANIFEST_INDEX, IMAGE_MANIFEST_V1 };
struct image_manifest {
    enum image_manifest_kind kind;
    const char *config_digest; /* CONFIG: of the blob that says when and what */
    const char
        *child_digest; /* INDEX: the manifest to go on with; NULL: no platform of ours, `why` */
    const char *why;
    struct image_info info; /* V1: all there is */
};
MUST_USE struct err *image_wire_manifest(struct arena *mem, const char *body, size_t len,
                                         const char *content_type, const char *const *platforms,
                                         struct image_manifest *out);
/* The configuration: created, labels (of config and container_config). Bad times are left out. */
MUST_USE struct err *image_wire_config(struct arena *mem, const char *body, size_t len,
                                       struct image_info *out);

/* .dockercfg, .dockerconfigjson, config.json. One bad entry leaves out itself, not the others (`bad` counts). */
struct image_login {
    const char
        *host; /* scheme and path removed; docker.io and its other names are index.docker.io */
    const char *user, *password;
    const char *token; /* identitytoken, or registrytoken (is_bearer: sent as it is); "" */
    const char
        *helper; /* credHelpers, credsStore (host ""): the program docker-credential-<helper>; "" */
    bool is_bearer;
};
struct image_logins {
    struct image_login *at;
    size_t len, cap;
    size_t bad;
};
MUST_USE struct err *image_wire_docker_config(struct arena *mem, const char *text, size_t len,
                                              struct image_logins *out);

#endif
