#include "canary/metric/template_code.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LINE_WORK 16

struct loop_state {
    struct template_value over;
    size_t round;
    bool is_over;
    struct template_value dot; /* as it was before */
    size_t dots;
    struct val *sorted; /* of a map */
};

struct machine {
    struct arena *mem;
    const struct template_program *program;
    const struct template_facts *facts;
    struct sbuf *out;
    uint32_t node; /* what an error would name */
    struct template_value dot;
    struct template_value *slots;
    bool *is_set;
    VEC(struct template_value) stack;
    VEC(struct template_value) dots; /* around the current one */
    VEC(struct loop_state) loops;
    size_t work;
};

MUST_USE static struct err *fail(const struct machine *m, const char *fmt, ...) PRINTF(2, 3);

static struct err *fail(const struct machine *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(m->mem, fmt, args);
    va_end(args);
    if (m->node == TEMPLATE_NO_NODE)
        return err_new(ERR_INVALID, "template: tmpl: %s", text);
    const struct template_node *node = &m->program->nodes.at[m->node];
    unsigned line = 1, column = 0;
    for (uint32_t i = 0; i < node->pos; i++) {
        bool is_end = m->program->source[i] == '\n';
        line += is_end;
        column = is_end ? 0 : column + 1;
    }
    return err_new(ERR_INVALID, "template: tmpl:%u:%u: executing \"tmpl\" at <%.*s>: %s", line,
                   column, (int)node->shown_len, m->program->shown + node->shown_at, text);
}

MUST_USE static struct err *spend(struct machine *m, size_t amount)
{
    if (template_take_work(&m->work, amount))
        return NULL;
    return err_new(ERR_LIMIT,
                   "template: tmpl: the template makes too much work: %zu units are "
                   "the most",
                   TEMPLATE_WORK_MAX);
}

static struct template_value *top(const struct machine *m)
{
    ASSERT(m->stack.len > 0);
    return &m->stack.at[m->stack.len - 1];
}

static struct template_value pop(struct machine *m)
{
    struct template_value v = *top(m);
    m->stack.len--;
    return v;
}

static void push(struct machine *m, struct template_value v)
{
    *vec_push(m->mem, &m->stack) = v;
}

static struct template_value text_value(const char *text)
{
    return (struct template_value){ .kind = TEMPLATE_STRING, .bytes = text, .len = strlen(text) };
}

MUST_USE static struct err *get_field(struct machine *m, const struct template_op_line *line)
{
    struct template_value *v = top(m);
    const char *name = arena_strndup(m->mem, line->bytes, line->len);
    TRY(spend(m, line->len));
    if (v->kind == TEMPLATE_NONE)
        return fail(m, "nil data; no entry for key \"%s\"", name);
    if (v->kind != TEMPLATE_MAP)
        return fail(m, "can't evaluate field %s in type %s", name, template_type_name(v->kind));
    if (line->flag)
        return fail(m, "%s is not a method but has arguments", name);
    const struct val *found = val_get(v->map, name);
    if (!found)
        return fail(m, "map has no entry for key \"%s\"", name);
    *v = text_value(val_text_or(found, ""));
    return NULL;
}

MUST_USE static struct err *need_string(const struct machine *m)
{
    const struct template_value *v = top(m);
    if (v->kind == TEMPLATE_STRING)
        return NULL;
    if (v->kind == TEMPLATE_NONE)
        return fail(m, "invalid value; expected string");
    return fail(m, "wrong type for value; expected string; got %s", template_type_name(v->kind));
}

MUST_USE static struct err *call(struct machine *m, const struct template_op_line *line)
{
    size_t len = line->len + line->flag;
    ASSERT(m->stack.len >= len);
    struct template_value *args = len ? &m->stack.at[m->stack.len - len] : NULL;
    if (line->flag && len > 1) { /* the one that was piped in comes last */
        struct template_value piped = args[0];
        memmove(args, args + 1, (len - 1) * sizeof(*args));
        args[len - 1] = piped;
    }
    struct template_value result = { .kind = TEMPLATE_NONE };
    struct err *e = template_call(
        line->function,
        &(struct template_call){
            .mem = m->mem, .facts = m->facts, .args = args, .len = len, .work = &m->work },
        &result);
    if (err_is(e, ERR_LIMIT))
        return err_wrap(e, "template: tmpl");
    if (e) {
        m->node = line->node;
        struct err *told =
            fail(m, "error calling %s: %s", template_signature(line->function)->name, err_text(e));
        err_free(e);
        return told;
    }
    m->stack.len -= len;
    push(m, result);
    return NULL;
}

MUST_USE static struct err *set_slot(struct machine *m, const struct template_op_line *line)
{
    if (line->flag && !m->is_set[line->slot])
        return fail(m, "undefined variable: %.*s", (int)line->len, line->bytes);
    m->slots[line->slot] = *top(m);
    m->is_set[line->slot] = true;
    return NULL;
}

MUST_USE static struct err *get_slot(struct machine *m, const struct template_op_line *line)
{
    if (!m->is_set[line->slot])
        return fail(m, "undefined variable: %.*s", (int)line->len, line->bytes);
    push(m, m->slots[line->slot]);
    return NULL;
}

/* -- loops --------------------------------------------------------------------------------------------------------- */

static size_t rounds_of(const struct template_value *v)
{
    if (v->kind == TEMPLATE_MAP)
        return val_len(v->map);
    bool is_number = v->kind == TEMPLATE_INT || v->kind == TEMPLATE_BYTE;
    return is_number && v->number > 0 ? (size_t)v->number : 0;
}

MUST_USE static struct err *begin_loop(struct machine *m, const struct template_op_line *line,
                                       uint32_t *at)
{
    struct template_value over = pop(m);
    const struct template_op_line *next = line + 1;
    bool is_number = over.kind == TEMPLATE_INT || over.kind == TEMPLATE_BYTE;
    if (is_number && next->slot != TEMPLATE_NO_SLOT)
        return fail(m, "can't use %" PRId64 " to iterate over more than one variable", over.number);
    if (!is_number && over.kind != TEMPLATE_NONE && over.kind != TEMPLATE_MAP) {
        SBUF(shown, TEMPLATE_OUTPUT_MAX);
        template_print_value(&over, &shown);
        return fail(m, "range can't iterate over %s", sbuf_text(&shown));
    }
    if (!rounds_of(&over)) {
        *at = line->target;
        return NULL;
    }
    struct loop_state *loop = vec_push(m->mem, &m->loops);
    *loop = (struct loop_state){ .over = over, .dot = m->dot, .dots = m->dots.len };
    if (over.kind == TEMPLATE_MAP) {
        TRY(spend(m, LINE_WORK * val_len(over.map)));
        loop->sorted = val_copy_sharing(m->mem, over.map);
        val_sort_keys(loop->sorted);
    }
    return NULL;
}

static void next_round(struct machine *m, const struct template_op_line *line, uint32_t *at)
{
    ASSERT(m->loops.len > 0);
    struct loop_state *loop = &m->loops.at[m->loops.len - 1];
    m->dots.len = loop->dots;
    if (loop->is_over || loop->round == rounds_of(&loop->over)) {
        m->dot = loop->dot;
        m->loops.len--;
        *at = line->target;
        return;
    }
    struct template_value key = { .kind = TEMPLATE_NONE };
    struct template_value item = { .kind = loop->over.kind, .number = (int64_t)loop->round };
    if (loop->over.kind == TEMPLATE_MAP) {
        const struct val_pair *pair = &loop->sorted->pairs[loop->round];
        key = text_value(pair->key);
        item = text_value(val_text_or(pair->value, ""));
    }
    loop->round++;
    m->dot = item;
    if (line->slot != TEMPLATE_NO_SLOT)
        m->slots[line->slot] = key;
    if (line->second_slot != TEMPLATE_NO_SLOT)
        m->slots[line->second_slot] = item;
}

/* -- instructions -------------------------------------------------------------------------------------------------- */

MUST_USE static struct err *print(struct machine *m)
{
    struct template_value v = pop(m);
    size_t before = m->out->len;
    if (v.kind == TEMPLATE_NONE)
        sbuf_add(m->out, "<no value>");
    else
        template_print_value(&v, m->out);
    return spend(m, m->out->len - before);
}

/* Jumps that look at what is on top. */
static void branch(struct machine *m, const struct template_op_line *line, uint32_t *at)
{
    bool is_true = template_is_true(top(m));
    bool is_skip = line->op == OP_SKIP_FALSE || line->op == OP_SKIP_TRUE;
    bool jumps = line->op == OP_SKIP_TRUE ? is_true : !is_true;
    if (is_skip && jumps) {
        *at = line->target;
        return;
    }
    struct template_value v = pop(m);
    if (jumps)
        *at = line->target;
    else if (line->op == OP_WITH) {
        *vec_push(m->mem, &m->dots) = m->dot;
        m->dot = v;
    }
}

static void end_with(struct machine *m)
{
    ASSERT(m->dots.len > 0);
    m->dot = m->dots.at[--m->dots.len];
}

static void drop_second(struct machine *m)
{
    struct template_value v = pop(m);
    *top(m) = v;
}

/* `at` is the next instruction already. */
MUST_USE static struct err *execute(struct machine *m, const struct template_op_line *line,
                                    uint32_t *at)
{
    switch (line->op) {
    case OP_NOTHING: return NULL;
    case OP_FAIL: return fail(m, "%s", line->bytes);
    case OP_TEXT: sbuf_add_bytes(m->out, line->bytes, line->len); return spend(m, line->len);
    case OP_PUSH: push(m, line->value); return NULL;
    case OP_DOT: push(m, m->dot); return NULL;
    case OP_VARIABLE: return get_slot(m, line);
    case OP_SET: return set_slot(m, line);
    case OP_FIELD: return get_field(m, line);
    case OP_NEED_STRING: return need_string(m);
    case OP_CALL: return call(m, line);
    case OP_SKIP_FALSE:
    case OP_SKIP_TRUE:
    case OP_JUMP_UNLESS:
    case OP_WITH: branch(m, line, at); return NULL;
    case OP_COPY: push(m, *top(m)); return NULL;
    case OP_DROP_SECOND: drop_second(m); return NULL;
    case OP_DROP: (void)pop(m); return NULL;
    case OP_PRINT: return print(m);
    case OP_JUMP: *at = line->target; return NULL;
    case OP_END_WITH: end_with(m); return NULL;
    case OP_RANGE: return begin_loop(m, line, at);
    case OP_NEXT: next_round(m, line, at); return NULL;
    case OP_BREAK:
        m->loops.at[m->loops.len - 1].is_over = true;
        *at = line->target;
        return NULL;
    }
    return NULL;
}

struct err *template_run(struct arena *mem, const struct template_program *program,
                         const struct template_facts *facts, struct sbuf *out)
{
    struct machine m = { .mem = mem,
                         .program = program,
                         .facts = facts,
                         .out = out,
                         .node = TEMPLATE_NO_NODE,
                         .work = TEMPLATE_WORK_MAX };
    m.slots = arena_alloc(mem, program->slots * sizeof(*m.slots));
    m.is_set = arena_alloc(mem, program->slots * sizeof(*m.is_set));
    m.is_set[0] = true;
    for (uint32_t at = 0; at < program->lines.len;) {
        const struct template_op_line *line = &program->lines.at[at++];
        if (line->node != TEMPLATE_NO_NODE && line->op != OP_CALL)
            m.node = line->node;
        TRY(spend(&m, LINE_WORK));
        TRY(execute(&m, line, &at));
        if (out->is_over)
            return err_new(ERR_LIMIT, "template: tmpl: the text is longer than %zu bytes",
                           out->max);
    }
    return NULL;
}
