#include "canary/metric/template_code.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

static const struct template_signature signatures[FUNCTIONS] = {
    [FUNCTION_AND] = { "and", 1, true },
    [FUNCTION_EQ] = { "eq", 1, true },
    [FUNCTION_GE] = { "ge", 2, false },
    [FUNCTION_GT] = { "gt", 2, false },
    [FUNCTION_HTML] = { "html", 0, true },
    [FUNCTION_INDEX] = { "index", 1, true },
    [FUNCTION_INGRESS] = { "ingress", 0, false },
    [FUNCTION_INTERVAL] = { "interval", 0, false },
    [FUNCTION_JS] = { "js", 0, true },
    [FUNCTION_LE] = { "le", 2, false },
    [FUNCTION_LEN] = { "len", 1, false },
    [FUNCTION_LT] = { "lt", 2, false },
    [FUNCTION_NAME] = { "name", 0, false },
    [FUNCTION_NAMESPACE] = { "namespace", 0, false },
    [FUNCTION_NE] = { "ne", 2, false },
    [FUNCTION_NOT] = { "not", 1, false },
    [FUNCTION_OR] = { "or", 1, true },
    [FUNCTION_PRINT] = { "print", 0, true },
    [FUNCTION_PRINTF] = { "printf", 1, true },
    [FUNCTION_PRINTLN] = { "println", 0, true },
    [FUNCTION_ROUTE] = { "route", 0, false },
    [FUNCTION_SERVICE] = { "service", 0, false },
    [FUNCTION_SLICE] = { "slice", 1, true },
    [FUNCTION_TARGET] = { "target", 0, false },
    [FUNCTION_URLQUERY] = { "urlquery", 0, true },
    [FUNCTION_VARIABLES] = { "variables", 0, false },
};

const struct template_signature *template_signature(enum template_function function)
{
    return &signatures[function];
}

bool template_find_function(const char *name, size_t len, enum template_function *out)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strlen(signatures[i].name) == len && !memcmp(signatures[i].name, name, len)) {
            *out = (enum template_function)i;
            return true;
        }
    }
    return false;
}

static struct template_value of_text(const char *text)
{
    return (struct template_value){ .kind = TEMPLATE_STRING, .bytes = text, .len = strlen(text) };
}

static struct template_value of_bool(bool boolean)
{
    return (struct template_value){ .kind = TEMPLATE_BOOL, .boolean = boolean };
}

MUST_USE static struct err *too_much(void)
{
    return err_new(ERR_LIMIT, "the template makes too much work: %zu units are the most",
                   TEMPLATE_WORK_MAX);
}

/* -- comparisons --------------------------------------------------------------------------------------------------- */

static bool is_whole(const struct template_value *v)
{
    return v->kind == TEMPLATE_INT || v->kind == TEMPLATE_BYTE;
}

static bool is_basic(const struct template_value *v)
{
    return v->kind != TEMPLATE_NONE && v->kind != TEMPLATE_MAP;
}

static bool is_nil(const struct template_value *v)
{
    return v->kind == TEMPLATE_NONE || (v->kind == TEMPLATE_MAP && !v->map);
}

/* Of the same kind, and not maps. */
static int compare_texts(const struct template_value *a, const struct template_value *b)
{
    int order = memcmp(a->len ? a->bytes : "", b->len ? b->bytes : "", MIN_OF(a->len, b->len));
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

MUST_USE static struct err *incompatible(const struct template_value *a,
                                         const struct template_value *b)
{
    return err_new(ERR_INVALID, "incompatible types for comparison: %s and %s",
                   template_type_name(a->kind), template_type_name(b->kind));
}

MUST_USE static struct err *equal_maps(const struct template_value *a,
                                       const struct template_value *b, bool *out)
{
    if (is_nil(a) || is_nil(b)) {
        *out = is_nil(a) == is_nil(b);
        return NULL;
    }
    SBUF(shown, TEMPLATE_OUTPUT_MAX);
    template_print_value(b, &shown);
    return err_new(ERR_INVALID, "non-comparable type %s: %s", sbuf_text(&shown),
                   template_type_name(b->kind));
}

MUST_USE static struct err *equal(const struct template_value *a, const struct template_value *b,
                                  bool *out)
{
    *out = false;
    if (is_whole(a) && is_whole(b)) {
        *out = a->number == b->number;
        return NULL;
    }
    if (is_basic(a) != is_basic(b) || (is_basic(a) && a->kind != b->kind))
        return a->kind == TEMPLATE_NONE || b->kind == TEMPLATE_NONE ? NULL : incompatible(a, b);
    switch (a->kind) {
    case TEMPLATE_BOOL: *out = a->boolean == b->boolean; return NULL;
    case TEMPLATE_FLOAT: *out = a->real == b->real; return NULL;
    case TEMPLATE_STRING: *out = a->len == b->len && compare_texts(a, b) == 0; return NULL;
    case TEMPLATE_INT:
    case TEMPLATE_BYTE: return NULL;
    case TEMPLATE_NONE:
    case TEMPLATE_MAP: return equal_maps(a, b, out);
    }
    return NULL;
}

MUST_USE static struct err *less(const struct template_value *a, const struct template_value *b,
                                 bool *out)
{
    if (!is_basic(a) || !is_basic(b))
        return err_new(ERR_INVALID, "invalid type for comparison");
    if (is_whole(a) && is_whole(b)) {
        *out = a->number < b->number;
        return NULL;
    }
    if (a->kind != b->kind)
        return incompatible(a, b);
    if (a->kind == TEMPLATE_BOOL)
        return err_new(ERR_INVALID, "invalid type for comparison");
    *out = a->kind == TEMPLATE_FLOAT ? a->real < b->real : compare_texts(a, b) < 0;
    return NULL;
}

MUST_USE static struct err *less_or_equal(const struct template_value *a,
                                          const struct template_value *b, bool *out)
{
    TRY(less(a, b, out));
    return *out ? NULL : equal(a, b, out);
}

/* a == b || a == c || ... */
MUST_USE static struct err *equal_any(const struct template_call *call, bool *out)
{
    *out = false;
    if (call->len == 1)
        return err_new(ERR_INVALID, "missing argument for comparison");
    for (size_t i = 1; i < call->len && !*out; i++)
        TRY(equal(&call->args[0], &call->args[i], out));
    return NULL;
}

MUST_USE static struct err *compare(enum template_function function,
                                    const struct template_call *call, struct template_value *out)
{
    const struct template_value *a = &call->args[0], *b = &call->args[1];
    bool is_so = false;
    switch ((int)function) {
    case FUNCTION_EQ: TRY(equal_any(call, &is_so)); break;
    case FUNCTION_NE: TRY(equal(a, b, &is_so)); break;
    case FUNCTION_LT:
    case FUNCTION_GE: TRY(less(a, b, &is_so)); break;
    default: TRY(less_or_equal(a, b, &is_so)); break;
    }
    bool is_inverse = function == FUNCTION_NE || function == FUNCTION_GE || function == FUNCTION_GT;
    *out = of_bool(is_so != is_inverse);
    return NULL;
}

/* -- parts of texts and maps --------------------------------------------------------------------------------------- */

MUST_USE static struct err *read_index(const struct template_value *index, size_t most, size_t *out)
{
    if (index->kind == TEMPLATE_NONE)
        return err_new(ERR_INVALID, "cannot index slice/array with nil");
    if (!is_whole(index))
        return err_new(ERR_INVALID, "cannot index slice/array with type %s",
                       template_type_name(index->kind));
    if (index->number < 0 || (uint64_t)index->number > most)
        return err_new(ERR_INVALID, "index out of range: %" PRId64, index->number);
    *out = (size_t)index->number;
    return NULL;
}

MUST_USE static struct err *index_map(const struct template_call *call, const struct val *map,
                                      const struct template_value *key, struct template_value *out)
{
    if (key->kind == TEMPLATE_NONE)
        return err_new(ERR_INVALID, "value is nil; should be of type string");
    if (key->kind != TEMPLATE_STRING)
        return err_new(ERR_INVALID, "value has type %s; should be string",
                       template_type_name(key->kind));
    *out = of_text(val_text_or(val_get(map, arena_strndup(call->mem, key->bytes, key->len)), ""));
    return NULL;
}

MUST_USE static struct err *index_of(const struct template_call *call, struct template_value *out)
{
    *out = call->args[0];
    if (out->kind == TEMPLATE_NONE)
        return err_new(ERR_INVALID, "index of untyped nil");
    for (size_t i = 1; i < call->len; i++) {
        const struct template_value *index = &call->args[i];
        size_t at;
        if (out->kind == TEMPLATE_MAP) {
            TRY(index_map(call, out->map, index, out));
            continue;
        }
        if (out->kind != TEMPLATE_STRING)
            return err_new(ERR_INVALID, "can't index item of type %s",
                           template_type_name(out->kind));
        TRY(read_index(index, out->len, &at));
        if (at == out->len)
            return err_new(ERR_INVALID, "reflect: string index out of range");
        *out = (struct template_value){ .kind = TEMPLATE_BYTE,
                                        .number = (unsigned char)out->bytes[at] };
    }
    return NULL;
}

MUST_USE static struct err *slice(const struct template_call *call, struct template_value *out)
{
    const struct template_value *item = &call->args[0];
    size_t bounds[2] = { 0, item->kind == TEMPLATE_STRING ? item->len : 0 };
    if (item->kind == TEMPLATE_NONE)
        return err_new(ERR_INVALID, "slice of untyped nil");
    if (call->len > 4)
        return err_new(ERR_INVALID, "too many slice indexes: %zu", call->len - 1);
    if (item->kind != TEMPLATE_STRING)
        return err_new(ERR_INVALID, "can't slice item of type %s", template_type_name(item->kind));
    if (call->len == 4)
        return err_new(ERR_INVALID, "cannot 3-index slice a string");
    for (size_t i = 1; i < call->len; i++)
        TRY(read_index(&call->args[i], item->len, &bounds[i - 1]));
    if (bounds[0] > bounds[1])
        return err_new(ERR_INVALID, "invalid slice index: %zu > %zu", bounds[0], bounds[1]);
    *out = *item;
    out->bytes += bounds[0];
    out->len = bounds[1] - bounds[0];
    return NULL;
}

MUST_USE static struct err *length(const struct template_value *v, struct template_value *out)
{
    if (v->kind == TEMPLATE_NONE)
        return err_new(ERR_INVALID, "len of nil pointer");
    if (v->kind != TEMPLATE_STRING && v->kind != TEMPLATE_MAP)
        return err_new(ERR_INVALID, "len of type %s", template_type_name(v->kind));
    size_t len = v->kind == TEMPLATE_STRING ? v->len : val_len(v->map);
    *out = (struct template_value){ .kind = TEMPLATE_INT, .number = (int64_t)len };
    return NULL;
}

/* -- escapes ------------------------------------------------------------------------------------------------------- */

static void add_html(const char *bytes, size_t len, struct sbuf *out)
{
    static const char special[] = "\"'&<>";
    static const char *const escapes[] = { "&#34;", "&#39;", "&amp;", "&lt;", "&gt;" };
    for (size_t i = 0; i < len; i++) {
        const char *at = bytes[i] ? strchr(special, bytes[i]) : NULL;
        if (at)
            sbuf_add(out, escapes[at - special]);
        else if (!bytes[i])
            sbuf_add(out, "\xef\xbf\xbd");
        else
            sbuf_add_char(out, bytes[i]);
    }
}

static void add_js(const char *bytes, size_t len, struct sbuf *out)
{
    static const char special[] = "<>&=";
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)bytes[i];
        uint32_t point = 0xfffd;
        size_t width = utf8_decode(bytes + i, len - i, &point);
        if (c == '\\' || c == '\'' || c == '"')
            sbuf_addf(out, "\\%c", c);
        else if (c < ' ' || strchr(special, c))
            sbuf_addf(out, "\\u%04X", c);
        else if (!width)
            sbuf_add(out, "\xef\xbf\xbd");
        else if (c >= 0x80 && !template_is_printable(point))
            sbuf_addf(out, "\\u%04X", point);
        else
            sbuf_add_bytes(out, bytes + i, width);
        i += width ? width : 1;
    }
}

static void add_query(const char *bytes, size_t len, struct sbuf *out)
{
    for (size_t i = 0; i < len; i++) {
        char one[2] = { bytes[i], '\0' };
        if (bytes[i] == ' ')
            sbuf_add_char(out, '+');
        else if (!bytes[i])
            sbuf_add(out, "%00");
        else
            sbuf_add_url(out, one);
    }
}

/* The arguments as print has them, but that nil is "<no value>". */
static void print_shown(const struct template_call *call, struct sbuf *out)
{
    struct template_call shown = *call;
    struct template_value *args =
        arena_alloc(call->mem, MAX_OF(call->len, (size_t)1) * sizeof(*args));
    for (size_t i = 0; i < call->len; i++)
        args[i] = call->args[i].kind == TEMPLATE_NONE ? of_text("<no value>") : call->args[i];
    shown.args = args;
    template_print(&shown, false, out);
}

MUST_USE static struct err *make_text(enum template_function function,
                                      const struct template_call *call, struct template_value *out)
{
    static void (*const escapes[FUNCTIONS])(const char *, size_t, struct sbuf *) = {
        [FUNCTION_HTML] = add_html,
        [FUNCTION_JS] = add_js,
        [FUNCTION_URLQUERY] = add_query,
    };
    SBUF(made, TEMPLATE_OUTPUT_MAX);
    SBUF(plain, TEMPLATE_OUTPUT_MAX);
    if (escapes[function]) {
        print_shown(call, &plain);
        escapes[function](sbuf_text(&plain), plain.len, &made);
    } else if (function == FUNCTION_PRINTF) {
        template_printf(call, &made);
    } else {
        template_print(call, function == FUNCTION_PRINTLN, &made);
    }
    if (made.is_over || plain.is_over)
        return err_new(ERR_LIMIT, "a text is longer than %zu bytes", TEMPLATE_OUTPUT_MAX);
    if (!template_take_work(call->work, made.len + plain.len + sizeof(*call->args) * call->len))
        return too_much();
    out->kind = TEMPLATE_STRING;
    out->bytes = arena_strndup(call->mem, sbuf_text(&made), made.len);
    out->len = made.len;
    return NULL;
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

static struct template_value fact(enum template_function function,
                                  const struct template_facts *facts)
{
    switch ((int)function) {
    case FUNCTION_NAME: return of_text(facts->name);
    case FUNCTION_NAMESPACE: return of_text(facts->ns);
    case FUNCTION_TARGET: return of_text(facts->target);
    case FUNCTION_SERVICE: return of_text(facts->service);
    case FUNCTION_INGRESS: return of_text(facts->ingress);
    case FUNCTION_ROUTE: return of_text(facts->route);
    case FUNCTION_INTERVAL: return of_text(facts->interval);
    default: return (struct template_value){ .kind = TEMPLATE_MAP, .map = facts->variables };
    }
}

/* Texts that are looked at whole. */
static size_t work_of(const struct template_call *call)
{
    size_t sum = 0;
    for (size_t i = 0; i < call->len; i++)
        sum += call->args[i].kind == TEMPLATE_STRING ? call->args[i].len : 0;
    return sum;
}

struct err *template_call(enum template_function function, const struct template_call *call,
                          struct template_value *out)
{
    if (!template_take_work(call->work, work_of(call)))
        return too_much();
    switch (function) {
    case FUNCTION_EQ:
    case FUNCTION_NE:
    case FUNCTION_LT:
    case FUNCTION_LE:
    case FUNCTION_GT:
    case FUNCTION_GE: return compare(function, call, out);
    case FUNCTION_HTML:
    case FUNCTION_JS:
    case FUNCTION_URLQUERY:
    case FUNCTION_PRINT:
    case FUNCTION_PRINTF:
    case FUNCTION_PRINTLN: return make_text(function, call, out);
    case FUNCTION_INDEX: return index_of(call, out);
    case FUNCTION_SLICE: return slice(call, out);
    case FUNCTION_LEN: return length(&call->args[0], out);
    case FUNCTION_NOT: *out = of_bool(!template_is_true(&call->args[0])); return NULL;
    case FUNCTION_NAME:
    case FUNCTION_NAMESPACE:
    case FUNCTION_TARGET:
    case FUNCTION_SERVICE:
    case FUNCTION_INGRESS:
    case FUNCTION_ROUTE:
    case FUNCTION_INTERVAL:
    case FUNCTION_VARIABLES: *out = fact(function, call->facts); return NULL;
    case FUNCTION_AND:
    case FUNCTION_OR:
    case FUNCTIONS: break;
    }
    ASSERT(false && "a jump is no call");
    return NULL;
}
