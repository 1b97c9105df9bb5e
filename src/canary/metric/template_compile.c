#include "canary/metric/template_code.h"

#include <stdarg.h>
#include <string.h>

#define NO_LINE   UINT32_MAX
#define SHOWN_MAX (4 * TEMPLATE_MAX)

/* What the first word of a command is; the order tells which may begin a later stage of a pipeline. */
enum term { TERM_NONE, TERM_LITERAL, TERM_FUNCTION, TERM_PLAIN, TERM_FIELDS };

struct scope {
    const char *bytes;
    size_t len;
    uint32_t slot;
};

/* A pipeline that is being compiled; those below it on the stack wait for it as one of their arguments. */
struct pipe {
    const char *context;
    enum template_token_type end;
    uint32_t node;
    const struct template_token *names[2]; /* declared or assigned, from its end on */
    uint32_t slots[2];
    size_t declared;
    bool is_assignment, is_range;
    size_t commands;
    size_t bad_stage; /* the first that begins with a literal; 0: none */
    /* the current command */
    bool is_in_command;
    size_t words;
    enum term first;
    uint32_t command_node, first_node, check; /* check: its OP_NOTHING */
    uint32_t last_field;                      /* of the first word */
    enum template_function callee;
    VEC(uint32_t) skips; /* of and, or */
    /* the current word */
    uint32_t word_node;
    enum term term;
    bool is_piped_word; /* it is a pipeline in parentheses */
};

enum block_kind { BLOCK_IF, BLOCK_WITH, BLOCK_RANGE };

struct block {
    enum block_kind kind;
    bool is_else, is_implied; /* implied: ends with the block around it (else if) */
    uint32_t fork;            /* the jump to the else part */
    uint32_t next;            /* of a loop */
    uint32_t leave;           /* the jump over the else part; NO_LINE without one */
    size_t scopes;
};

struct compiler {
    struct arena *mem;
    const struct template_tokens *tokens;
    size_t at;     /* the next token */
    size_t latest; /* the last one that was looked at: errors name its line */
    uint32_t action_line;
    struct template_program *program;
    struct sbuf shown;
    VEC(struct scope) scopes;
    VEC(struct pipe) pipes;
    VEC(struct block) blocks;
    size_t loops;
};

MUST_USE static struct err *fail(const struct compiler *c, const char *fmt, ...) PRINTF(2, 3);

static struct err *fail(const struct compiler *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(c->mem, fmt, args);
    va_end(args);
    return err_new(ERR_INVALID, "template: tmpl:%u: %s", c->tokens->at[c->latest].line, text);
}

/* -- tokens: the last of them stays --------------------------------------------------------------------------------- */

static const struct template_token *peek(struct compiler *c)
{
    size_t at = MIN_OF(c->at, c->tokens->len - 1);
    c->latest = MAX_OF(c->latest, at);
    return &c->tokens->at[at];
}

static const struct template_token *next(struct compiler *c)
{
    const struct template_token *token = peek(c);
    c->at = MIN_OF(c->at + 1, c->tokens->len);
    return token;
}

static const struct template_token *next_word(struct compiler *c)
{
    const struct template_token *token = next(c);
    return token->type == TOKEN_SPACE ? next(c) : token;
}

static const struct template_token *peek_word(struct compiler *c)
{
    if (peek(c)->type == TOKEN_SPACE)
        c->at++;
    return peek(c);
}

MUST_USE static struct err *unexpected(const struct compiler *c, const struct template_token *token,
                                       const char *where)
{
    const char *text = template_token_text(c->mem, token);
    if (token->type != TOKEN_ERROR)
        return fail(c, "unexpected %s in %s", text, where);
    if (!c->action_line || c->action_line == token->line)
        return fail(c, "%s", text);
    size_t len = strlen(text);
    bool says_action = len > 7 && !strcmp(text + len - 7, " action");
    return fail(c, "%s%s started at tmpl:%u", text, says_action ? "" : " in action",
                c->action_line);
}

/* -- code ---------------------------------------------------------------------------------------------------------- */

static struct template_op_line *emit(struct compiler *c, enum template_op op)
{
    struct template_op_line *line = vec_push(c->mem, &c->program->lines);
    *line = (struct template_op_line){ .op = op, .node = TEMPLATE_NO_NODE };
    return line;
}

static uint32_t here(const struct compiler *c)
{
    return (uint32_t)c->program->lines.len;
}

static struct template_op_line *line_at(const struct compiler *c, uint32_t at)
{
    return &c->program->lines.at[at];
}

static uint32_t add_node(struct compiler *c, uint32_t pos)
{
    *vec_push(c->mem, &c->program->nodes) =
        (struct template_node){ .pos = pos, .shown_at = c->shown.len };
    return (uint32_t)c->program->nodes.len - 1;
}

/* The node is what was shown since it was added. */
static void end_node(const struct compiler *c, uint32_t node)
{
    struct template_node *n = &c->program->nodes.at[node];
    n->shown_len = c->shown.len - n->shown_at;
}

static void show(struct compiler *c, const struct template_token *token)
{
    sbuf_add_bytes(&c->shown, token->bytes, token->len);
}

static void emit_failure(struct compiler *c, uint32_t node, const char *message)
{
    struct template_op_line *line = emit(c, OP_FAIL);
    line->node = node;
    line->bytes = message;
}

static struct pipe *top(const struct compiler *c)
{
    return &c->pipes.at[c->pipes.len - 1];
}

/* -- variables ----------------------------------------------------------------------------------------------------- */

static uint32_t find_slot(const struct compiler *c, const char *bytes, size_t len)
{
    for (size_t i = c->scopes.len; i > 0; i--) {
        const struct scope *scope = &c->scopes.at[i - 1];
        if (scope->len == len && !memcmp(scope->bytes, bytes, len))
            return scope->slot;
    }
    return TEMPLATE_NO_SLOT;
}

/* A name means what it meant before until its own pipeline is complete. */
static bool is_about_to_be(const struct compiler *c, const struct template_token *token)
{
    for (size_t i = 0; i < c->pipes.len; i++) {
        const struct pipe *pipe = &c->pipes.at[i];
        for (size_t k = 0; k < pipe->declared; k++) {
            if (pipe->names[k]->len == token->len &&
                !memcmp(pipe->names[k]->bytes, token->bytes, token->len))
                return true;
        }
    }
    return false;
}

static uint32_t declare(struct compiler *c, const struct template_token *token)
{
    uint32_t slot = c->program->slots++;
    *vec_push(c->mem, &c->scopes) =
        (struct scope){ .bytes = token->bytes, .len = token->len, .slot = slot };
    return slot;
}

/* `$x :=`, `$x =`, and in a range `$i, $x :=`. Leaves everything as it was when it is neither. */
MUST_USE static struct err *compile_declarations(struct compiler *c, struct pipe *pipe)
{
    while (peek_word(c)->type == TOKEN_VARIABLE) {
        size_t before = c->at;
        const struct template_token *name = next(c);
        const struct template_token *behind = peek_word(c);
        bool is_comma = behind->type == TOKEN_MARK && behind->bytes[0] == ',';
        if (!is_comma && behind->type != TOKEN_DECLARE && behind->type != TOKEN_ASSIGN) {
            c->at = before;
            break;
        }
        next(c);
        pipe->names[pipe->declared++] = name;
        pipe->is_assignment = behind->type == TOKEN_ASSIGN;
        if (!is_comma)
            break;
        enum template_token_type type = peek_word(c)->type;
        if (!pipe->is_range || pipe->declared == 2)
            return fail(c, "too many declarations in %s", pipe->context);
        if (type != TOKEN_VARIABLE && type != TOKEN_CLOSE && type != TOKEN_RIGHT)
            return fail(c, "range can only initialize variables");
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

static void begin_command(struct compiler *c, struct pipe *pipe)
{
    sbuf_add(&c->shown, pipe->commands ? " | " : "");
    pipe->is_in_command = true;
    pipe->words = 0;
    pipe->first = TERM_NONE;
    pipe->skips.len = 0;
    pipe->command_node = add_node(c, peek_word(c)->pos);
    pipe->check = here(c);
    emit(c, OP_NOTHING);
}

/* What a call with so many arguments comes to, if it cannot be right; NULL if it can. */
static const char *count_fault(struct compiler *c, enum template_function function, size_t given,
                               bool has_final)
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

static void fail_check(struct compiler *c, uint32_t check, uint32_t node, const char *message)
{
    struct template_op_line *line = line_at(c, check);
    line->op = OP_FAIL;
    line->node = node;
    line->bytes = message;
}

static void emit_call(struct compiler *c, enum template_function function, size_t given,
                      bool has_final, uint32_t node)
{
    struct template_op_line *line = emit(c, OP_CALL);
    line->function = function;
    line->len = given;
    line->flag = has_final;
    line->node = node;
}

static void end_call(struct compiler *c, struct pipe *pipe, bool has_final)
{
    size_t given = pipe->words - 1;
    const char *fault = count_fault(c, pipe->callee, given, has_final);
    if (fault) {
        fail_check(c, pipe->check, pipe->first_node, fault);
        return;
    }
    line_at(c, pipe->check)->node = pipe->first_node;
    if (!is_jumping(pipe->callee)) {
        if (pipe->callee == FUNCTION_PRINTF && !given)
            emit(c, OP_NEED_STRING);
        emit_call(c, pipe->callee, given, has_final, pipe->command_node);
        return;
    }
    /* The value piped in is the last argument; it lies below the others. The last one is the result whatever it is. */
    if (has_final)
        emit(c, OP_COPY);
    else
        line_at(c, pipe->skips.at[pipe->skips.len - 1])->op = OP_NOTHING;
    for (size_t i = 0; i < pipe->skips.len; i++)
        line_at(c, pipe->skips.at[i])->target = here(c);
    if (has_final)
        emit(c, OP_DROP_SECOND);
}

static void end_command(struct compiler *c, struct pipe *pipe)
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
            line_at(c, pipe->last_field)->flag = true;
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
MUST_USE static struct err *compile_literal(struct compiler *c, const struct template_token *token,
                                            uint32_t node)
{
    const struct pipe *pipe = top(c);
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
        struct err *told = fail(c, "%s", err_text(e));
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
    struct template_op_line *line = emit(c, token->type == TOKEN_DOT ? OP_DOT : OP_PUSH);
    line->node = node;
    line->value = value;
    return NULL;
}

static void emit_field(struct compiler *c, const struct template_token *token)
{
    struct template_op_line *line = emit(c, OP_FIELD);
    line->bytes = token->bytes + 1;
    line->len = token->len - 1;
}

MUST_USE static struct err *compile_name(struct compiler *c, const struct template_token *token,
                                         uint32_t node)
{
    enum template_function function;
    struct pipe *pipe = top(c);
    if (!template_find_function(token->bytes, token->len, &function)) {
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(token->bytes, token->len, false, &quoted);
        return fail(c, "function %s not defined", sbuf_text(&quoted));
    }
    pipe->term = TERM_FUNCTION;
    if (pipe->words == 0 && peek(c)->type != TOKEN_FIELD) {
        pipe->callee = function;
        return NULL;
    }
    const char *fault = count_fault(c, function, 0, false);
    emit(c, OP_NOTHING)->node = node;
    if (fault)
        emit_failure(c, node, fault);
    else
        emit_call(c, function, 0, false, node);
    return NULL;
}

MUST_USE static struct err *compile_variable(struct compiler *c, const struct template_token *token,
                                             uint32_t node)
{
    struct pipe *pipe = top(c);
    uint32_t slot = find_slot(c, token->bytes, token->len);
    pipe->term = TERM_PLAIN;
    if (slot == TEMPLATE_NO_SLOT && is_about_to_be(c, token)) {
        emit_failure(
            c, node,
            arena_printf(c->mem, "undefined variable: %.*s", (int)token->len, token->bytes));
    } else if (slot == TEMPLATE_NO_SLOT) {
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(token->bytes, token->len, false, &quoted);
        return fail(c, "undefined variable %s", sbuf_text(&quoted));
    } else {
        struct template_op_line *line = emit(c, OP_VARIABLE);
        line->slot = slot;
        line->node = node;
        line->bytes = token->bytes;
        line->len = token->len;
    }
    if (pipe->words == 0) { /* that it is there comes before what it is used for */
        pipe->check = here(c);
        emit(c, OP_NOTHING);
    }
    return NULL;
}

/* The fields behind a term. Their node begins at the first of them, unless they stand behind a call or a pipeline. */
MUST_USE static struct err *compile_fields(struct compiler *c, const struct template_token *term)
{
    struct pipe *pipe = top(c);
    if (peek(c)->type != TOKEN_FIELD)
        return NULL;
    uint32_t pos = peek(c)->pos;
    if (term && is_literal(term->type)) {
        while (peek(c)->type == TOKEN_FIELD)
            next(c);
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(term->bytes, term->len, false, &quoted);
        return fail(c, "unexpected . after term %s", sbuf_text(&quoted));
    }
    bool is_plain = term && (term->type == TOKEN_VARIABLE || term->type == TOKEN_FIELD);
    if (is_plain)
        c->program->nodes.at[pipe->word_node].pos = pos;
    while (peek(c)->type == TOKEN_FIELD) {
        show(c, peek(c));
        emit_field(c, next(c));
    }
    pipe->term = TERM_FIELDS;
    return NULL;
}

/* A word is complete: what it means for the command. `term` NULL: a pipeline in parentheses. */
MUST_USE static struct err *end_word(struct compiler *c, const struct template_token *term)
{
    struct pipe *pipe = top(c);
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
        pipe->last_field = here(c) - 1;
        pipe->is_piped_word = is_alone;
    } else if (pipe->first == TERM_FUNCTION && is_jumping(pipe->callee)) {
        *vec_push(c->mem, &pipe->skips) = here(c);
        emit(c, pipe->callee == FUNCTION_AND ? OP_SKIP_FALSE : OP_SKIP_TRUE);
    } else if (pipe->first == TERM_FUNCTION && pipe->callee == FUNCTION_PRINTF &&
               pipe->words == 1) {
        emit(c, OP_NEED_STRING);
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
MUST_USE static struct err *compile_word(struct compiler *c)
{
    const struct template_token *token = next_word(c);
    struct pipe *pipe = top(c);
    sbuf_add(&c->shown, pipe->words ? " " : "");
    pipe->word_node = add_node(c, token->pos);
    show(c, token);
    pipe->term = TERM_PLAIN;
    if (token->type == TOKEN_NAME) {
        TRY(compile_name(c, token, pipe->word_node));
    } else if (token->type == TOKEN_VARIABLE) {
        TRY(compile_variable(c, token, pipe->word_node));
    } else if (token->type == TOKEN_FIELD) {
        emit(c, OP_DOT)->node = pipe->word_node;
        emit_field(c, token);
        pipe->term = TERM_FIELDS;
    } else {
        pipe->term = TERM_LITERAL;
        TRY(compile_literal(c, token, pipe->word_node));
    }
    return end_word(c, token);
}

/* -- pipelines ----------------------------------------------------------------------------------------------------- */

MUST_USE static struct err *open_pipe(struct compiler *c, const char *context,
                                      enum template_token_type end)
{
    if (c->pipes.len == TEMPLATE_DEPTH_MAX)
        return fail(c, "max expression depth exceeded");
    struct pipe *pipe = vec_push(c->mem, &c->pipes);
    *pipe = (struct pipe){ .context = context,
                           .end = end,
                           .is_range = !strcmp(context, "range"),
                           .node = add_node(c, peek_word(c)->pos) };
    emit(c, OP_NOTHING)->node = pipe->node;
    return compile_declarations(c, pipe);
}

static void emit_set(struct compiler *c, struct pipe *pipe)
{
    for (size_t i = 0; i < pipe->declared; i++) {
        const struct template_token *name = pipe->names[i];
        uint32_t slot = find_slot(c, name->bytes, name->len);
        bool is_known = pipe->is_assignment && slot != TEMPLATE_NO_SLOT;
        pipe->slots[i] = is_known ? slot : declare(c, name);
        struct template_op_line *line = emit(c, OP_SET);
        line->slot = pipe->slots[i];
        line->flag = pipe->is_assignment;
        line->bytes = name->bytes;
        line->len = name->len;
    }
}

/* The pipeline is complete but for its stack entry. */
MUST_USE static struct err *end_pipe(struct compiler *c)
{
    struct pipe *pipe = top(c);
    if (!pipe->commands)
        return fail(c, "missing value for %s", pipe->context);
    if (pipe->bad_stage)
        return fail(c, "non executable command in pipeline stage %zu", pipe->bad_stage);
    end_node(c, pipe->node);
    emit_set(c, pipe);
    return NULL;
}

MUST_USE static struct err *open_parenthesis(struct compiler *c)
{
    struct pipe *pipe = top(c);
    sbuf_add(&c->shown, pipe->words ? " " : "");
    pipe->word_node = add_node(c, next_word(c)->pos);
    pipe->term = TERM_PLAIN;
    sbuf_add_char(&c->shown, '(');
    return open_pipe(c, "parenthesized pipeline", TOKEN_RIGHT);
}

MUST_USE static struct err *close_parenthesis(struct compiler *c)
{
    TRY(end_pipe(c));
    uint32_t inner = top(c)->node;
    c->pipes.len--;
    sbuf_add_char(&c->shown, ')');
    if (peek(c)->type != TOKEN_FIELD)
        top(c)->word_node = inner;
    return end_word(c, NULL);
}

/* Behind a word, or where none could be read: the next one, the next command, or the end of the pipeline. */
MUST_USE static struct err *go_on(struct compiler *c)
{
    struct pipe *pipe = top(c);
    const struct template_token *token = next(c);
    if (token->type == TOKEN_SPACE)
        return NULL;
    if (token->type == TOKEN_CLOSE || token->type == TOKEN_RIGHT)
        c->at--;
    else if (token->type != TOKEN_PIPE)
        return unexpected(c, token, "operand");
    if (!pipe->words)
        return fail(c, "empty command");
    end_command(c, pipe);
    return NULL;
}

/* Up to the end token of the outermost one, which is left on the stack for its caller to take. */
MUST_USE static struct err *compile_pipeline(struct compiler *c, const char *context)
{
    c->pipes.len = 0;
    TRY(open_pipe(c, context, TOKEN_CLOSE));
    for (;;) {
        struct pipe *pipe = top(c);
        const struct template_token *token = peek_word(c);
        if (!pipe->is_in_command) {
            if (token->type == pipe->end) {
                next(c);
                if (c->pipes.len == 1)
                    return end_pipe(c);
                TRY(close_parenthesis(c));
                TRY(go_on(c));
                continue;
            }
            if (!begins_word(token->type)) {
                next(c);
                return unexpected(c, token, pipe->context);
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

/* -- blocks -------------------------------------------------------------------------------------------------------- */

static const char *const block_names[] = {
    [BLOCK_IF] = "if",
    [BLOCK_WITH] = "with",
    [BLOCK_RANGE] = "range",
};

MUST_USE static struct err *open_block(struct compiler *c, enum block_kind kind, bool is_implied)
{
    static const enum template_op ops[] = {
        [BLOCK_IF] = OP_JUMP_UNLESS,
        [BLOCK_WITH] = OP_WITH,
        [BLOCK_RANGE] = OP_RANGE,
    };
    if (c->blocks.len == TEMPLATE_DEPTH_MAX)
        return fail(c, "blocks are nested more than %d deep", TEMPLATE_DEPTH_MAX);
    struct block block = {
        .kind = kind, .is_implied = is_implied, .leave = NO_LINE, .scopes = c->scopes.len
    };
    TRY(compile_pipeline(c, block_names[kind]));
    block.fork = here(c);
    emit(c, ops[kind]);
    if (kind == BLOCK_RANGE) {
        const struct pipe *pipe = top(c);
        block.next = here(c);
        struct template_op_line *line = emit(c, OP_NEXT);
        line->slot = pipe->declared == 2 ? pipe->slots[0] : TEMPLATE_NO_SLOT;
        line->second_slot = pipe->declared ? pipe->slots[pipe->declared - 1] : TEMPLATE_NO_SLOT;
        c->loops++;
    }
    *vec_push(c->mem, &c->blocks) = block;
    return NULL;
}

/* The end of what runs when the value is true. */
static void end_body(struct compiler *c, const struct block *block)
{
    if (block->kind == BLOCK_WITH)
        emit(c, OP_END_WITH);
    if (block->kind != BLOCK_RANGE)
        return;
    emit(c, OP_JUMP)->target = block->next;
    line_at(c, block->next)->target = here(c);
    c->loops--;
}

static void close_block(struct compiler *c)
{
    struct block block = c->blocks.at[--c->blocks.len];
    if (!block.is_else) {
        end_body(c, &block);
        line_at(c, block.fork)->target = here(c);
    } else {
        line_at(c, block.leave)->target = here(c);
    }
    c->scopes.len = block.scopes;
}

MUST_USE static struct err *compile_else(struct compiler *c)
{
    enum template_token_type type = peek_word(c)->type;
    bool is_chain = type == TOKEN_IF || type == TOKEN_WITH;
    if (!is_chain) {
        const struct template_token *token = next_word(c);
        if (token->type != TOKEN_CLOSE)
            return unexpected(c, token, "else");
    }
    if (!c->blocks.len)
        return fail(c, "unexpected {{else}}");
    struct block *block = &c->blocks.at[c->blocks.len - 1];
    if (block->is_else)
        return fail(c, "expected end; found {{else}}");
    end_body(c, block);
    block->is_else = true;
    block->leave = here(c);
    emit(c, OP_JUMP);
    line_at(c, block->fork)->target = here(c);
    if (!is_chain)
        return NULL;
    if (type != (block->kind == BLOCK_WITH ? TOKEN_WITH : TOKEN_IF) || block->kind == BLOCK_RANGE)
        return unexpected(c, next_word(c), "input");
    next_word(c);
    return open_block(c, block->kind, true);
}

MUST_USE static struct err *compile_end(struct compiler *c)
{
    const struct template_token *token = next_word(c);
    if (token->type != TOKEN_CLOSE)
        return unexpected(c, token, "end");
    if (!c->blocks.len)
        return fail(c, "unexpected {{end}}");
    bool is_implied;
    do {
        is_implied = c->blocks.at[c->blocks.len - 1].is_implied;
        close_block(c);
    } while (is_implied);
    return NULL;
}

MUST_USE static struct err *compile_jump(struct compiler *c, bool is_break)
{
    const char *shown = is_break ? "{{break}}" : "{{continue}}";
    const struct template_token *token = next_word(c);
    if (token->type != TOKEN_CLOSE)
        return unexpected(c, token, shown);
    if (!c->loops)
        return fail(c, "%s outside {{range}}", shown);
    for (size_t i = c->blocks.len; i > 0; i--) {
        const struct block *block = &c->blocks.at[i - 1];
        if (block->kind == BLOCK_RANGE && !block->is_else) {
            emit(c, is_break ? OP_BREAK : OP_JUMP)->target = block->next;
            break;
        }
    }
    return NULL;
}

MUST_USE static struct err *compile_action(struct compiler *c)
{
    enum template_token_type type = peek_word(c)->type;
    if (type >= TOKEN_BLOCK && type != TOKEN_DOT && type != TOKEN_NIL)
        next(c);
    switch ((int)type) {
    case TOKEN_BLOCK: return fail(c, "{{block}} is not supported");
    case TOKEN_DEFINE: return fail(c, "{{define}} is not supported");
    case TOKEN_TEMPLATE: return fail(c, "{{template}} is not supported");
    case TOKEN_BREAK: return compile_jump(c, true);
    case TOKEN_CONTINUE: return compile_jump(c, false);
    case TOKEN_ELSE: return compile_else(c);
    case TOKEN_END: return compile_end(c);
    case TOKEN_IF: return open_block(c, BLOCK_IF, false);
    case TOKEN_WITH: return open_block(c, BLOCK_WITH, false);
    case TOKEN_RANGE: return open_block(c, BLOCK_RANGE, false);
    default: break;
    }
    TRY(compile_pipeline(c, "command"));
    emit(c, top(c)->declared ? OP_DROP : OP_PRINT);
    return NULL;
}

MUST_USE static struct err *compile_all(struct compiler *c)
{
    for (;;) {
        const struct template_token *token = c->blocks.len ? peek_word(c) : peek(c);
        if (token->type == TOKEN_EOF)
            return c->blocks.len ? fail(c, "unexpected EOF") : NULL;
        next_word(c);
        if (token->type == TOKEN_TEXT) {
            struct template_op_line *line = emit(c, OP_TEXT);
            line->bytes = token->bytes;
            line->len = token->len;
            continue;
        }
        if (token->type != TOKEN_OPEN)
            return unexpected(c, token, "input");
        size_t depth = c->blocks.len;
        c->action_line = token->line;
        TRY(compile_action(c));
        bool has_opened = c->blocks.len > depth && !c->blocks.at[depth].is_implied;
        if (!has_opened)
            c->action_line = 0;
    }
}

struct err *template_compile(struct arena *mem, const char *source,
                             const struct template_tokens *tokens, struct template_program *out)
{
    *out = (struct template_program){ .source = source, .slots = 1 }; /* the first one is $ */
    struct compiler c = { .mem = mem, .tokens = tokens, .program = out };
    *vec_push(mem, &c.scopes) = (struct scope){ .bytes = "$", .len = 1 };
    sbuf_init(&c.shown, SHOWN_MAX);
    struct err *e = compile_all(&c);
    if (!e && c.shown.is_over)
        e = err_new(ERR_LIMIT, "template: tmpl: its actions are longer than %zu bytes", SHOWN_MAX);
    out->shown = arena_strdup(mem, sbuf_text(&c.shown));
    sbuf_fini(&c.shown);
    return e;
}
