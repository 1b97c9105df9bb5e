#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2/sys/odb_backend.h>

#include "base/vec.h"
#include "git/mirror_internal.h"

/* Every fetch leaves a pack, every tag and note some loose objects; each is a file, and each pack is opened by whoever reads.
 * Once there are many, the small ones become one pack. Objects are copied by name, not by reachability, so nothing that
 * a reader may still want disappears; large packs are not touched, so the work stays small. */
#define PACKS_MAX   40
#define LOOSE_MAX   400
#define SMALL_BYTES ((off_t)16 << 20)

struct names {
    const char **at;
    size_t len, cap;
};

struct heap {
    struct arena *mem;
    const char *objects;   /* DIR/objects */
    struct names packs;    /* small ones, without .pack */
    struct names loose;    /* files */
    git_packbuilder *pack; /* what is being made */
    int code;
};

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static void find_packs(struct heap *heap)
{
    const char *folder = arena_printf(heap->mem, "%s/pack", heap->objects);
    DIR *dir = opendir(folder);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        struct stat info;
        if (len < 5 || strcmp(entry->d_name + len - 5, ".pack") != 0)
            continue;
        const char *stem =
            arena_printf(heap->mem, "%s/%.*s", folder, (int)(len - 5), entry->d_name);
        if (!stat(arena_printf(heap->mem, "%s.pack", stem), &info) && info.st_size < SMALL_BYTES)
            *vec_push(heap->mem, &heap->packs) = stem;
    }
    if (dir)
        (void)closedir(dir);
}

static void find_loose(struct heap *heap)
{
    for (unsigned first = 0; first < 256; first++) {
        const char *folder = arena_printf(heap->mem, "%s/%02x", heap->objects, first);
        DIR *dir = opendir(folder);
        // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own
        for (struct dirent *entry; dir && (entry = readdir(dir));)
            if (is_hex(entry->d_name, GIT_OID_HEXSZ - 2))
                *vec_push(heap->mem, &heap->loose) =
                    arena_printf(heap->mem, "%s/%s", folder, entry->d_name);
        if (dir)
            (void)closedir(dir);
    }
}

static int on_object(const git_oid *oid, void *payload)
{
    struct heap *heap = payload;
    heap->code = git_packbuilder_insert(heap->pack, oid, NULL);
    return heap->code;
}

static int add_pack(struct heap *heap, const char *stem)
{
    git_odb_backend *backend = NULL;
    SCOPED(git_odb_free) git_odb *odb = NULL;
    int code = git_odb_backend_one_pack(&backend, arena_printf(heap->mem, "%s.idx", stem));
    if (!code)
        code = git_odb_new(&odb);
    if (!code)
        code = git_odb_add_backend(odb, backend, 1);
    return code ? code : git_odb_foreach(odb, on_object, heap);
}

/* objects/ab/cdef… is the object abcdef…. */
static int add_loose(struct heap *heap, const char *file)
{
    git_oid oid;
    const char *tail = file + strlen(file) - (GIT_OID_HEXSZ - 2);
    const char *hex = arena_printf(heap->mem, "%.2s%s", tail - 3, tail);
    int code = git_oid_fromstr(&oid, hex);
    return code ? code : on_object(&oid, heap);
}

static void remove_old(struct heap *heap, const char *made)
{
    for (size_t i = 0; i < heap->packs.len; i++) {
        static const char *const endings[] = { "idx", "pack" };
        size_t len = strlen(heap->packs.at[i]), made_len = strlen(made);
        if (len >= made_len && !strcmp(heap->packs.at[i] + len - made_len, made))
            continue; /* the same objects again have the same name */
        for (size_t n = 0; n < ARRAY_LEN(endings); n++)
            (void)unlink(arena_printf(heap->mem, "%s.%s", heap->packs.at[i], endings[n]));
    }
    for (size_t i = 0; i < heap->loose.len; i++)
        (void)unlink(heap->loose.at[i]);
}

static int join(struct heap *heap)
{
    int code = 0;
    for (size_t i = 0; !code && i < heap->packs.len; i++)
        code = add_pack(heap, heap->packs.at[i]);
    for (size_t i = 0; !code && i < heap->loose.len; i++)
        code = add_loose(heap, heap->loose.at[i]);
    return code ? code : git_packbuilder_write(heap->pack, NULL, 0, NULL, NULL);
}

struct err *mirror_tidy(struct mirror *mirror)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct heap heap = { .mem = mem, .objects = arena_printf(mem, "%s/objects", mirror->opts.dir) };
    find_packs(&heap);
    find_loose(&heap);
    if (heap.packs.len < PACKS_MAX && heap.loose.len < LOOSE_MAX)
        return NULL;
    SCOPED(git_repository_free)
    git_repository *repo = NULL; /* of its own: it knows the old packs */
    SCOPED(git_packbuilder_free) git_packbuilder *pack = NULL;
    int code = git_repository_open_bare(&repo, mirror->opts.dir);
    if (!code)
        code = git_packbuilder_new(&pack, repo);
    heap.pack = pack;
    if (!code)
        code = join(&heap);
    if (code)
        return mirror_git_failed(mirror, code, "join the packs of the mirror");
    char hex[MIRROR_SHA_BYTES];
    remove_old(&heap, git_oid_tostr(hex, sizeof(hex), git_packbuilder_hash(pack)));
    mirror_repo_drop_idle(mirror);
    return NULL;
}
