#include "canary/metric/template_compile.h"

#include <string.h>

static uint32_t add_node(struct template_compiler *c, uint32_t pos)
{
    *vec_push(c->mem, &c->program->nodes) =
        (struct template_node){ .pos = pos, .shown_at = c->shown.len };
    return (uint32_t)c->program->nodes.len - 1;
}

/* The node is what was shown since it was added. */
static void end_node(const struct template_compiler *c, uint32_t node)
{
    struct template_node *n = &c->program->nodes.at[node];
    n->shown_len = c->shown.len - n->shown_at;
}

static void show(struct template_compiler *c, const struct template_token *token)
{
    sbuf_add_bytes(&c->shown, token->bytes, token->len);
}

static void emit_failure(struct template_compiler *c, uint32_t node, const char *message)
{
    struct template_op_line *line = template_emit(c, OP_FAIL);
    line->node = node;
    line->bytes = message;
}

static struct template_pipe *top(const struct template_compiler *c)
{
    return &c->pipes.at[c->pipes.len - 1];
}

/* -- variables ----------------------------------------------------------------------------------------------------- */

static uint32_t find_slot(const struct template_compiler *c, const char *bytes, size_t len)
{
    for (size_t i = c->scopes.len; i > 0; i--) {
        const struct template_scope *scope = &c->scopes.at[i - 1];
        if (scope->len == len && !memcmp(scope->bytes, bytes, len))
            return scope->slot;
    }
    return TEMPLATE_NO_SLOT;
}

/* A name means what it meant before until its own pipeline is complete. */
static bool is_about_to_be(const struct template_compiler *c, const struct template_token *token)
{
    for (size_t i = 0; i < c->pipes.len; i++) {
        const struct template_pipe *pipe = &c->pipes.at[i];
        for (size_t k = 0; k < pipe->declared; k++) {
            if (pipe->names[k]->len == token->len &&
                !memcmp(pipe->names[k]->bytes, token->bytes, token->len))
                return true;
        }
    }
    return false;
}

static uint32_t declare(struct template_compiler *c, const struct template_token *token)
{
    uint32_t slot = c->program->slots++;
    *vec_push(c->mem, &c->scopes) =
        (struct template_scope){ .bytes = token->bytes, .len = token->len, .slot = slot };
    return slot;
}

/* `$x :=`, `$x =`, and in a range `$i, $x :=`. Leaves everything as it was when it is neither. */
MUST_USE static struct err *compile_declarations(struct template_compiler *c,
                                                 struct template_pipe *pipe)
{
    while (template_peek_word(c)->type == TOKEN_VARIABLE) {
        size_t before = c->at;
        const struct template_token *name = template_next(c);
        const struct template_token *behind = template_peek_word(c);
        bool is_comma = behind->type == TOKEN_MARK && behind->bytes[0] == ',';
        if (!is_comma && behind->type != TOKEN_DECLARE && behind->type != TOKEN_ASSIGN) {
            c->at = before;
            break;
        }
        template_next(c);
        pipe->names[pipe->declared++] = name;
        pipe->is_assignment = behind->type == TOKEN_ASSIGN;
        if (!is_comma)
            break;
        enum template_token_type type = template_peek_word(c)->type;
        if (!pipe->is_range || pipe->declared == 2)
            return template_fail(c, "too many declarations in %s", pipe->context);
        if (type != TOKEN_VARIABLE && type != TOKEN_CLOSE && type != TOKEN_RIGHT)
            return template_fail(c, "range can only initialize variables");
    }
    for (size_t i = 0; i < pipe->declared; i++) {
        sbuf_add(&c->shown, i ? ", " : "");
        show(c, pipe->names[i]);
    }
    sbuf_add(&c->shown, !pipe->declared ? "" : pipe->is_assignment ? " = " : " := ");
    return NULL;
}

/* -- commands ------------------------------------------------------------------------------------------------------ */

static bool is_jumping(enum template_function function)
{
    return function == FUNCTION_AND || function == FUNCTION_OR;
}

static bool is_literal(enum template_token_type type)
{
    return type == TOKEN_QUOTED || type == TOKEN_RAW || type == TOKEN_RUNE ||
           type == TOKEN_NUMBER || type == TOKEN_BOOL || type == TOKEN_DOT || type == TOKEN_NIL ||
           type == TOKEN_COMPLEX;
}

static void begin_command(struct template_compiler *c, struct template_pipe *pipe)
{
    sbuf_add(&c->shown, pipe->commands ? " | " : "");
    pipe->is_in_command = true;
    pipe->words = 0;
    pipe->first = TERM_NONE;
    pipe->skips.len = 0;
    pipe->command_node = add_node(c, template_peek_word(c)->pos);
    pipe->check = template_here(c);
    template_emit(c, OP_NOTHING);
}

/* What a call with so many arguments comes to, if it cannot be right; NULL if it can. */
static const char *count_fault(struct template_compiler *c, enum template_function function,
                               size_t given, bool has_final)
{
    const struct template_signature *s = template_signature(function);
    size_t all = given + has_final;
    if (s->is_variadic ? all >= s->least : all == s->least)
        return NULL;
    return s->is_variadic ? arena_printf(c->mem,
                                         "wrong number of args for %s: want at least %u "
                                         "got %zu",
                                         s->name, s->least, given)
                          : arena_printf(c->mem, "wrong number of args for %s: want %u got %zu",
                                         s->name, s->least, all);
}

static void fail_check(struct template_compiler *c, uint32_t check, uint32_t node,
                       const char *message)
{
    struct template_op_line *line = template_line_at(c, check);
    line->op = OP_FAIL;
    line->node = node;
    line->bytes = message;
}

static void emit_call(struct template_compiler *c, enum template_function function, size_t given,
                      bool has_final, uint32_t node)
{
    struct template_op_line *line = template_emit(c, OP_CALL);
    line->function = function;
    line->len = given;
    line->flag = has_final;
    line->node = node;
}

static void end_call(struct template_compiler *c, struct template_pipe *pipe, bool has_final)
{
    size_t given = pipe->words - 1;
    const char *fault = count_fault(c, pipe->callee, given, has_final);
    if (fault) {
        fail_check(c, pipe->check, pipe->first_node, fault);
        return;
    }
    template_line_at(c, pipe->check)->node = pipe->first_node;
    if (!is_jumping(pipe->callee)) {
        if (pipe->callee == FUNCTION_PRINTF && !given)
            template_emit(c, OP_NEED_STRING);
        emit_call(c, pipe->callee, given, has_final, pipe->command_node);
        return;
    }
    /* The value piped in is the last argument; it lies below the others. The last one is the result whatever it is. */
    if (has_final)
        template_emit(c, OP_COPY);
    else
        template_line_at(c, pipe->skips.at[pipe->skips.len - 1])->op = OP_NOTHING;
    for (size_t i = 0; i < pipe->skips.len; i++)
        template_line_at(c, pipe->skips.at[i])->target = template_here(c);
    if (has_final)
        template_emit(c, OP_DROP_SECOND);
}

static void end_command(struct template_compiler *c, struct template_pipe *pipe)
{
    bool has_final = pipe->commands > 0;
    end_node(c, pipe->command_node);
    const struct template_node *first = &c->program->nodes.at[pipe->first_node];
    if (pipe->first == TERM_FUNCTION) {
        end_call(c, pipe, has_final);
    } else if (pipe->words > 1 || has_final) {
        const char *shown =
            arena_strndup(c->mem, sbuf_text(&c->shown) + first->shown_at, first->shown_len);
        uint32_t node = pipe->is_piped_word ? TEMPLATE_NO_NODE : pipe->first_node;
        if (pipe->first == TERM_FIELDS)
            template_line_at(c, pipe->last_field)->flag = true;
        else
            fail_check(c, pipe->check, node,
                       arena_printf(c->mem, "can't give argument to non-function %s", shown));
    }
    if (pipe->first == TERM_LITERAL && has_final && !pipe->bad_stage)
        pipe->bad_stage = pipe->commands + 1;
    pipe->commands++;
    pipe->is_in_command = false;
}

/* -- words --------------------------------------------------------------------------------------------------------- */

/* A constant, or a dot. */
MUST_USE static struct err *compile_literal(struct template_compiler *c,
                                            const struct template_token *token, uint32_t node)
{
    const struct template_pipe *pipe = top(c);
    bool is_first = pipe->words == 0;
    bool is_format = !is_first && pipe->first == TERM_FUNCTION && pipe->callee == FUNCTION_PRINTF &&
                     pipe->words == 1;
    struct template_value value = { .kind = TEMPLATE_NONE };
    struct err *e = NULL;
    if (token->type == TOKEN_BOOL)
        value = (struct template_value){ .kind = TEMPLATE_BOOL, .boolean = token->len == 4 };
    else if (token->type == TOKEN_QUOTED || token->type == TOKEN_RAW)
        e = template_unquote(c->mem, token->bytes, token->len, &value);
    else if (token->type != TOKEN_DOT && token->type != TOKEN_NIL)
        e = template_number(c->mem, token, &value);
    if (e) {
        struct err *told = template_fail(c, "%s", err_text(e));
        err_free(e);
        return told;
    }
    if (token->type == TOKEN_NIL && (is_first || is_format)) {
        emit_failure(c, node, is_first ? "nil is not a command" : "cannot assign nil to string");
        return NULL;
    }
    if (is_format && token->type != TOKEN_DOT && value.kind != TEMPLATE_STRING) {
        emit_failure(
            c, node,
            arena_printf(c->mem, "expected string; found %.*s", (int)token->len, token->bytes));
        return NULL;
    }
    struct template_op_line *line = template_emit(c, token->type == TOKEN_DOT ? OP_DOT : OP_PUSH);
    line->node = node;
    line->value = value;
    return NULL;
}

static void emit_field(struct template_compiler *c, const struct template_token *token)
{
    struct template_op_line *line = template_emit(c, OP_FIELD);
    line->bytes = token->bytes + 1;
    line->len = token->len - 1;
}

MUST_USE static struct err *compile_name(struct template_compiler *c,
                                         const struct template_token *token, uint32_t node)
{
    enum template_function function;
    struct template_pipe *pipe = top(c);
    if (!template_find_function(token->bytes, token->len, &function)) {
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(token->bytes, token->len, false, &quoted);
        return template_fail(c, "function %s not defined", sbuf_text(&quoted));
    }
    pipe->term = TERM_FUNCTION;
    if (pipe->words == 0 && template_peek(c)->type != TOKEN_FIELD) {
        pipe->callee = function;
        return NULL;
    }
    const char *fault = count_fault(c, function, 0, false);
    template_emit(c, OP_NOTHING)->node = node;
    if (fault)
        emit_failure(c, node, fault);
    else
        emit_call(c, function, 0, false, node);
    return NULL;
}

MUST_USE static struct err *compile_variable(struct template_compiler *c,
                                             const struct template_token *token, uint32_t node)
{
    struct template_pipe *pipe = top(c);
    uint32_t slot = find_slot(c, token->bytes, token->len);
    pipe->term = TERM_PLAIN;
    if (slot == TEMPLATE_NO_SLOT && is_about_to_be(c, token)) {
        emit_failure(
            c, node,
            arena_printf(c->mem, "undefined variable: %.*s", (int)token->len, token->bytes));
    } else if (slot == TEMPLATE_NO_SLOT) {
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(token->bytes, token->len, false, &quoted);
        return template_fail(c, "undefined variable %s", sbuf_text(&quoted));
    } else {
        struct template_op_line *line = template_emit(c, OP_VARIABLE);
        line->slot = slot;
        line->node = node;
        line->bytes = token->bytes;
        line->len = token->len;
    }
    if (pipe->words == 0) { /* that it is there comes before what it is used for */
        pipe->check = template_here(c);
        template_emit(c, OP_NOTHING);
    }
    return NULL;
}

/* The fields behind a term. Their node begins at the first of them, unless they stand behind a call or a pipeline. */
MUST_USE static struct err *compile_fields(struct template_compiler *c,
                                           const struct template_token *term)
{
    struct template_pipe *pipe = top(c);
    if (template_peek(c)->type != TOKEN_FIELD)
        return NULL;
    uint32_t pos = template_peek(c)->pos;
    if (term && is_literal(term->type)) {
        while (template_peek(c)->type == TOKEN_FIELD)
            template_next(c);
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(term->bytes, term->len, false, &quoted);
        return template_fail(c, "unexpected . after term %s", sbuf_text(&quoted));
    }
    bool is_plain = term && (term->type == TOKEN_VARIABLE || term->type == TOKEN_FIELD);
    if (is_plain)
        c->program->nodes.at[pipe->word_node].pos = pos;
    while (template_peek(c)->type == TOKEN_FIELD) {
        show(c, template_peek(c));
        emit_field(c, template_next(c));
    }
    pipe->term = TERM_FIELDS;
    return NULL;
}

/* A word is complete: what it means for the command. `term` NULL: a pipeline in parentheses. */
MUST_USE static struct err *end_word(struct template_compiler *c, const struct template_token *term)
{
    struct template_pipe *pipe = top(c);
    bool is_plain = term && (term->type == TOKEN_VARIABLE || term->type == TOKEN_FIELD);
    if (term &&
        !is_plain) /* errors in the fields of a call name the call; a pipeline has ended its node itself */
        end_node(c, pipe->word_node);
    TRY(compile_fields(c, term));
    if (is_plain)
        end_node(c, pipe->word_node);
    bool is_alone = !term && pipe->term != TERM_FIELDS;
    if (pipe->words == 0) {
        pipe->first = pipe->term;
        pipe->first_node = pipe->word_node;
        pipe->last_field = template_here(c) - 1;
        pipe->is_piped_word = is_alone;
    } else if (pipe->first == TERM_FUNCTION && is_jumping(pipe->callee)) {
        *vec_push(c->mem, &pipe->skips) = template_here(c);
        template_emit(c, pipe->callee == FUNCTION_AND ? OP_SKIP_FALSE : OP_SKIP_TRUE);
    } else if (pipe->first == TERM_FUNCTION && pipe->callee == FUNCTION_PRINTF &&
               pipe->words == 1) {
        template_emit(c, OP_NEED_STRING);
    }
    pipe->words++;
    return NULL;
}

static bool begins_word(enum template_token_type type)
{
    return is_literal(type) || type == TOKEN_NAME || type == TOKEN_VARIABLE ||
           type == TOKEN_FIELD || type == TOKEN_LEFT;
}

/* A word that is no pipeline in parentheses. */
MUST_USE static struct err *compile_word(struct template_compiler *c)
{
    const struct template_token *token = template_next_word(c);
    struct template_pipe *pipe = top(c);
    sbuf_add(&c->shown, pipe->words ? " " : "");
    pipe->word_node = add_node(c, token->pos);
    show(c, token);
    pipe->term = TERM_PLAIN;
    if (token->type == TOKEN_NAME) {
        TRY(compile_name(c, token, pipe->word_node));
    } else if (token->type == TOKEN_VARIABLE) {
        TRY(compile_variable(c, token, pipe->word_node));
    } else if (token->type == TOKEN_FIELD) {
        template_emit(c, OP_DOT)->node = pipe->word_node;
        emit_field(c, token);
        pipe->term = TERM_FIELDS;
    } else {
        pipe->term = TERM_LITERAL;
        TRY(compile_literal(c, token, pipe->word_node));
    }
    return end_word(c, token);
}

/* -- pipelines ----------------------------------------------------------------------------------------------------- */

MUST_USE static struct err *open_pipe(struct template_compiler *c, const char *context,
                                      enum template_token_type end)
{
    if (c->pipes.len == TEMPLATE_DEPTH_MAX)
        return template_fail(c, "max expression depth exceeded");
    struct template_pipe *pipe = vec_push(c->mem, &c->pipes);
    *pipe = (struct template_pipe){ .context = context,
                                    .end = end,
                                    .is_range = !strcmp(context, "range"),
                                    .node = add_node(c, template_peek_word(c)->pos) };
    template_emit(c, OP_NOTHING)->node = pipe->node;
    return compile_declarations(c, pipe);
}

static void emit_set(struct template_compiler *c, struct template_pipe *pipe)
{
    for (size_t i = 0; i < pipe->declared; i++) {
        const struct template_token *name = pipe->names[i];
        uint32_t slot = find_slot(c, name->bytes, name->len);
        bool is_known = pipe->is_assignment && slot != TEMPLATE_NO_SLOT;
        pipe->slots[i] = is_known ? slot : declare(c, name);
        struct template_op_line *line = template_emit(c, OP_SET);
        line->slot = pipe->slots[i];
        line->flag = pipe->is_assignment;
        line->bytes = name->bytes;
        line->len = name->len;
    }
}

/* The pipeline is complete but for its stack entry. */
MUST_USE static struct err *end_pipe(struct template_compiler *c)
{
    struct template_pipe *pipe = top(c);
    if (!pipe->commands)
        return template_fail(c, "missing value for %s", pipe->context);
    if (pipe->bad_stage)
        return template_fail(c, "non executable command in pipeline stage %zu", pipe->bad_stage);
    end_node(c, pipe->node);
    emit_set(c, pipe);
    return NULL;
}

MUST_USE static struct err *open_parenthesis(struct template_compiler *c)
{
    struct template_pipe *pipe = top(c);
    sbuf_add(&c->shown, pipe->words ? " " : "");
    pipe->word_node = add_node(c, template_next_word(c)->pos);
    pipe->term = TERM_PLAIN;
    sbuf_add_char(&c->shown, '(');
    return open_pipe(c, "parenthesized pipeline", TOKEN_RIGHT);
}

MUST_USE static struct err *close_parenthesis(struct template_compiler *c)
{
    TRY(end_pipe(c));
    uint32_t inner = top(c)->node;
    c->pipes.len--;
    sbuf_add_char(&c->shown, ')');
    if (template_peek(c)->type != TOKEN_FIELD)
        top(c)->word_node = inner;
    return end_word(c, NULL);
}

/* Behind a word, or where none could be read: the next one, the next command, or the end of the pipeline. */
MUST_USE static struct err *go_on(struct template_compiler *c)
{
    struct template_pipe *pipe = top(c);
    const struct template_token *token = template_next(c);
    if (token->type == TOKEN_SPACE)
        return NULL;
    if (token->type == TOKEN_CLOSE || token->type == TOKEN_RIGHT)
        c->at--;
    else if (token->type != TOKEN_PIPE)
        return template_unexpected(c, token, "operand");
    if (!pipe->words)
        return template_fail(c, "empty command");
    end_command(c, pipe);
    return NULL;
}

/* Up to the end token of the outermost one, which is left on the stack for its caller to take. */
struct err *template_pipeline(struct template_compiler *c, const char *context)
{
    c->pipes.len = 0;
    TRY(open_pipe(c, context, TOKEN_CLOSE));
    for (;;) {
        struct template_pipe *pipe = top(c);
        const struct template_token *token = template_peek_word(c);
        if (!pipe->is_in_command) {
            if (token->type == pipe->end) {
                template_next(c);
                if (c->pipes.len == 1)
                    return end_pipe(c);
                TRY(close_parenthesis(c));
                TRY(go_on(c));
                continue;
            }
            if (!begins_word(token->type)) {
                template_next(c);
                return template_unexpected(c, token, pipe->context);
            }
            begin_command(c, pipe);
        }
        if (token->type == TOKEN_LEFT) {
            TRY(open_parenthesis(c));
            continue;
        }
        if (begins_word(token->type))
            TRY(compile_word(c));
        TRY(go_on(c));
    }
}
