/* canary/metric/template_code.h - what passes between the stages of a template. For template*.c only.
 * Effects:   none.
 * Ownership: everything in the arena of the rendering.
 * Reference: traffic-and-metrics.md 19.2.
 *
 *     text ─ lex ─► tokens ─ compile ─► instructions, nodes ─ run ─► text
 *
 * Nothing recurses: parentheses and blocks are kept on stacks, and what is compiled is a list with jumps. */
#ifndef SERIN_CANARY_METRIC_TEMPLATE_CODE_H
#define SERIN_CANARY_METRIC_TEMPLATE_CODE_H

#include "base/vec.h"
#include "canary/metric/template.h"

/* -- tokens -------------------------------------------------------------------------------------------------------- */

enum template_token_type {
    TOKEN_ERROR, /* text: the message; always the last token */
    TOKEN_EOF,
    TOKEN_TEXT,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_SPACE,
    TOKEN_PIPE,
    TOKEN_DECLARE,
    TOKEN_ASSIGN,
    TOKEN_LEFT,
    TOKEN_RIGHT,
    TOKEN_MARK, /* any other printable character */
    TOKEN_QUOTED,
    TOKEN_RAW,
    TOKEN_RUNE,
    TOKEN_NUMBER,
    TOKEN_COMPLEX,
    TOKEN_BOOL,
    TOKEN_NAME,
    TOKEN_FIELD,    /* with its dot */
    TOKEN_VARIABLE, /* with its $ */
    /* Words of the language: shown in angle brackets. */
    TOKEN_BLOCK,
    TOKEN_BREAK,
    TOKEN_CONTINUE,
    TOKEN_DEFINE,
    TOKEN_DOT,
    TOKEN_ELSE,
    TOKEN_END,
    TOKEN_IF,
    TOKEN_NIL,
    TOKEN_RANGE,
    TOKEN_TEMPLATE,
    TOKEN_WITH,
};

struct template_token {
    enum template_token_type type;
    const char *bytes;
    size_t len;
    uint32_t pos, line;
};

struct template_tokens {
    struct template_token *at;
    size_t len, cap;
};

void template_lex(struct arena *mem, const char *text, size_t len, struct template_tokens *out);
/* As a message names it: EOF, <range>, "name", "a long tex"... */
const char *template_token_text(struct arena *mem, const struct template_token *token);

/* -- values -------------------------------------------------------------------------------------------------------- */

enum template_kind {
    TEMPLATE_NONE, /* nil, or nothing at all */
    TEMPLATE_BOOL,
    TEMPLATE_INT,
    TEMPLATE_BYTE, /* an element of a text */
    TEMPLATE_FLOAT,
    TEMPLATE_STRING,
    TEMPLATE_MAP, /* of texts; `map` may be NULL */
};

struct template_value {
    enum template_kind kind;
    union {
        bool boolean;
        int64_t number; /* INT and BYTE */
        double real;
        struct {
            const char *bytes;
            size_t len;
        };
        const struct val *map;
    };
};

const char *template_type_name(enum template_kind kind); /* as Go names it */
bool template_is_true(const struct template_value *v);
/* "wrong type", ...: constants of the source. ERR_INVALID with Go's text. */
MUST_USE struct err *template_number(struct arena *mem, const struct template_token *token,
                                     struct template_value *out);
MUST_USE struct err *template_unquote(struct arena *mem, const char *bytes, size_t len,
                                      struct template_value *out);

/* -- functions ----------------------------------------------------------------------------------------------------- */

enum template_function {
    FUNCTION_AND,
    FUNCTION_EQ,
    FUNCTION_GE,
    FUNCTION_GT,
    FUNCTION_HTML,
    FUNCTION_INDEX,
    FUNCTION_INGRESS,
    FUNCTION_INTERVAL,
    FUNCTION_JS,
    FUNCTION_LE,
    FUNCTION_LEN,
    FUNCTION_LT,
    FUNCTION_NAME,
    FUNCTION_NAMESPACE,
    FUNCTION_NE,
    FUNCTION_NOT,
    FUNCTION_OR,
    FUNCTION_PRINT,
    FUNCTION_PRINTF,
    FUNCTION_PRINTLN,
    FUNCTION_ROUTE,
    FUNCTION_SERVICE,
    FUNCTION_SLICE,
    FUNCTION_TARGET,
    FUNCTION_URLQUERY,
    FUNCTION_VARIABLES,
    FUNCTIONS
};

struct template_signature {
    const char *name;
    uint32_t least; /* arguments */
    bool is_variadic;
};
const struct template_signature *template_signature(enum template_function function);
bool template_find_function(const char *name, size_t len, enum template_function *out);

/* Arguments, and where a result may be made. */
struct template_call {
    struct arena *mem;
    const struct template_facts *facts;
    const struct template_value *args;
    size_t len;
    size_t *work; /* what is left of TEMPLATE_WORK_MAX */
};
/* ERR_INVALID with Go's text without its "error calling …"; ERR_LIMIT. AND and OR are jumps. */
MUST_USE struct err *template_call(enum template_function function,
                                   const struct template_call *call, struct template_value *out);
/* printf; print and println (with `spaced`) of the same arguments. */
void template_printf(const struct template_call *call, struct sbuf *out);
void template_print(const struct template_call *call, bool is_line, struct sbuf *out);
/* One value as the template prints it. */
void template_print_value(const struct template_value *v, struct sbuf *out);
/* A text in double quotes (Go's %q); `is_ascii`: with escapes for the rest. */
void template_quote(const char *bytes, size_t len, bool is_ascii, struct sbuf *out);
bool template_is_printable(uint32_t point);
/* False, and nothing taken, when less is left. */
bool template_take_work(size_t *work, size_t amount);

/* -- code ---------------------------------------------------------------------------------------------------------- */

enum template_op {
    OP_NOTHING,  /* kept for an OP_FAIL */
    OP_FAIL,     /* bytes: the message */
    OP_TEXT,     /* bytes go to the output */
    OP_PUSH,     /* value */
    OP_DOT,      /* the dot is pushed */
    OP_VARIABLE, /* slot is pushed; bytes: its name */
    OP_SET,      /* slot becomes what is on top; bytes: its name; flag: it has to be there */
    OP_FIELD,    /* bytes: the name, of what is on top; flag: there are arguments */
    OP_NEED_STRING,
    OP_CALL,        /* function, len arguments on top; flag: and one that was piped in below them */
    OP_SKIP_FALSE,  /* to target if what is on top is false, else it is dropped (and) */
    OP_SKIP_TRUE,   /* (or) */
    OP_COPY,        /* what is on top once more */
    OP_DROP_SECOND, /* what is below the top */
    OP_DROP,
    OP_PRINT,
    OP_JUMP,
    OP_JUMP_UNLESS, /* drops what is on top */
    OP_WITH,        /* the same, but a true one becomes the dot */
    OP_END_WITH,    /* the dot before that */
    OP_RANGE,       /* begins a loop over what is on top, or goes to target */
    OP_NEXT,        /* the next round, or ends the loop and goes to target */
    OP_BREAK,       /* ends the loop at its OP_NEXT, the target */
};

#define TEMPLATE_NO_NODE UINT32_MAX
#define TEMPLATE_NO_SLOT UINT32_MAX

struct template_op_line {
    enum template_op op;
    uint32_t node;   /* what errors from here on name; TEMPLATE_NO_NODE: as before */
    uint32_t target; /* of jumps */
    uint32_t slot, second_slot;
    bool flag;
    enum template_function function;
    size_t len;
    const char *bytes;
    struct template_value value;
};

/* A piece of the source as errors show it. */
struct template_node {
    uint32_t pos;
    size_t shown_at, shown_len; /* in `shown` of the program */
};

struct template_program {
    const char *source;
    struct {
        struct template_op_line *at;
        size_t len, cap;
    } lines;
    struct {
        struct template_node *at;
        size_t len, cap;
    } nodes;
    const char *shown;
    uint32_t slots;
};

/* ERR_INVALID "template: tmpl:LINE: …". */
MUST_USE struct err *template_compile(struct arena *mem, const char *source,
                                      const struct template_tokens *tokens,
                                      struct template_program *out);
/* ERR_INVALID "template: tmpl:LINE:COLUMN: executing …". */
MUST_USE struct err *template_run(struct arena *mem, const struct template_program *program,
                                  const struct template_facts *facts, struct sbuf *out);

#endif
