#include "sync/encrypted.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/sbuf.h"
#include "doc/yaml.h"

#define BRIEF_BYTES ((size_t)900)
#define MASK        "***"
#define SCAN_BYTES  ((size_t)512 << 20) /* of a parsed file: as much as reading it may take */

/* -- SOPS ---------------------------------------------------------------------------------------- */

bool encrypted_is_sops_document(const struct val *root)
{
    const struct val *sops = val_get(root, "sops");
    return val_is_map(sops) && (val_get(sops, "mac") || val_get(sops, "lastmodified"));
}

/* What is broken is told of by who reads it; what stands before it is looked at here all the same. */
bool encrypted_is_sops(const char *text, size_t len)
{
    if (!memmem(text, len, "sops", 4))
        return false;
    SCOPED(arena_free) struct arena *scratch = arena_new(SCAN_BYTES);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(scratch, text, len, &doc_yaml_default_limits, &docs, NULL);
    for (size_t i = 0; i < docs.len; i++) {
        if (encrypted_is_sops_document(docs.at[i].root))
            return true;
    }
    return false;
}

void encrypted_refuse(struct arena *mem, struct manifest_list *manifests,
                      struct manifest_problems *problems, const char *why)
{
    size_t kept = 0;
    for (size_t i = 0; i < manifests->len; i++) {
        const struct manifest *manifest = &manifests->at[i];
        if (!encrypted_is_sops_document(manifest->object)) {
            manifests->at[kept++] = *manifest;
            continue;
        }
        const struct manifest_problem where = { .path = manifest->path,
                                                .line = manifest->line,
                                                .column = manifest->column,
                                                .severity = MANIFEST_ERROR };
        manifest_report(mem, problems, &where, "%s", why);
    }
    manifests->len = kept;
}

/* -- git-secret ---------------------------------------------------------------------------------- */

static bool is_plain_path(const char *path)
{
    for (const char *at = path; *at; at++) {
        if (iscntrl((unsigned char)*at))
            return false;
    }
    return *path && *path != '-' && !strstr(path, "/-") && !files_is_below(path, ".git");
}

static struct err *read_line(struct arena *mem, const char *line, size_t len, const char **out)
{
    const char *colon = memchr(line, ':', len);
    const char *path = arena_strndup(mem, line, colon ? (size_t)(colon - line) : len);
    *out = "";
    if (!*path)
        return NULL;
    TRY(err_wrap(files_clean_path(mem, path, out), ENCRYPTED_MAPPING));
    return is_plain_path(*out)
               ? NULL
               : err_new(ERR_INVALID,
                         ENCRYPTED_MAPPING ": a path that git-secret cannot reveal here: %s",
                         encrypted_brief(mem, path));
}

struct err *encrypted_read_mapping(struct arena *mem, const char *text, size_t len,
                                   struct encrypted_paths *out)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;
        const char *path = "";
        TRY(read_line(mem, text + at, line_len, &path));
        if (*path)
            *vec_push(mem, out) = path;
        at += line_len + 1;
    }
    return NULL;
}

bool encrypted_is_of_git_secret(const char *path)
{
    size_t len = strlen(path), tail = strlen(ENCRYPTED_SUFFIX);
    return files_is_below(path, ENCRYPTED_DIR) ||
           (len > tail && !strcmp(path + len - tail, ENCRYPTED_SUFFIX));
}

/* -- what may be said ---------------------------------------------------------------------------- */

/* The end of a quoted text that begins at `at`; NULL: it has none. */
static const char *end_of_quoted(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        at += *at == '\\' && at[1];
    return *at ? at : NULL;
}

static bool is_kept(const char *bytes, size_t len, const char *const *kept)
{
    for (; *kept; kept++) {
        if (strlen(*kept) == len && !memcmp(bytes, *kept, len))
            return true;
    }
    return false;
}

/* Values come quoted ("x", as JSON does), or bare after these words of the API server. */
static size_t skip_bare_value(const char *at)
{
    static const char *const words[] = { "Invalid value: ", "Unsupported value: ",
                                         "Duplicate value: " };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i]);
        if (!strncmp(at, words[i], len) && at[len] != '"')
            return len;
    }
    return 0;
}

const char *encrypted_mask(struct arena *mem, const char *text, const char *const *kept)
{
    SBUF(out, SBUF_MAX);
    for (const char *at = text; *at;) {
        const char *end = *at == '"' ? end_of_quoted(at) : NULL;
        size_t words = skip_bare_value(at);
        if (words) { /* a number, a map, a list: to the end */
            sbuf_add_bytes(&out, at, words);
            sbuf_add(&out, MASK);
            break;
        }
        if (*at == '"' && !end) {
            sbuf_add(&out, MASK);
            break;
        }
        size_t len = end ? (size_t)(end - at) + 1 : 1;
        if (end && !is_kept(at + 1, len - 2, kept))
            sbuf_add(&out, "\"" MASK "\"");
        else
            sbuf_add_bytes(&out, at, len);
        at += len;
    }
    return arena_strdup(mem, sbuf_text(&out));
}

/* Bytes of a private key that begins here; 0: none does. */
static size_t key_length(const char *at)
{
    static const char age[] = "AGE-SECRET-KEY-", armour[] = "-----BEGIN ";
    if (!strncasecmp(at, age, sizeof(age) - 1))
        return strcspn(at, " \t\r\n\"'");
    return !strncmp(at, armour, sizeof(armour) - 1) ? strlen(at) : 0;
}

const char *encrypted_brief(struct arena *mem, const char *said)
{
    SBUF(out, SBUF_MAX);
    bool wants_space = false;
    for (const char *at = said; *at && out.len < BRIEF_BYTES;) {
        size_t key = key_length(at);
        bool is_space = !key && (isspace((unsigned char)*at) || iscntrl((unsigned char)*at));
        if (!is_space && wants_space && out.len)
            sbuf_add_char(&out, ' ');
        wants_space = is_space;
        if (key)
            sbuf_add(&out, MASK);
        else if (!is_space)
            sbuf_add_char(&out, *at);
        at += key ? key : 1;
    }
    size_t len = out.len;
    const char *text = sbuf_text(&out);
    if (len >= BRIEF_BYTES) { /* not in the middle of a character */
        while (len && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
            len--;
        len -= len && (unsigned char)text[len - 1] >= 0xc0;
        return arena_printf(mem, "%.*s...", (int)len, text);
    }
    return arena_strndup(mem, text, len);
}
