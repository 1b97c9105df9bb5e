#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "base/utf8.h"
#include "doc/edit.h"
#include "doc/yaml.h"

#define STEPS_MAX 32

/* 's'et a path to a text; 'p'ut, 'r'emove the last step of a path. Steps are parted by |, those with # are indices. */
struct op {
    char what;
    size_t document;
    const char *path, *text;
};

// clang-format off
static const struct edit_case {
    const char *name, *before;
    struct op ops[4];
    const char *after;
} edit_cases[] = {
    /* ---- scalars and their styles ---- */
    { "a plain scalar stays plain", "a:   b   # why\nc: d\n", { { 's', 0, "a", "app:1.10" } }, "a:   app:1.10   # why\nc: d\n" },
    { "single quotes stay", "a: 'b'\n", { { 's', 0, "a", "it's" } }, "a: 'it''s'\n" },
    { "double quotes stay", "a: \"b\" # c\n", { { 's', 0, "a", "say \"x\"\\" } }, "a: \"say \\\"x\\\"\\\\\" # c\n" },
    { "double quotes over lines become one", "a: \"b \\\n  c\"\nd: e\n", { { 's', 0, "a", "x" } }, "a: \"x\"\nd: e\n" },
    { "plain text over lines becomes one", "a: b\n  c\n\n  d\ne: f\n", { { 's', 0, "a", "x" } }, "a: x\ne: f\n" },
    { "a value on the next line stays there", "a:\n  # about\n  b\n", { { 's', 0, "a", "x" } }, "a:\n  # about\n  x\n" },
    { "a literal becomes a scalar on its line", "a: |  # why\n  b\n  c\n\n# next\nd: e\n", { { 's', 0, "a", "x" } }, "a: x  # why\n\n# next\nd: e\n" },
    { "a folded one too, in a list", "- >-\n  b\n  c\n- d\n", { { 's', 0, "#0", "x: y" } }, "- 'x: y'\n- d\n" },
    { "a literal that keeps blank lines", "a: |+\n  b\n\n\nc: d\n", { { 's', 0, "a", "x" } }, "a: x\n\n\nc: d\n" },
    { "a literal with an indent of its own at the end of the text", "a: |2-\n   b", { { 's', 0, "a", "x" } }, "a: x" },
    { "a literal of nothing", "a: |\n\nb: c\n", { { 's', 0, "a", "x" } }, "a: x\n\nb: c\n" },
    { "an empty value gets text behind its colon", "a: # why\nb:\n- \n-\n", { { 's', 0, "a", "x" }, { 's', 0, "b|#1", "u" } }, "a: x # why\nb:\n- \n- u\n" },
    { "null is replaced", "a: ~\nb: null # c\n", { { 's', 0, "a", "x" }, { 's', 0, "b", "u" } }, "a: x\nb: u # c\n" },
    { "equal text changes nothing", "a: \"b\\x63\"\n", { { 's', 0, "a", "bc" } }, "a: \"b\\x63\"\n" },
    { "the later of two edits wins", "a: b\n", { { 's', 0, "a", "c" }, { 's', 0, "a", "d" } }, "a: d\n" },
    { "back to what it was", "a: 'b'\n", { { 's', 0, "a", "c" }, { 's', 0, "a", "b" } }, "a: 'b'\n" },
    { "a number becomes text", "a: 1.10\n", { { 's', 0, "a", "1.10" } }, "a: '1.10'\n" },
    { "text of control characters is escaped", "a: 'b'\n", { { 's', 0, "a", "x\ny\t\x01\xc2\x85\xe2\x80\xa8" } }, "a: \"x\\ny\\t\\u0001\\u0085\\u2028\"\n" },
    { "nothing becomes quotes", "a: b\n", { { 's', 0, "a", "" } }, "a: ''\n" },
    /* ---- where things stand ---- */
    { "a list below its key", "a:\n- b: c\n  d: e\n", { { 's', 0, "a|#0|d", "x" } }, "a:\n- b: c\n  d: x\n" },
    { "brackets stay", "a: {b: [c,  d], e: f}\n", { { 's', 0, "a|b|#1", "x, y" } }, "a: {b: [c,  'x, y'], e: f}\n" },
    { "empty values in brackets", "{a: , b, \"c\"}\n", { { 's', 0, "a", "x" }, { 's', 0, "b", "u" }, { 's', 0, "c", "z" } }, "{a: x , b: u, \"c\": z}\n" },
    { "a key over lines without a value", "{b\n c, d}\n", { { 's', 0, "b c", "x" } }, "{? b\n c: x, d}\n" },
    { "JSON on one line", "{\"a\":{\"b\":\"c\",\"d\":null}}", { { 's', 0, "a|b", "x" }, { 's', 0, "a|d", "u" } }, "{\"a\":{\"b\":\"x\",\"d\":\"u\"}}" },
    { "a complex key", "? a\n: b\n? c\n? d\n", { { 's', 0, "a", "x" }, { 's', 0, "c", "u" } }, "? a\n: x\n? c\n: u\n? d\n" },
    { "characters of several bytes", "# \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\xc3\xbc: \xf0\x9f\x98\x80 # \xe2\x82\xac\nb: \xc3\xb6\n", { { 's', 0, "\xc3\xbc", "\xe2\x82\xac" }, { 's', 0, "b", "x" } }, "# \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\xc3\xbc: \xe2\x82\xac # \xe2\x82\xac\nb: x\n" },
    { "a byte order mark", "\xef\xbb\xbf" "a: b\nc: d\n", { { 's', 0, "c", "x" }, { 'p', 0, "e", "f" } }, "\xef\xbb\xbf" "a: b\nc: x\ne: f\n" },
    { "CRLF", "a: b\r\nc: |\r\n  d\r\n  e\r\nf:\r\n  g: h\r\n", { { 's', 0, "c", "x" }, { 'p', 0, "f|i", "u" } }, "a: b\r\nc: x\r\nf:\r\n  g: h\r\n  i: u\r\n" },
    { "no end of the last line", "a:\n  b: c", { { 'p', 0, "a|d", "x" }, { 's', 0, "a|b", "u" } }, "a:\n  b: u\n  d: x" },
    { "other line breaks count too", "a: \"b\xe2\x80\xa8 c\" # \xc2\x85" "d: e\n", { { 's', 0, "d", "x" } }, "a: \"b\xe2\x80\xa8 c\" # \xc2\x85" "d: x\n" },
    { "tabs between tokens", "a:\tb\t# c\nd: [ \te ]\n", { { 's', 0, "a", "x" }, { 's', 0, "d|#0", "u" } }, "a:\tx\t# c\nd: [ \tu ]\n" },
    { "several documents with directives", "%YAML 1.1\n--- # one\na: b\n...\n# between\n---\na: b\n--- \n# nothing\n---\na: b\n...\n", { { 's', 1, "a", "x" }, { 's', 3, "a", "u" } }, "%YAML 1.1\n--- # one\na: b\n...\n# between\n---\na: x\n--- \n# nothing\n---\na: u\n...\n" },
    { "a document on the line of its ---", "--- {a: b}\n--- 'c'\n", { { 's', 0, "a", "x" }, { 's', 1, "", "u" } }, "--- {a: x}\n--- 'u'\n" },
    { "keys that are no text", "1: a\nyes: b\n0x10: c\n", { { 's', 0, "1", "x" }, { 's', 0, "true", "u" }, { 's', 0, "16", "z" } }, "1: x\nyes: u\n0x10: z\n" },
    /* ---- tags ---- */
    { "!!str stays, and quotes need not come", "a: !!str 1.0\n", { { 's', 0, "a", "1.10" } }, "a: !!str 1.10\n" },
    { "a tag of one's own stays", "a: !mine b\n", { { 's', 0, "a", "c" } }, "a: !mine c\n" },
    { "a tag that is no string goes", "a: !!int 5\nb: !!binary aGk= # c\nd: &x !!null\ne: ! 'f'\n", { { 's', 0, "a", "5" }, { 's', 0, "b", "ho" }, { 's', 0, "d", "z" }, { 's', 0, "e", "true" } }, "a: '5'\nb: ho # c\nd: &x z\ne: ! 'true'\n" },
    { "!!str of nothing", "a: !!str\nb: {c: !!str , d: e}\n", { { 's', 0, "a", "x" } }, "a: !!str x\nb: {c: !!str , d: e}\n" },
    { "a tagged literal", "a: !!str |\n  b\nc: !!binary |\n  aGk=\n", { { 's', 0, "a", "x" }, { 's', 0, "c", "u" } }, "a: !!str x\nc: u\n" },
    { "text right behind an anchor", "a: &x:1\n", { { 's', 0, "a", "b" } }, "a: &x b\n" },
    { "properties on lines of their own", "a: &x # one\n  !!str # two\n  b\n", { { 's', 0, "a", "c" } }, "a: &x # one\n  !!str # two\n  c\n" },
    /* ---- anchors ---- */
    { "aliases keep the old value", "a: &x b\nc: *x\nd: [*x , *x]\n", { { 's', 0, "a", "u" } }, "a: &x u\nc: b\nd: [b , b]\n" },
    { "what is spelled out keeps its type", "a: &x 010\nb: *x\nc: &y '1'\nd: *y\ne: &z\nf: *z\n", { { 's', 0, "a", "u" }, { 's', 0, "c", "v" }, { 's', 0, "e", "w" } }, "a: &x u\nb: 010\nc: &y 'v'\nd: '1'\ne: &z w\nf: null\n" },
    { "an alias is replaced alone", "a: &x b\nc: *x # d\ne: *x\n", { { 's', 0, "c", "u" } }, "a: &x b\nc: u # d\ne: *x\n" },
    { "an alias whose anchor gets the same text stays", "a: &x b\nc: *x\n", { { 's', 0, "a", "u" }, { 's', 0, "c", "u" } }, "a: &x u\nc: *x\n" },
    { "an anchor taken again is another one", "a: &x b\nc: *x\nd: &x e\nf: *x\n", { { 's', 0, "a", "u" } }, "a: &x u\nc: b\nd: &x e\nf: *x\n" },
    { "an alias of what is around it is spelled out", "a: &x {b: c, d: [1, 'yes', e]}\nf: *x\ng:\n  <<: *x\n  h: i\n", { { 's', 0, "a|b", "u" } }, "a: &x {b: u, d: [1, 'yes', e]}\nf: {b: c, d: [1, 'yes', e]}\ng:\n  <<: {b: c, d: [1, 'yes', e]}\n  h: i\n" },
    { "a literal is spelled out in quotes", "a: &x |\n  b\n  c\nd: *x\n", { { 's', 0, "a", "u" } }, "a: &x u\nd: \"b\\nc\\n\"\n" },
    { "an alias for a key", "a: &x b\n*x : c\n", { { 's', 0, "a", "u" } }, "a: &x u\nb : c\n" },
    { "an entry with an anchor is taken out", "a:\n  b: &x c\n  d: e\nf: *x\n", { { 'r', 0, "a|b", NULL } }, "a:\n  d: e\nf: c\n" },
    { "behind a merge an entry is added", "a: &x {b: c}\nd:\n  <<: *x\n  e: f\n", { { 'p', 0, "d|b", "u" } }, "a: &x {b: c}\nd:\n  <<: *x\n  e: f\n  b: u\n" },
    { "beside a merge an entry is set", "a: &x {b: c}\nd:\n  <<: *x\n  e: f\n", { { 's', 0, "d|e", "u" } }, "a: &x {b: c}\nd:\n  <<: *x\n  e: u\n" },
    /* ---- adding ---- */
    { "an entry is added as the last one", "a:\n    b: c # d\n    # about e\n\ne: f\n", { { 'p', 0, "a|g", "h" } }, "a:\n    b: c # d\n    g: h\n    # about e\n\ne: f\n" },
    { "an entry that is there is set", "a:\n  b: 'c'\n", { { 'p', 0, "a|b", "d" } }, "a:\n  b: 'd'\n" },
    { "a missing map is made as its neighbours are", "m:\n    n: x\n    l:\n        a: b\ns: t\n", { { 'p', 0, "m|ann|k", "true" }, { 'p', 0, "m|ann|l", "v" } }, "m:\n    n: x\n    l:\n        a: b\n    ann:\n        k: 'true'\n        l: v\ns: t\n" },
    { "as deep as the map itself", "m:\n   n: x\ns: t\n", { { 'p', 0, "m|ann|k", "v" } }, "m:\n   n: x\n   ann:\n      k: v\ns: t\n" },
    { "in an item of a list", "- m:\n    n: x\n  o: p\n-   q: r\n", { { 'p', 0, "#0|m|ann|k", "v" }, { 'p', 0, "#1|s", "t" } }, "- m:\n    n: x\n    ann:\n      k: v\n  o: p\n-   q: r\n    s: t\n" },
    { "a map of nothing", "m:\n  ann: {}\n  n: x\n", { { 'p', 0, "m|ann|k", "v" }, { 'p', 0, "m|ann|l", "w" } }, "m:\n  ann: {k: v, l: w}\n  n: x\n" },
    { "null takes the place of a map", "m:\n  ann: null # why\n  n: x\n", { { 'p', 0, "m|ann|k", "v" } }, "m:\n  ann: # why\n    k: v\n  n: x\n" },
    { "so does nothing", "m:\n  ann:   # why\n  z:", { { 'p', 0, "m|ann|k", "v" }, { 'p', 0, "m|z|k", "w" } }, "m:\n  ann:   # why\n    k: v\n  z:\n    k: w" },
    { "null with an anchor and a tag", "m:\n  ann: &x !!null null\n  n: *x\n", { { 'p', 0, "m|ann|k", "v" } }, "m:\n  ann: &x\n    k: v\n  n: !!null null\n" },
    { "null on the next line", "m:\n  ann:\n    ~\n  n: x\n", { { 'p', 0, "m|ann|k", "v" } }, "m:\n  ann:\n    k: v\n  n: x\n" },
    { "null in brackets", "m: {ann: , z: ~}\n", { { 'p', 0, "m|ann|k", "v" }, { 'p', 0, "m|z|k", "w" } }, "m: {ann: {k: v} , z: {k: w}}\n" },
    { "null in a list", "a:\n-\n- ~\n", { { 'p', 0, "a|#0|k", "v" }, { 'p', 0, "a|#1|k|l", "w" } }, "a:\n- {k: v}\n- {k: {l: w}}\n" },
    { "an entry in brackets", "m: {n: x, o: p}\n", { { 'p', 0, "m|ann|fluxcd.io/tag.app", "glob:1.*" } }, "m: {n: x, o: p, ann: {fluxcd.io/tag.app: glob:1.*}}\n" },
    { "in brackets over lines", "m: {\n    n: x, # first\n    o: p  # last\n  }\n", { { 'p', 0, "m|q", "[r]" } }, "m: {\n    n: x, # first\n    o: p,\n    q: '[r]'  # last\n  }\n" },
    { "a comma at the end", "m: {n: x,}\n", { { 'p', 0, "m|o", "p" } }, "m: {n: x, o: p,}\n" },
    { "behind nothing in brackets", "{a: b, c: }\n", { { 'p', 0, "d", "e" } }, "{a: b, c: , d: e }\n" },
    { "what stands behind nothing goes", "{a: , b: c}\n", { { 'r', 0, "b", NULL } }, "{a: }\n" },
    { "tight JSON", "{\"m\":{\"n\":\"x\"},\n\"s\":{}}", { { 'p', 0, "m|ann|k", "v" }, { 'p', 0, "s|t", "u" } }, "{\"m\":{\"n\":\"x\",\"ann\":{\"k\":\"v\"}},\n\"s\":{\"t\":\"u\"}}" },
    { "JSON over lines", "{\n  \"m\": {\n    \"n\": \"x\"\n  }\n}\n", { { 'p', 0, "m|ann|k", "v" }, { 'p', 0, "m|ann|l", "true" } }, "{\n  \"m\": {\n    \"n\": \"x\",\n    \"ann\": {\n      \"k\": \"v\",\n      \"l\": \"true\"\n    }\n  }\n}\n" },
    { "null in JSON", "{\"m\": {\"ann\": null}}", { { 'p', 0, "m|ann|k", "v" } }, "{\"m\": {\"ann\": {\"k\": \"v\"}}}" },
    { "quoted keys in brackets", "m: {\"n\": x}\n", { { 'p', 0, "m|o", "p" } }, "m: {\"n\": x, \"o\": \"p\"}\n" },
    { "keys that need quotes", "a: b\n", { { 'p', 0, "yes", "no" }, { 'p', 0, "c: d", "e #f" }, { 'p', 0, "g", " h" } }, "a: b\n'yes': 'no'\n'c: d': 'e #f'\ng: ' h'\n" },
    { "behind a literal that keeps its blank lines", "a:\n  b: |+\n    c\n\n\nd: e\n", { { 'p', 0, "a|f", "g" } }, "a:\n  b: |+\n    c\n\n\n  f: g\nd: e\n" },
    { "behind a literal", "a:\n  b: |\n    c\n\nd: e\n", { { 'p', 0, "a|f", "g" } }, "a:\n  b: |\n    c\n  f: g\n\nd: e\n" },
    { "inner and outer maps at one place", "a:\n  b:\n    c: d\n", { { 'p', 0, "e", "f" }, { 'p', 0, "a|g", "h" }, { 'p', 0, "a|b|i", "j" } }, "a:\n  b:\n    c: d\n    i: j\n  g: h\ne: f\n" },
    { "before the end of a document", "a:\n  b: c\n...\n---\nd: e\n", { { 'p', 0, "a|f", "g" } }, "a:\n  b: c\n  f: g\n...\n---\nd: e\n" },
    { "complex keys have neighbours too", "? a\n: b\n", { { 'p', 0, "c", "d" } }, "? a\n: b\nc: d\n" },
    /* ---- taking away ---- */
    { "an entry goes with its line", "a:\n  # about b\n  b: c # why\n  d: e\n", { { 'r', 0, "a|b", NULL } }, "a:\n  # about b\n  d: e\n" },
    { "the last entry goes with its map", "m:\n  ann:\n    k: v\n  n: x\n", { { 'r', 0, "m|ann|k", NULL } }, "m:\n  n: x\n" },
    { "but not with the map around that", "m:\n  ann:\n    k: v\n", { { 'r', 0, "m|ann|k", NULL } }, "m:\n  {}\n" },
    { "a document stays", "k: v\n", { { 'r', 0, "k", NULL } }, "{}\n" },
    { "the first entry behind a dash", "- a: b\n  c: d\n  e: f\n", { { 'r', 0, "#0|a", NULL }, { 'r', 0, "#0|c", NULL } }, "- e: f\n" },
    { "the only entry behind a dash", "- a: b\n- c\n", { { 'r', 0, "#0|a", NULL } }, "- {}\n- c\n" },
    { "the last line without an end", "a: b\nc: d", { { 'r', 0, "c", NULL } }, "a: b" },
    { "the last lines without an end", "a: b\nc: d\ne: f", { { 'r', 0, "c", NULL }, { 'r', 0, "e", NULL } }, "a: b" },
    { "one away and one added, without an end", "a: b\nc: d", { { 'r', 0, "c", NULL }, { 'p', 0, "e", "f" } }, "a: b\ne: f" },
    { "a literal goes with its lines", "a: |\n  x\n\n  y\n\nb: c\n", { { 'r', 0, "a", NULL } }, "\nb: c\n" },
    { "in brackets", "{a: b, c: d, e: f}\n", { { 'r', 0, "c", NULL } }, "{a: b, e: f}\n" },
    { "the first in brackets", "{a: b, c: d, e: f}\n", { { 'r', 0, "a", NULL }, { 'r', 0, "c", NULL } }, "{e: f}\n" },
    { "the last in brackets", "{a: b, c: d, e: f }\n", { { 'r', 0, "c", NULL }, { 'r', 0, "e", NULL } }, "{a: b }\n" },
    { "all in brackets", "a: [{b: c,}]\n", { { 'r', 0, "a|#0|b", NULL } }, "a: [{}]\n" },
    { "away and added in brackets", "{a: b, c: d}\n", { { 'r', 0, "c", NULL }, { 'p', 0, "e", "f" } }, "{a: b, e: f}\n" },
    { "all away and one added", "m:\n  ann:\n    # about\n    k: v\n  n: x\n", { { 'r', 0, "m|ann|k", NULL }, { 'p', 0, "m|ann|l", "w" } }, "m:\n  ann:\n    # about\n    l: w\n  n: x\n" },
    { "away and back", "a: b # c\nd: e\n", { { 'r', 0, "a", NULL }, { 'p', 0, "a", "b" } }, "a: b # c\nd: e\n" },
    { "added and away", "a: b\n", { { 'p', 0, "c|d", "e" }, { 'r', 0, "c|d", NULL } }, "a: b\n" },
    { "a map away and made anew", "m:\n  ann:\n    k: v\n  n: x\n", { { 'r', 0, "m|ann", NULL }, { 'p', 0, "m|ann|l", "w" } }, "m:\n  ann:\n    l: w\n  n: x\n" },
    { "what is not there", "a: b\n", { { 'r', 0, "c|d", NULL }, { 'r', 3, "a", NULL } }, "a: b\n" },
};

/* What cannot be done, and in which words. `\0` ops as above; the last one fails, or the end does. */
static const struct bad_case {
    const char *name, *text;
    struct op op;
    enum err_kind kind;
    const char *error;
} bad_cases[] = {
    { "nothing there", "spec:\n  replicas: 1\n", { 's', 0, "spec|containers|#0|image", "x" }, ERR_NOT_FOUND, "there is no spec.containers" },
    { "an item that is not there", "a: [b]\n", { 's', 0, "a|#1", "x" }, ERR_NOT_FOUND, "there is no a[1]" },
    { "no such document", "a: b\n", { 's', 1, "a", "x" }, ERR_NOT_FOUND, "there is no document 2, or it is empty" },
    { "an empty document", "---\n---\na: b\n", { 'p', 0, "a", "x" }, ERR_NOT_FOUND, "there is no document 1, or it is empty" },
    { "a map", "a: {b: c}\n", { 's', 0, "a", "x" }, ERR_INVALID, "a is a map, not a text" },
    { "a list", "a:\n- b\n", { 's', 0, "a", "x" }, ERR_INVALID, "a is a list, not a text" },
    { "what is merged", "a: &x {b: c}\nd: {<<: *x}\n", { 's', 0, "d|b", "x" }, ERR_INVALID, "d.b comes from a merge key (<<): write it out to change it" },
    { "what is aliased", "a: &x {b: c}\nd: *x\n", { 's', 0, "d|b", "x" }, ERR_INVALID, "d is an alias of something that stands elsewhere: write it out to change it" },
    { "putting into an alias", "a: &x {b: c}\nd: *x\n", { 'p', 0, "d|e", "x" }, ERR_INVALID, "d is an alias of something that stands elsewhere: write it out to change it" },
    { "putting into a merged map", "a: &x {b: {c: d}}\ne:\n  <<: *x\n", { 'p', 0, "e|b|f", "x" }, ERR_INVALID, "e.b comes from a merge key (<<): write it out to change it" },
    { "putting into text", "a: b\n", { 'p', 0, "a|c", "x" }, ERR_INVALID, "a is a string, not a map" },
    { "putting into a list", "a: [b]\n", { 'p', 0, "a|c", "x" }, ERR_INVALID, "a is a list, not a map" },
    { "putting over a map", "a: {b: c}\n", { 'p', 0, "a", "x" }, ERR_INVALID, "a is a map, not a text" },
    { "a text that is not UTF-8", "a: b\n", { 's', 0, "a", "\xff" }, ERR_INVALID, "the new text is not UTF-8" },
    { "taking away what is merged", "a: b\n---\na: &x {b: c}\nd: {<<: *x, e: f}\n", { 'r', 1, "d|b", NULL }, ERR_INVALID,
      "document 2 (line 2) cannot be edited the way it is written: aliases, merge keys (<<), \"? \" or tabs stand in the way" },
    { "adding to a pair in a list", "[a: b]\n", { 'p', 0, "#0|c", "x" }, ERR_INVALID,
      "document 1 (line 1) cannot be edited the way it is written: aliases, merge keys (<<), \"? \" or tabs stand in the way" },
};

/* Texts that are taken for something else by some reader, or say something in YAML: quoted. And those that are not. */
static const struct text_case {
    const char *text, *block, *flow;
} text_cases[] = {
    { "app:1.10", "app:1.10", "app:1.10" }, { "quay.io/a/b@sha256:0a", "quay.io/a/b@sha256:0a", "quay.io/a/b@sha256:0a" },
    { "semver:>=1.0", "semver:>=1.0", "semver:>=1.0" }, { "semver:~1.2 || ^2", "semver:~1.2 || ^2", "semver:~1.2 || ^2" },
    { "glob:*", "glob:*", "glob:*" }, { "glob:{a,b}", "glob:{a,b}", "'glob:{a,b}'" }, { "regexp:^[a-z]+$", "regexp:^[a-z]+$", "'regexp:^[a-z]+$'" },
    { "don't touch", "don't touch", "don't touch" }, { "Jane Doe <jane@example.org>", "Jane Doe <jane@example.org>", "Jane Doe <jane@example.org>" },
    { "1.10.2", "1.10.2", "1.10.2" }, { "v1", "v1", "v1" }, { "a#b", "a#b", "a#b" }, { "--a=1", "--a=1", "--a=1" }, { ":8080", ":8080", "':8080'" },
    { "a:,", "a:,", "'a:,'" }, { "<=1", "<=1", "<=1" }, { "master-a000001", "master-a000001", "master-a000001" }, { "(x)", "(x)", "(x)" },
    { "2020-01-01x", "2020-01-01x", "2020-01-01x" }, { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
    { "true", "'true'", "'true'" }, { "tRUE", "'tRUE'", "'tRUE'" }, { "yes", "'yes'", "'yes'" }, { "n", "'n'", "'n'" }, { "~", "'~'", "'~'" }, { "Null", "'Null'", "'Null'" },
    { "1.10", "'1.10'", "'1.10'" }, { "1", "'1'", "'1'" }, { "010", "'010'", "'010'" }, { "0o17", "'0o17'", "'0o17'" }, { "08", "'08'", "'08'" },
    { "0x1f", "'0x1f'", "'0x1f'" }, { "0x1ffffffffffffffffff", "'0x1ffffffffffffffffff'", "'0x1ffffffffffffffffff'" }, { "0b11", "'0b11'", "'0b11'" },
    { "1_000", "'1_000'", "'1_000'" }, { "1,000", "'1,000'", "'1,000'" }, { "12e03", "'12e03'", "'12e03'" }, { "1e999", "'1e999'", "'1e999'" }, { "+12", "'+12'", "'+12'" },
    { ".5", "'.5'", "'.5'" }, { "5.", "'5.'", "'5.'" }, { ".inf", "'.inf'", "'.inf'" }, { ".NaN", "'.NaN'", "'.NaN'" },
    { "1:30", "'1:30'", "'1:30'" }, { "190:20:30.15", "'190:20:30.15'", "'190:20:30.15'" },
    { "2020-01-01", "'2020-01-01'", "'2020-01-01'" }, { "2001-12-14 21:59:43.10 -5", "'2001-12-14 21:59:43.10 -5'", "'2001-12-14 21:59:43.10 -5'" },
    { "2001-12-14t21:59:43Z", "'2001-12-14t21:59:43Z'", "'2001-12-14t21:59:43Z'" }, { "<<", "'<<'", "'<<'" }, { "=", "'='", "'='" },
    { "*", "'*'", "'*'" }, { "&a", "'&a'", "'&a'" }, { "!a", "'!a'", "'!a'" }, { "- a", "'- a'", "'- a'" }, { "-", "'-'", "'-'" }, { "? a", "'? a'", "'? a'" },
    { ": a", "': a'", "': a'" }, { "a: b", "'a: b'", "'a: b'" }, { "a:", "'a:'", "'a:'" }, { "a #b", "'a #b'", "'a #b'" }, { "#a", "'#a'", "'#a'" }, { "%a", "'%a'", "'%a'" },
    { "@a", "'@a'", "'@a'" }, { "`a`", "'`a`'", "'`a`'" }, { "'a", "'''a'", "'''a'" }, { "\"a\"", "'\"a\"'", "'\"a\"'" }, { "|", "'|'", "'|'" }, { ">-", "'>-'", "'>-'" },
    { "{a}", "'{a}'", "'{a}'" }, { "[a]", "'[a]'", "'[a]'" }, { ", a", "', a'", "', a'" }, { "--- a", "'--- a'", "'--- a'" }, { "...", "'...'", "'...'" },
    { " a", "' a'", "' a'" }, { "a ", "'a '", "'a '" }, { "", "''", "''" }, { "a\tb", "\"a\\tb\"", "\"a\\tb\"" }, { "a\n", "\"a\\n\"", "\"a\\n\"" },
    { "\xef\xbb\xbf" "a", "\"\\ufeffa\"", "\"\\ufeffa\"" }, { "a\xc2\x85", "\"a\\u0085\"", "\"a\\u0085\"" }, { "\x7f", "\"\\u007f\"", "\"\\u007f\"" },
};
// clang-format on

/* Steps of "a|#0|b"; the last key is cut off into `key` where one is asked for. */
static void read_path(struct arena *mem, const char *text, struct doc_step steps[STEPS_MAX],
                      const char **key)
{
    size_t count = 0;
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "|");
        assert_true(count + 1 < STEPS_MAX);
        steps[count++] =
            *at == '#' ? DOC_AT((size_t)atoi(at + 1)) : DOC_KEY(arena_strndup(mem, at, len));
        at += len + (at[len] == '|');
    }
    if (key) {
        assert_true(count);
        *key = steps[--count].key;
    }
    steps[count] = DOC_END;
}

MUST_USE static struct err *run_op(struct arena *mem, struct doc_edit *edit, const struct op *op)
{
    struct doc_step path[STEPS_MAX];
    const char *key;
    read_path(mem, op->path, path, op->what == 's' ? NULL : &key);
    if (op->what == 's')
        return doc_edit_set(edit, op->document, path, op->text);
    if (op->what == 'p')
        return doc_edit_put(edit, op->document, path, key, op->text);
    doc_edit_remove(edit, op->document, path, key);
    return NULL;
}

static void assert_ok(const struct err *e)
{
    if (e)
        fail_msg("%s", err_text(e));
}

/* Without a NUL behind it, as files are. */
/* Without a NUL behind it, as files are. */
static struct doc_edit *open_text(struct arena *mem, const char *text)
{
    struct doc_edit *edit = NULL;
    SCOPED(err_free)
    struct err *e = doc_edit_new(mem, arena_copy(mem, text, strlen(text)), strlen(text),
                                 &doc_yaml_default_limits, &edit, NULL);
    assert_ok(e);
    return edit;
}

static void edit_matches_case(void **state)
{
    const struct edit_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_edit *edit = open_text(mem, c->before);
    for (size_t i = 0; i < ARRAY_LEN(c->ops) && c->ops[i].what; i++) {
        SCOPED(err_free) struct err *e = run_op(mem, edit, &c->ops[i]);
        assert_ok(e);
    }
    const char *after;
    size_t len;
    bool is_changed;
    SCOPED(err_free) struct err *e = doc_edit_finish(edit, &after, &len, &is_changed);
    assert_ok(e);
    assert_string_equal(arena_strndup(mem, after, len), c->after);
    assert_int_equal(is_changed, strcmp(c->before, c->after) != 0);
}

static void edit_fails_as_case(void **state)
{
    const struct bad_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_edit *edit = open_text(mem, c->text);
    SCOPED(err_free) struct err *e = run_op(mem, edit, &c->op);
    const char *after = NULL;
    size_t len = 0;
    bool is_changed = false;
    if (!e)
        e = doc_edit_finish(edit, &after, &len, &is_changed);
    assert_non_null(e);
    assert_string_equal(err_text(e), c->error);
    assert_int_equal(err_kind(e), c->kind);
    assert_false(is_changed);
}

static void set_gives(struct arena *mem, const char *before, const char *path, const char *text,
                      const char *expected)
{
    struct doc_edit *edit = open_text(mem, before);
    const char *after;
    size_t len;
    bool is_changed;
    SCOPED(err_free) struct err *e = run_op(mem, edit, &(struct op){ 's', 0, path, text });
    assert_ok(e);
    SCOPED(err_free) struct err *end = doc_edit_finish(edit, &after, &len, &is_changed);
    if (end)
        fail_msg("%s: %s", expected, err_text(end));
    assert_string_equal(arena_strndup(mem, after, len), expected);
}

static void text_is_written_as_case(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(text_cases); i++) {
        const struct text_case *c = &text_cases[i];
        set_gives(mem, "a: old\n", "a", c->text, arena_printf(mem, "a: %s\n", c->block));
        set_gives(mem, "a: {b: old}\n", "a|b", c->text, arena_printf(mem, "a: {b: %s}\n", c->flow));
    }
}

static void text_that_is_no_yaml_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
        uint32_t line;
    } cases[] = {
        { "a: b\nc: \"d", "found unexpected end of stream", 2 },
        { "a: b\nc: \xff", "byte 0xff is no UTF-8", 2 },
        { "\xff\xfe"
          "a",
          "the text is UTF-16; save it as UTF-8", 1 },
        { "a: 1\na: 2\n", "key \"a\" already set in map", 2 },
    };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct doc_edit *edit = NULL;
        struct doc_pos at = { 0 };
        SCOPED(err_free)
        struct err *e = doc_edit_new(mem, cases[i].text, strlen(cases[i].text),
                                     &doc_yaml_default_limits, &edit, &at);
        assert_non_null(e);
        assert_string_equal(err_text(e), cases[i].error);
        assert_int_equal(at.line, cases[i].line);
    }
}

/* ---- every scalar of real files, one at a time ---- */

static char *read_file(struct arena *mem, const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = arena_alloc(mem, (size_t)1 << 20);
    *len = fread(text, 1, ((size_t)1 << 20) - 1, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

struct fixture {
    struct arena *mem;
    const char *path, *text;
    size_t len, count;
    bool has_aliases;
};

/* Where a line and column are. */
static size_t offset_of(const char *text, size_t len, const struct val *v)
{
    size_t at = len >= 3 && v->line == 1 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    for (uint32_t line = 1; line < v->line; line++)
        at = (size_t)((const char *)memchr(text + at, '\n', len - at) - text) + 1;
    for (uint32_t column = 1; column < v->column; column++)
        at += utf8_decode(text + at, len - at, NULL);
    return at;
}

/* The new text is the old one but for one stretch of it, which begins in the scalar and is no longer than that: escapes and
 * doubled quotes make a scalar longer than its text, and so does folding. */
static void assert_only_scalar_changed(const struct fixture *f, const struct val *v,
                                       const char *text, size_t len)
{
    size_t front = 0, back = 0, most = MIN_OF(f->len, len);
    while (front < most && f->text[front] == text[front])
        front++;
    while (back < most - front && f->text[f->len - 1 - back] == text[len - 1 - back])
        back++;
    size_t begin = offset_of(f->text, f->len, v);
    assert_true(front >= begin);
    const char *line = memchr(f->text + begin, '\n', f->len - begin);
    size_t end = line ? (size_t)(line - f->text) : f->len;
    bool has_more_lines = f->len - back > end; /* folded, or a block */
    assert_true(!has_more_lines || f->len - back <= end + 2 * v->len + 100);
}

static void set_one(struct fixture *f, size_t document, const struct doc_step *path,
                    const struct val *v, const char *text)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_edit *edit = NULL;
    SCOPED(err_free)
    struct err *e = doc_edit_new(mem, f->text, f->len, &doc_yaml_default_limits, &edit, NULL);
    assert_ok(e);
    SCOPED(err_free) struct err *bad = doc_edit_set(edit, document, path, text);
    if (bad && f->has_aliases && err_is(bad, ERR_INVALID))
        return; /* below an alias, or merged */
    assert_ok(bad);
    const char *after;
    size_t len;
    bool is_changed;
    SCOPED(err_free) struct err *end = doc_edit_finish(edit, &after, &len, &is_changed);
    assert_ok(end);
    f->count++;
    bool is_equal = v->type == VAL_STRING && v->len == strlen(text) && !strcmp(v->text, text);
    assert_int_equal(is_changed, !is_equal);
    if (!f->has_aliases && v->type == VAL_STRING)
        assert_only_scalar_changed(f, v, after, len);
}

static void edit_fixture(struct fixture *f)
{
    static const char *const texts[] = { "changed:1.10", "1.10", "it's: \"x\" #\n" };
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(f->mem, f->text, f->len, &doc_yaml_default_limits, &docs, NULL);
    if (e)
        return; /* a fixture of broken text */
    f->has_aliases = memchr(f->text, '&', f->len) && strchr(f->text, '*');
    for (size_t i = 0; i < docs.len; i++) {
        struct doc_step path[VAL_DEPTH_MAX + 1];
        if (!docs.at[i].root)
            continue;
        for (struct val_walk w = val_walk(docs.at[i].root); val_walk_next(&w);) {
            if (w.depth)
                path[w.depth - 1] = w.key ? DOC_KEY(w.key) : DOC_AT(w.index);
            path[w.depth] = DOC_END;
            if (val_is_map(w.v) || val_is_list(w.v))
                continue;
            for (size_t k = 0; k < ARRAY_LEN(texts); k++)
                set_one(f, i, path, w.v, texts[k]);
        }
    }
}

static void every_scalar_can_be_set_alone(void **state)
{
    (void)state;
    static const char *const folders[] = { FIXTURES "/manifests", FIXTURES "/edits" };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        DIR *folder = opendir(folders[i]);
        assert_non_null(folder);
        for (struct dirent *entry; (entry = readdir(folder));) {
            SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
            if (!strstr(entry->d_name, ".y") || strstr(entry->d_name, "bomb"))
                continue;
            struct fixture f = { .mem = mem };
            f.path = arena_printf(mem, "%s/%s", folders[i], entry->d_name);
            f.text = read_file(mem, f.path, &f.len);
            edit_fixture(&f);
            count += f.count;
        }
        closedir(folder);
    }
    assert_true(count > 500);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(edit_cases, edit_matches_case),   ROWS(bad_cases, edit_fails_as_case),
        SINGLE(text_is_written_as_case),       SINGLE(text_that_is_no_yaml_is_refused),
        SINGLE(every_scalar_can_be_set_alone),
    };
    return rows_run("doc_edit", tests, ARRAY_LEN(tests));
}
