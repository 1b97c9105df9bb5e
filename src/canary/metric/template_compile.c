#include "canary/metric/template_compile.h"

#include <stdarg.h>
#include <string.h>

#define SHOWN_MAX (4 * TEMPLATE_MAX)

struct err *template_fail(const struct template_compiler *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(c->mem, fmt, args);
    va_end(args);
    return err_new(ERR_INVALID, "template: tmpl:%u: %s", c->tokens->at[c->latest].line, text);
}

/* -- tokens: the last of them stays --------------------------------------------------------------------------------- */

const struct template_token *template_peek(struct template_compiler *c)
{
    size_t at = MIN_OF(c->at, c->tokens->len - 1);
    c->latest = MAX_OF(c->latest, at);
    return &c->tokens->at[at];
}

const struct template_token *template_next(struct template_compiler *c)
{
    const struct template_token *token = template_peek(c);
    c->at = MIN_OF(c->at + 1, c->tokens->len);
    return token;
}

const struct template_token *template_next_word(struct template_compiler *c)
{
    const struct template_token *token = template_next(c);
    return token->type == TOKEN_SPACE ? template_next(c) : token;
}

const struct template_token *template_peek_word(struct template_compiler *c)
{
    if (template_peek(c)->type == TOKEN_SPACE)
        c->at++;
    return template_peek(c);
}

struct err *template_unexpected(const struct template_compiler *c,
                                const struct template_token *token, const char *where)
{
    const char *text = template_token_text(c->mem, token);
    if (token->type != TOKEN_ERROR)
        return template_fail(c, "unexpected %s in %s", text, where);
    if (!c->action_line || c->action_line == token->line)
        return template_fail(c, "%s", text);
    size_t len = strlen(text);
    bool says_action = len > 7 && !strcmp(text + len - 7, " action");
    return template_fail(c, "%s%s started at tmpl:%u", text, says_action ? "" : " in action",
                         c->action_line);
}

/* -- code ---------------------------------------------------------------------------------------------------------- */

struct template_op_line *template_emit(struct template_compiler *c, enum template_op op)
{
    struct template_op_line *line = vec_push(c->mem, &c->program->lines);
    *line = (struct template_op_line){ .op = op, .node = TEMPLATE_NO_NODE };
    return line;
}

uint32_t template_here(const struct template_compiler *c)
{
    return (uint32_t)c->program->lines.len;
}

struct template_op_line *template_line_at(const struct template_compiler *c, uint32_t at)
{
    return &c->program->lines.at[at];
}

/* -- blocks -------------------------------------------------------------------------------------------------------- */

static const char *const block_names[] = {
    [BLOCK_IF] = "if",
    [BLOCK_WITH] = "with",
    [BLOCK_RANGE] = "range",
};

MUST_USE static struct err *open_block(struct template_compiler *c, enum template_block_kind kind,
                                       bool is_implied)
{
    static const enum template_op ops[] = {
        [BLOCK_IF] = OP_JUMP_UNLESS,
        [BLOCK_WITH] = OP_WITH,
        [BLOCK_RANGE] = OP_RANGE,
    };
    if (c->blocks.len == TEMPLATE_DEPTH_MAX)
        return template_fail(c, "blocks are nested more than %d deep", TEMPLATE_DEPTH_MAX);
    struct template_block block = { .kind = kind,
                                    .is_implied = is_implied,
                                    .scopes = c->scopes.len };
    TRY(template_pipeline(c, block_names[kind]));
    block.fork = template_here(c);
    template_emit(c, ops[kind]);
    if (kind == BLOCK_RANGE) {
        const struct template_pipe *pipe = &c->pipes.at[0];
        block.next = template_here(c);
        struct template_op_line *line = template_emit(c, OP_NEXT);
        line->slot = pipe->declared == 2 ? pipe->slots[0] : TEMPLATE_NO_SLOT;
        line->second_slot = pipe->declared ? pipe->slots[pipe->declared - 1] : TEMPLATE_NO_SLOT;
        c->loops++;
    }
    *vec_push(c->mem, &c->blocks) = block;
    return NULL;
}

/* The end of what runs when the value is true. */
static void end_body(struct template_compiler *c, const struct template_block *block)
{
    if (block->kind == BLOCK_WITH)
        template_emit(c, OP_END_WITH);
    if (block->kind != BLOCK_RANGE)
        return;
    template_emit(c, OP_JUMP)->target = block->next;
    template_line_at(c, block->next)->target = template_here(c);
    c->loops--;
}

static void close_block(struct template_compiler *c)
{
    struct template_block block = c->blocks.at[--c->blocks.len];
    if (!block.is_else) {
        end_body(c, &block);
        template_line_at(c, block.fork)->target = template_here(c);
    } else {
        template_line_at(c, block.leave)->target = template_here(c);
    }
    c->scopes.len = block.scopes;
}

MUST_USE static struct err *compile_else(struct template_compiler *c)
{
    enum template_token_type type = template_peek_word(c)->type;
    bool is_chain = type == TOKEN_IF || type == TOKEN_WITH;
    if (!is_chain) {
        const struct template_token *token = template_next_word(c);
        if (token->type != TOKEN_CLOSE)
            return template_unexpected(c, token, "else");
    }
    if (!c->blocks.len)
        return template_fail(c, "unexpected {{else}}");
    struct template_block *block = &c->blocks.at[c->blocks.len - 1];
    if (block->is_else)
        return template_fail(c, "expected end; found {{else}}");
    end_body(c, block);
    block->is_else = true;
    block->leave = template_here(c);
    template_emit(c, OP_JUMP);
    template_line_at(c, block->fork)->target = template_here(c);
    if (!is_chain)
        return NULL;
    if (type != (block->kind == BLOCK_WITH ? TOKEN_WITH : TOKEN_IF) || block->kind == BLOCK_RANGE)
        return template_unexpected(c, template_next_word(c), "input");
    template_next_word(c);
    return open_block(c, block->kind, true);
}

MUST_USE static struct err *compile_end(struct template_compiler *c)
{
    const struct template_token *token = template_next_word(c);
    if (token->type != TOKEN_CLOSE)
        return template_unexpected(c, token, "end");
    if (!c->blocks.len)
        return template_fail(c, "unexpected {{end}}");
    bool is_implied;
    do {
        is_implied = c->blocks.at[c->blocks.len - 1].is_implied;
        close_block(c);
    } while (is_implied);
    return NULL;
}

MUST_USE static struct err *compile_jump(struct template_compiler *c, bool is_break)
{
    const char *shown = is_break ? "{{break}}" : "{{continue}}";
    const struct template_token *token = template_next_word(c);
    if (token->type != TOKEN_CLOSE)
        return template_unexpected(c, token, shown);
    if (!c->loops)
        return template_fail(c, "%s outside {{range}}", shown);
    for (size_t i = c->blocks.len; i > 0; i--) {
        const struct template_block *block = &c->blocks.at[i - 1];
        if (block->kind == BLOCK_RANGE && !block->is_else) {
            template_emit(c, is_break ? OP_BREAK : OP_JUMP)->target = block->next;
            break;
        }
    }
    return NULL;
}

MUST_USE static struct err *compile_action(struct template_compiler *c)
{
    enum template_token_type type = template_peek_word(c)->type;
    if (type >= TOKEN_BLOCK && type != TOKEN_DOT && type != TOKEN_NIL)
        template_next(c);
    switch ((int)type) {
    case TOKEN_BLOCK: return template_fail(c, "{{block}} is not supported");
    case TOKEN_DEFINE: return template_fail(c, "{{define}} is not supported");
    case TOKEN_TEMPLATE: return template_fail(c, "{{template}} is not supported");
    case TOKEN_BREAK: return compile_jump(c, true);
    case TOKEN_CONTINUE: return compile_jump(c, false);
    case TOKEN_ELSE: return compile_else(c);
    case TOKEN_END: return compile_end(c);
    case TOKEN_IF: return open_block(c, BLOCK_IF, false);
    case TOKEN_WITH: return open_block(c, BLOCK_WITH, false);
    case TOKEN_RANGE: return open_block(c, BLOCK_RANGE, false);
    default: break;
    }
    TRY(template_pipeline(c, "command"));
    template_emit(c, c->pipes.at[0].declared ? OP_DROP : OP_PRINT);
    return NULL;
}

MUST_USE static struct err *compile_all(struct template_compiler *c)
{
    for (;;) {
        const struct template_token *token =
            c->blocks.len ? template_peek_word(c) : template_peek(c);
        if (token->type == TOKEN_EOF)
            return c->blocks.len ? template_fail(c, "unexpected EOF") : NULL;
        template_next_word(c);
        if (token->type == TOKEN_TEXT) {
            struct template_op_line *line = template_emit(c, OP_TEXT);
            line->bytes = token->bytes;
            line->len = token->len;
            continue;
        }
        if (token->type != TOKEN_OPEN)
            return template_unexpected(c, token, "input");
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
    struct template_compiler c = { .mem = mem, .tokens = tokens, .program = out };
    *vec_push(mem, &c.scopes) = (struct template_scope){ .bytes = "$", .len = 1 };
    sbuf_init(&c.shown, SHOWN_MAX);
    struct err *e = compile_all(&c);
    if (!e && c.shown.is_over)
        e = err_new(ERR_LIMIT, "template: tmpl: its actions are longer than %zu bytes", SHOWN_MAX);
    out->shown = arena_strdup(mem, sbuf_text(&c.shown));
    sbuf_fini(&c.shown);
    return e;
}
