/* canary/metric/template_compile.h - what the compiler of pipelines and that of blocks share. For these two only.
 * Effects:   none.
 * Ownership: in the arena of the rendering.
 * Reference: traffic-and-metrics.md 19.2. */
#ifndef SERIN_CANARY_METRIC_TEMPLATE_COMPILE_H
#define SERIN_CANARY_METRIC_TEMPLATE_COMPILE_H

#include "canary/metric/template_code.h"

/* What the first word of a command is; the order tells which may begin a later stage of a pipeline. */
enum template_term { TERM_NONE, TERM_LITERAL, TERM_FUNCTION, TERM_PLAIN, TERM_FIELDS };

struct template_scope {
    const char *bytes;
    size_t len;
    uint32_t slot;
};

/* A pipeline that is being compiled; those below it on the stack wait for it as one of their arguments. */
struct template_pipe {
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
    enum template_term first;
    uint32_t command_node, first_node, check; /* check: its OP_NOTHING */
    uint32_t last_field;                      /* of the first word */
    enum template_function callee;
    VEC(uint32_t) skips; /* of and, or */
    /* the current word */
    uint32_t word_node;
    enum template_term term;
    bool is_piped_word; /* it is a pipeline in parentheses */
};

enum template_block_kind { BLOCK_IF, BLOCK_WITH, BLOCK_RANGE };

struct template_block {
    enum template_block_kind kind;
    bool is_else, is_implied; /* implied: ends with the block around it (else if) */
    uint32_t fork;            /* the jump to the else part */
    uint32_t next;            /* of a loop */
    uint32_t leave;           /* the jump over the else part */
    size_t scopes;
};

struct template_compiler {
    struct arena *mem;
    const struct template_tokens *tokens;
    size_t at;     /* the next token */
    size_t latest; /* the last one that was looked at: errors name its line */
    uint32_t action_line;
    struct template_program *program;
    struct sbuf shown;
    VEC(struct template_scope) scopes;
    VEC(struct template_pipe) pipes;
    VEC(struct template_block) blocks;
    size_t loops;
};

MUST_USE struct err *template_fail(const struct template_compiler *c, const char *fmt, ...)
    PRINTF(2, 3);
MUST_USE struct err *template_unexpected(const struct template_compiler *c,
                                         const struct template_token *token, const char *where);

/* Tokens; the last of them stays. Those with _word pass over white space. */
const struct template_token *template_peek(struct template_compiler *c);
const struct template_token *template_next(struct template_compiler *c);
const struct template_token *template_next_word(struct template_compiler *c);
const struct template_token *template_peek_word(struct template_compiler *c);

/* Code; a line is borrowed until the next one. */
struct template_op_line *template_emit(struct template_compiler *c, enum template_op op);
struct template_op_line *template_line_at(const struct template_compiler *c, uint32_t at);
uint32_t template_here(const struct template_compiler *c);

/* Compiles up to the end of the action. What it found out is pipes.at[0]. */
MUST_USE struct err *template_pipeline(struct template_compiler *c, const char *context);

#endif
