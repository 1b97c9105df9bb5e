/* References to images: their parts, their names, what is written for another tag. */
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "image/ref.h"

static const struct part_case {
    const char *name, *text, *domain, *path, *tag, *digest, *canonical, *formatted, *written;
} part_cases[] = {
    { "a name", "alpine", "", "alpine", "", "", "index.docker.io/library/alpine", "alpine",
      "alpine" },
    { "a name and a tag", "nginx:1.25", "", "nginx", "1.25", "", "index.docker.io/library/nginx",
      "nginx:1.25", "nginx:1.25" },
    { "a user on Docker Hub", "fluxcd/flux:1.1.0", "", "fluxcd/flux", "1.1.0", "",
      "index.docker.io/fluxcd/flux", "fluxcd/flux:1.1.0", "fluxcd/flux:1.1.0" },
    { "Docker Hub by its name", "docker.io/fluxcd/flux", "docker.io", "fluxcd/flux", "", "",
      "index.docker.io/fluxcd/flux", "docker.io/fluxcd/flux", "docker.io/fluxcd/flux" },
    { "an official image by the name of Docker Hub", "docker.io/alpine:3", "docker.io", "alpine",
      "3", "", "index.docker.io/library/alpine", "docker.io/alpine:3", "docker.io/alpine:3" },
    { "localhost with a port", "localhost:5000/hello:v1", "localhost:5000", "hello", "v1", "",
      "localhost:5000/hello", "localhost:5000/hello:v1", "localhost:5000/hello:v1" },
    { "a digest", "quay.io/a/b/c@sha256:abc", "quay.io", "a/b/c", "", "abc", "quay.io/a/b/c",
      "quay.io/a/b/c@sha256:abc", "quay.io/a/b/c@sha256:abc" },
    { "a tag beside a digest is lost in print, not in files", "quay.io/a/b:1@sha256:0123",
      "quay.io", "a/b", "1", "0123", "quay.io/a/b", "quay.io/a/b@sha256:0123",
      "quay.io/a/b:1@sha256:0123" },
    { "a path on a host with a port", "registry.example:5000/a/b:1", "registry.example:5000", "a/b",
      "1", "", "registry.example:5000/a/b", "registry.example:5000/a/b:1",
      "registry.example:5000/a/b:1" },
    { "two parts, the first a host with a dot", "quay.io:443/app:2", "quay.io:443", "app", "2", "",
      "quay.io:443/app", "quay.io:443/app:2", "quay.io:443/app:2" },
    { "a host without a dot, but with a port", "host:5000/app", "host:5000", "app", "", "",
      "host:5000/app", "host:5000/app", "host:5000/app" },
    { "a host without a dot, but with a port, and a tag", "host:5000/app:1", "host:5000", "app",
      "1", "", "host:5000/app", "host:5000/app:1", "host:5000/app:1" },
    { "of three parts the first is the host", "a/b/c:1", "a", "b/c", "1", "", "a/b/c", "a/b/c:1",
      "a/b/c:1" },
    { "a dot at the end makes no host", "a./b", "", "a./b", "", "", "index.docker.io/a./b", "a./b",
      "a./b" },
};

static void parts_match_case(void **state)
{
    const struct part_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_ref ref;
    assert_null(image_ref_parse(mem, c->text, &ref));
    assert_string_equal(ref.domain, c->domain);
    assert_string_equal(ref.path, c->path);
    assert_string_equal(ref.tag, c->tag);
    assert_string_equal(ref.digest, c->digest);
    assert_string_equal(image_ref_canonical_name(mem, &ref), c->canonical);
    assert_string_equal(image_ref_format(mem, &ref), c->formatted);
    assert_string_equal(image_ref_write(mem, &ref), c->written);
}

#define MALFORMED "expected image name as either <image>:<tag> or just <image>: invalid image ID"

static const struct error_case {
    const char *text, *error;
} error_cases[] = {
    { "", "parsing \"\": blank image name: invalid image ID" },
    { "/a", "parsing \"/a\": " MALFORMED },
    { "a/", "parsing \"a/\": " MALFORMED },
    { "/", "parsing \"/\": " MALFORMED },
    { "a:b:c", MALFORMED },
    { "quay.io/a/b:1:2", MALFORMED },
    { "a:1:2@sha256:00", MALFORMED },
    { "a:", "parsing \"a:\": " MALFORMED },
    { ":b", "parsing \":b\": " MALFORMED },
    { "a@sha256:", "parsing \"a@sha256:\": " MALFORMED },
    { "@sha256:00", "parsing \"@sha256:00\": " MALFORMED },
    { "a@sha256:00@sha256:11", "parsing \"a@sha256:00@sha256:11\": " MALFORMED },
    { "a:b/c", "parsing \"a:b/c\": " MALFORMED },
    { "a@sha256", "parsing \"a@sha256\": " MALFORMED },
    { "a@b@sha256:00", "parsing \"a@b@sha256:00\": " MALFORMED },
    { "user@host.example/a/b", "parsing \"user@host.example/a/b\": " MALFORMED },
    { "host.example?/a/b", "parsing \"host.example?/a/b\": " MALFORMED },
    { "{{ .image }}", "parsing \"{{ .image }}\": " MALFORMED },
    { "quay.io/a/b#c:1", "parsing \"quay.io/a/b#c:1\": " MALFORMED },
    { "a:1%2e", "parsing \"a:1%2e\": " MALFORMED },
    { "a@sha256:0/../1", "parsing \"a@sha256:0/../1\": " MALFORMED },
    { "a/../b", "parsing \"a/../b\": " MALFORMED },
    { "quay.io//b", "parsing \"quay.io//b\": " MALFORMED },
    { "a:..", "parsing \"a:..\": " MALFORMED },
    { "a b", "parsing \"a b\": " MALFORMED },
    { "nginx:1\n", "parsing \"nginx:1\n\": " MALFORMED },
};

static void error_matches_case(void **state)
{
    const struct error_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_ref ref;
    SCOPED(err_free) struct err *e = image_ref_parse(mem, c->text, &ref);
    assert_true(err_is(e, ERR_INVALID));
    assert_string_equal(err_text(e), c->error);
}

static void a_name_is_bounded(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char text[IMAGE_REF_BYTES_MAX + 2] = "";
    memset(text, 'a', IMAGE_REF_BYTES_MAX);
    struct image_ref ref;
    assert_null(image_ref_parse(mem, text, &ref));
    text[IMAGE_REF_BYTES_MAX] = 'a';
    SCOPED(err_free) struct err *e = image_ref_parse(mem, text, &ref);
    assert_true(err_is(e, ERR_LIMIT));
}

static const struct tag_case {
    const char *name, *text, *tag, *digest, *written;
} tag_cases[] = {
    { "a tag", "a/b:1", "2", "sha256:00ff", "a/b:2" },
    { "no tag before", "a/b", "2", "", "a/b:2" },
    { "a host stays", "quay.io/a/b:1", "2", "", "quay.io/a/b:2" },
    { "a pin goes with its tag", "a/b:1@sha256:00", "2", "sha256:00ff", "a/b:2@sha256:00ff" },
    { "a pin by hex alone", "a/b:1@sha256:00", "2", "00ff", "a/b:2@sha256:00ff" },
    { "a pin without a tag gets one", "a/b@sha256:00", "2", "sha256:00ff", "a/b:2@sha256:00ff" },
    { "a pin stays where no digest is known", "a/b:1@sha256:00", "2", "", "a/b:1@sha256:00" },
    { "a pin stays where the digest is of another kind", "a/b:1@sha256:00", "2", "sha512:00ff",
      "a/b:1@sha256:00" },
};

static void tag_matches_case(void **state)
{
    const struct tag_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_ref ref;
    assert_null(image_ref_parse(mem, c->text, &ref));
    struct image_ref other = image_ref_with_tag(&ref, c->tag, c->digest);
    assert_string_equal(image_ref_write(mem, &other), c->written);
}

static void hosts_and_paths_are_what_is_asked(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_ref ref;
    assert_null(image_ref_parse(mem, "docker.io/alpine", &ref));
    assert_string_equal(image_ref_host(&ref), "index.docker.io");
    assert_string_equal(image_ref_canonical_path(mem, &ref), "library/alpine");
    assert_string_equal(image_ref_name(mem, &ref), "docker.io/alpine");
    assert_null(image_ref_parse(mem, "ghcr.io/alpine", &ref));
    assert_string_equal(image_ref_host(&ref), "ghcr.io");
    assert_string_equal(image_ref_canonical_path(mem, &ref), "alpine");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_name_is_bounded),          SINGLE(hosts_and_paths_are_what_is_asked),
        ROWS(part_cases, parts_match_case), ROWS_BY(error_cases, text, error_matches_case),
        ROWS(tag_cases, tag_matches_case),
    };
    return rows_run("image_ref", tests, ARRAY_LEN(tests));
}
