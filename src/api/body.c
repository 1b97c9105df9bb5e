#include "api/body.h"

#include <string.h>

#include "doc/field.h"
#include "doc/json.h"

/* A walk over one JSON value that finds where it ends or goes wrong. No recursion: one bit per open list or map. */
struct scan {
    const char *text;
    size_t len, at;
    uint64_t maps; /* bit i: level i is a map */
    unsigned depth;
};

enum expect {
    EXPECT_VALUE,
    EXPECT_FIRST_ITEM,
    EXPECT_FIRST_KEY,
    EXPECT_KEY,
    EXPECT_COLON,
    EXPECT_NEXT
};

enum verdict { SCAN_DONE, SCAN_BAD, SCAN_CUT, SCAN_DEEP };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static enum verdict scan_literal(struct scan *scan, const char *word)
{
    for (; *word; word++, scan->at++) {
        if (scan->at == scan->len)
            return SCAN_CUT;
        if (scan->text[scan->at] != *word)
            return SCAN_BAD;
    }
    return SCAN_DONE;
}

static enum verdict scan_escape(struct scan *scan)
{
    if (++scan->at == scan->len)
        return SCAN_CUT;
    char c = scan->text[scan->at];
    if (c == '\0' || !strchr("bfnrt\\/\"u", c))
        return SCAN_BAD;
    for (int digits = c == 'u' ? 4 : 0; digits > 0; digits--) {
        if (++scan->at == scan->len)
            return SCAN_CUT;
        if (!is_hex(scan->text[scan->at]))
            return SCAN_BAD;
    }
    return SCAN_DONE;
}

static enum verdict scan_string(struct scan *scan)
{
    for (scan->at++; scan->at < scan->len; scan->at++) {
        unsigned char c = (unsigned char)scan->text[scan->at];
        if (c == '"') {
            scan->at++;
            return SCAN_DONE;
        }
        if (c < 0x20)
            return SCAN_BAD;
        if (c == '\\') {
            enum verdict verdict = scan_escape(scan);
            if (verdict != SCAN_DONE)
                return verdict;
        }
    }
    return SCAN_CUT;
}

static enum verdict scan_digits(struct scan *scan)
{
    if (scan->at == scan->len)
        return SCAN_CUT;
    if (!is_digit(scan->text[scan->at]))
        return SCAN_BAD;
    while (scan->at < scan->len && is_digit(scan->text[scan->at]))
        scan->at++;
    return SCAN_DONE;
}

static bool scan_take(struct scan *scan, const char *any)
{
    if (scan->at == scan->len || scan->text[scan->at] == '\0' || !strchr(any, scan->text[scan->at]))
        return false;
    scan->at++;
    return true;
}

static enum verdict scan_number(struct scan *scan)
{
    scan_take(scan, "-");
    enum verdict verdict = SCAN_DONE;
    if (!scan_take(scan, "0"))
        verdict = scan_digits(scan);
    if (verdict == SCAN_DONE && scan_take(scan, "."))
        verdict = scan_digits(scan);
    if (verdict == SCAN_DONE && scan_take(scan, "eE")) {
        scan_take(scan, "+-");
        verdict = scan_digits(scan);
    }
    return verdict;
}

static enum verdict scan_scalar(struct scan *scan)
{
    switch (scan->text[scan->at]) {
    case '"': return scan_string(scan);
    case 't': return scan_literal(scan, "true");
    case 'f': return scan_literal(scan, "false");
    case 'n': return scan_literal(scan, "null");
    default:
        if (scan->text[scan->at] == '-' || is_digit(scan->text[scan->at]))
            return scan_number(scan);
        return SCAN_BAD;
    }
}

static enum verdict scan_open(struct scan *scan, bool is_map, enum expect *expect)
{
    if (scan->depth == DOC_DEPTH_MAX)
        return SCAN_DEEP;
    uint64_t bit = (uint64_t)1 << scan->depth++;
    scan->maps = is_map ? scan->maps | bit : scan->maps & ~bit;
    scan->at++;
    *expect = is_map ? EXPECT_FIRST_KEY : EXPECT_FIRST_ITEM;
    return SCAN_DONE;
}

static bool scan_in_map(const struct scan *scan)
{
    return scan->depth > 0 && (scan->maps >> (scan->depth - 1) & 1);
}

static void scan_close(struct scan *scan, enum expect *expect)
{
    scan->depth--;
    scan->at++;
    *expect = EXPECT_NEXT;
}

static enum verdict scan_next(struct scan *scan, enum expect *expect)
{
    char c = scan->text[scan->at];
    bool in_map = scan_in_map(scan);
    if (c == (in_map ? '}' : ']')) {
        scan_close(scan, expect);
        return SCAN_DONE;
    }
    if (c != ',')
        return SCAN_BAD;
    scan->at++;
    *expect = in_map ? EXPECT_KEY : EXPECT_VALUE;
    return SCAN_DONE;
}

static enum verdict scan_value(struct scan *scan, enum expect *expect)
{
    char c = scan->text[scan->at];
    if (c == '{' || c == '[')
        return scan_open(scan, c == '{', expect);
    *expect = EXPECT_NEXT;
    return scan_scalar(scan);
}

static enum verdict scan_step(struct scan *scan, enum expect *expect)
{
    char c = scan->text[scan->at];
    switch (*expect) {
    case EXPECT_FIRST_ITEM:
        if (c == ']') {
            scan_close(scan, expect);
            return SCAN_DONE;
        }
        return scan_value(scan, expect);
    case EXPECT_VALUE: return scan_value(scan, expect);
    case EXPECT_FIRST_KEY:
        if (c == '}') {
            scan_close(scan, expect);
            return SCAN_DONE;
        }
        *expect = EXPECT_COLON;
        return c == '"' ? scan_string(scan) : SCAN_BAD;
    case EXPECT_KEY: *expect = EXPECT_COLON; return c == '"' ? scan_string(scan) : SCAN_BAD;
    case EXPECT_COLON:
        if (c != ':')
            return SCAN_BAD;
        scan->at++;
        *expect = EXPECT_VALUE;
        return SCAN_DONE;
    case EXPECT_NEXT: break;
    }
    return scan_next(scan, expect);
}

static enum verdict scan_whole(struct scan *scan)
{
    enum expect expect = EXPECT_VALUE;
    do {
        while (scan->at < scan->len && scan->text[scan->at] != '\0' &&
               strchr(" \t\r\n", scan->text[scan->at]))
            scan->at++;
        if (scan->at == scan->len)
            return SCAN_CUT;
        enum verdict verdict = scan_step(scan, &expect);
        if (verdict != SCAN_DONE)
            return verdict;
    } while (scan->depth > 0);
    return SCAN_DONE;
}

struct err *api_body_value(struct arena *mem, const char *text, size_t len, struct val **out,
                           int64_t *offset)
{
    struct scan scan = { .text = text, .len = len };
    if (offset)
        *offset = 0;
    switch (scan_whole(&scan)) {
    case SCAN_DONE: return doc_json_parse(mem, text, scan.at, out);
    case SCAN_CUT: return err_new(ERR_INVALID, "the body is not JSON: it ends too early");
    case SCAN_DEEP:
        return err_new(ERR_INVALID, "the body is not acceptable: more than %d levels deep",
                       DOC_DEPTH_MAX);
    case SCAN_BAD: break;
    }
    if (offset)
        *offset = (int64_t)scan.at + 1;
    return err_new(ERR_INVALID, "the body is not JSON: byte %zu is not expected there",
                   scan.at + 1);
}

static struct err *read_map(struct arena *mem, const char *text, size_t len, const struct val **out,
                            int64_t *offset)
{
    struct val *root = NULL;
    TRY(api_body_value(mem, text, len, &root, offset));
    if (!val_is_map(root) && !val_is_null(root))
        return doc_field_wrong("the body", root, "a map");
    *out = root;
    return NULL;
}

static struct err *read_git_source(const struct val *source, struct api_change *out)
{
    out->kind = API_CHANGE_GIT;
    TRY(doc_field_text(source, "URL", &out->url));
    return doc_field_text(source, "Branch", &out->branch);
}

static struct err *read_image_source(const struct val *source, struct api_change *out)
{
    const struct val *name;
    out->kind = API_CHANGE_IMAGE;
    TRY(doc_field_map(source, "Name", &name));
    TRY(doc_field_text(name, "Domain", &out->domain));
    return doc_field_text(name, "Image", &out->image);
}

struct err *api_body_change(struct arena *mem, const char *text, size_t len, struct api_change *out,
                            int64_t *offset)
{
    const struct val *root = NULL, *source;
    const char *kind = "";
    TRY(read_map(mem, text, len, &root, offset));
    TRY(doc_field_text(root, "Kind", &kind));
    TRY(doc_field_map(root, "Source", &source));
    *out = (struct api_change){ .url = "", .branch = "", .domain = "", .image = "" };
    if (strcmp(kind, "git") == 0)
        return read_git_source(source, out);
    if (strcmp(kind, "image") == 0)
        return read_image_source(source, out);
    return err_new(ERR_INVALID, "unknown notification kind: \"%.100s\"", kind);
}

struct err *api_body_bool(struct arena *mem, const char *text, size_t len, bool *out,
                          int64_t *offset)
{
    struct val *root = NULL;
    TRY(api_body_value(mem, text, len, &root, offset));
    if (root && root->type != VAL_BOOL && root->type != VAL_NULL)
        return doc_field_wrong("the body", root, "true or false");
    *out = val_is_true(root);
    return NULL;
}
