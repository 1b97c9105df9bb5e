#include "canary/metric/template_code.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define OPEN         "{{"
#define CLOSE        "}}"
#define SPACES       " \t\r\n"
#define SHOWN_POINTS 10 /* of a token in a message */

struct lexer {
    struct arena *mem;
    const char *text;
    size_t len, at, start;
    uint32_t line; /* of start */
    int parens;
    struct template_tokens *out;
};

// clang-format off
static const struct word {
    const char *text;
    enum template_token_type type;
} words[] = {
    { "block", TOKEN_BLOCK }, { "break", TOKEN_BREAK }, { "continue", TOKEN_CONTINUE },
    { "define", TOKEN_DEFINE }, { "else", TOKEN_ELSE }, { "end", TOKEN_END },
    { "if", TOKEN_IF }, { "nil", TOKEN_NIL }, { "range", TOKEN_RANGE },
    { "template", TOKEN_TEMPLATE }, { "with", TOKEN_WITH }, { "true", TOKEN_BOOL },
    { "false", TOKEN_BOOL },
};
// clang-format on

static bool is_space(int c)
{
    return c > 0 && strchr(SPACES, c);
}

static bool has(const struct lexer *lexer, size_t at, const char *text)
{
    size_t len = strlen(text);
    return at <= lexer->len && lexer->len - at >= len && !memcmp(lexer->text + at, text, len);
}

/* -1 at the end. */
static int look(const struct lexer *lexer, size_t at)
{
    return at < lexer->len ? (unsigned char)lexer->text[at] : -1;
}

/* Letters beyond ASCII are letters of names, too: which ones Go thinks so only changes the message. */
static bool is_word_part(int c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c >= 0x80;
}

/* The next token begins here. */
static void skip(struct lexer *lexer)
{
    for (; lexer->start < lexer->at; lexer->start++)
        lexer->line += lexer->text[lexer->start] == '\n';
}

static void emit(struct lexer *lexer, enum template_token_type type)
{
    *vec_push(lexer->mem, lexer->out) =
        (struct template_token){ .type = type,
                                 .bytes = lexer->text + lexer->start,
                                 .len = lexer->at - lexer->start,
                                 .pos = (uint32_t)lexer->start,
                                 .line = lexer->line };
    skip(lexer);
}

/* Always false: there are no more tokens. */
static bool fail(struct lexer *lexer, const char *message)
{
    *vec_push(lexer->mem, lexer->out) = (struct template_token){ .type = TOKEN_ERROR,
                                                                 .bytes = message,
                                                                 .len = strlen(message),
                                                                 .pos = (uint32_t)lexer->start,
                                                                 .line = lexer->line };
    return false;
}

/* "U+0023 '#'" */
static const char *name_point(const struct lexer *lexer, size_t at)
{
    uint32_t point = 0xfffd;
    if (at >= lexer->len)
        return "U+FFFFFFFFFFFFFFFF";
    size_t len = utf8_decode(lexer->text + at, lexer->len - at, &point);
    if (point == 0xfffd || !template_is_printable(point))
        return arena_printf(lexer->mem, point == 0xfffd ? "U+%04X '\xef\xbf\xbd'" : "U+%04X",
                            point);
    return arena_printf(lexer->mem, "U+%04X '%.*s'", point, (int)len, lexer->text + at);
}

/* -1: no delimiter here; else how long it is, with its trim marker. */
static int close_len(const struct lexer *lexer, size_t at)
{
    if (is_space(look(lexer, at)) && has(lexer, at + 1, "-" CLOSE))
        return 4;
    return has(lexer, at, CLOSE) ? 2 : -1;
}

static void trim_left(struct lexer *lexer)
{
    while (is_space(look(lexer, lexer->at)))
        lexer->at++;
    skip(lexer);
}

static bool lex_close(struct lexer *lexer)
{
    bool trims = close_len(lexer, lexer->at) == 4;
    if (trims) {
        lexer->at += 2;
        skip(lexer);
    }
    lexer->at += 2;
    emit(lexer, TOKEN_CLOSE);
    if (trims)
        trim_left(lexer);
    return true;
}

/* Plain text up to the next action, and the comment that an action may be. */
static bool lex_comment(struct lexer *lexer)
{
    const char *end = memmem(lexer->text + lexer->at + 2, lexer->len - lexer->at - 2, "*/", 2);
    if (!end)
        return fail(lexer, "unclosed comment");
    lexer->at = (size_t)(end - lexer->text) + 2;
    int len = close_len(lexer, lexer->at);
    if (len < 0)
        return fail(lexer, "comment ends before closing delimiter");
    lexer->at += (size_t)len;
    skip(lexer);
    if (len == 4)
        trim_left(lexer);
    return true;
}

/* Sets `in_action` once an action begins. */
static bool lex_text(struct lexer *lexer, bool *in_action)
{
    const char *open = memmem(lexer->text + lexer->at, lexer->len - lexer->at, OPEN, 2);
    size_t end = open ? (size_t)(open - lexer->text) : lexer->len;
    bool trims = open && look(lexer, end + 2) == '-' && is_space(look(lexer, end + 3));
    lexer->at = end;
    while (trims && lexer->at > lexer->start && is_space(lexer->text[lexer->at - 1]))
        lexer->at--;
    if (lexer->at > lexer->start)
        emit(lexer, TOKEN_TEXT);
    lexer->at = end;
    skip(lexer);
    if (!open) {
        emit(lexer, TOKEN_EOF);
        return false;
    }
    size_t after = end + 2 + (trims ? 2 : 0);
    if (has(lexer, after, "/*")) {
        lexer->at = after;
        skip(lexer);
        return lex_comment(lexer);
    }
    lexer->at = end + 2;
    emit(lexer, TOKEN_OPEN);
    lexer->at = after;
    skip(lexer);
    lexer->parens = 0;
    *in_action = true;
    return true;
}

/* -- inside of an action ------------------------------------------------------------------------------------------- */

/* May a word end before this place? */
static bool is_word_end(const struct lexer *lexer)
{
    int c = look(lexer, lexer->at);
    return c < 0 || is_space(c) || strchr(".,|:)(", c) || has(lexer, lexer->at, CLOSE);
}

static bool lex_word(struct lexer *lexer, enum template_token_type type)
{
    while (is_word_part(look(lexer, lexer->at)))
        lexer->at++;
    if (!is_word_end(lexer))
        return fail(lexer,
                    arena_printf(lexer->mem, "bad character %s", name_point(lexer, lexer->at)));
    size_t len = lexer->at - lexer->start;
    for (size_t i = 0; type == TOKEN_NAME && i < ARRAY_LEN(words); i++) {
        if (strlen(words[i].text) == len && has(lexer, lexer->start, words[i].text))
            type = words[i].type;
    }
    emit(lexer, type);
    return true;
}

/* From the opening quote on. */
static bool lex_quoted(struct lexer *lexer, char quote, enum template_token_type type)
{
    const char *what =
        quote == '"' ? "unterminated quoted string" : "unterminated character constant";
    for (lexer->at++; look(lexer, lexer->at) != quote; lexer->at++) {
        if (look(lexer, lexer->at) == '\\')
            lexer->at++;
        int c = look(lexer, lexer->at);
        if (c < 0 || c == '\n')
            return fail(lexer, what);
    }
    lexer->at++;
    emit(lexer, type);
    return true;
}

static bool lex_raw(struct lexer *lexer)
{
    const char *end = memchr(lexer->text + lexer->at + 1, '`', lexer->len - lexer->at - 1);
    if (!end)
        return fail(lexer, "unterminated raw quoted string");
    lexer->at = (size_t)(end - lexer->text) + 1;
    emit(lexer, TOKEN_RAW);
    return true;
}

static bool accept(struct lexer *lexer, const char *any)
{
    int c = look(lexer, lexer->at);
    if (c <= 0 || !strchr(any, c))
        return false;
    lexer->at++;
    return true;
}

static void accept_run(struct lexer *lexer, const char *any)
{
    while (accept(lexer, any))
        ;
}

#define DECIMAL "0123456789_"
#define HEX     "0123456789abcdefABCDEF_"

/* Takes what looks like a number; whether it is one is for template_number to say. */
static bool scan_number(struct lexer *lexer)
{
    const char *digits = DECIMAL;
    accept(lexer, "+-");
    if (accept(lexer, "0")) {
        if (accept(lexer, "xX"))
            digits = HEX;
        else if (accept(lexer, "oO"))
            digits = "01234567_";
        else if (accept(lexer, "bB"))
            digits = "01_";
    }
    accept_run(lexer, digits);
    if (accept(lexer, "."))
        accept_run(lexer, digits);
    if ((!strcmp(digits, DECIMAL) && accept(lexer, "eE")) ||
        (!strcmp(digits, HEX) && accept(lexer, "pP"))) {
        accept(lexer, "+-");
        accept_run(lexer, DECIMAL);
    }
    accept(lexer, "i");
    if (!is_word_part(look(lexer, lexer->at)))
        return true;
    uint32_t point;
    size_t len = utf8_decode(lexer->text + lexer->at, lexer->len - lexer->at, &point);
    lexer->at += len ? len : 1;
    return false;
}

static bool lex_number(struct lexer *lexer)
{
    bool is_good = scan_number(lexer);
    enum template_token_type type = TOKEN_NUMBER;
    int next = look(lexer, lexer->at);
    if (is_good && (next == '+' || next == '-')) {
        type = TOKEN_COMPLEX;
        is_good = scan_number(lexer) && lexer->text[lexer->at - 1] == 'i';
    }
    if (!is_good) {
        SBUF(quoted, TEMPLATE_MAX);
        template_quote(lexer->text + lexer->start, lexer->at - lexer->start, false, &quoted);
        return fail(lexer, arena_printf(lexer->mem, "bad number syntax: %s", sbuf_text(&quoted)));
    }
    emit(lexer, type);
    return true;
}

static bool lex_spaces(struct lexer *lexer)
{
    while (is_space(look(lexer, lexer->at)))
        lexer->at++;
    /* The last of them may belong to the delimiter behind it. */
    if (close_len(lexer, lexer->at - 1) == 4) {
        lexer->at--;
        if (lexer->at == lexer->start)
            return true;
    }
    emit(lexer, TOKEN_SPACE);
    return true;
}

static bool lex_mark(struct lexer *lexer, int c)
{
    static const struct mark {
        char c;
        enum template_token_type type;
    } marks[] = {
        { '=', TOKEN_ASSIGN }, { '|', TOKEN_PIPE }, { '(', TOKEN_LEFT }, { ')', TOKEN_RIGHT }
    };
    if (c < ' ' || c > '~')
        return fail(lexer, arena_printf(lexer->mem, "unrecognized character in action: %s",
                                        name_point(lexer, lexer->at)));
    lexer->at++;
    enum template_token_type type = TOKEN_MARK;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (marks[i].c == c)
            type = marks[i].type;
    }
    lexer->parens += (type == TOKEN_LEFT) - (type == TOKEN_RIGHT);
    if (lexer->parens < 0)
        return fail(lexer, "unexpected right paren");
    if (c == ':' && !accept(lexer, "="))
        return fail(lexer, "expected :=");
    emit(lexer, c == ':' ? TOKEN_DECLARE : type);
    return true;
}

/* A dot alone, a field, or a number like .5 */
static bool lex_dot(struct lexer *lexer)
{
    int next = look(lexer, lexer->at + 1);
    if (next < 0 || (next >= '0' && next <= '9'))
        return lex_number(lexer);
    lexer->at++;
    if (is_word_end(lexer)) {
        emit(lexer, TOKEN_DOT);
        return true;
    }
    return lex_word(lexer, TOKEN_FIELD);
}

static bool lex_action(struct lexer *lexer, bool *in_action)
{
    int c = look(lexer, lexer->at);
    if (close_len(lexer, lexer->at) > 0) {
        if (lexer->parens)
            return fail(lexer, "unclosed left paren");
        *in_action = false;
        return lex_close(lexer);
    }
    if (c < 0)
        return fail(lexer, "unclosed action");
    if (is_space(c))
        return lex_spaces(lexer);
    switch (c) {
    case '"': return lex_quoted(lexer, '"', TOKEN_QUOTED);
    case '\'': return lex_quoted(lexer, '\'', TOKEN_RUNE);
    case '`': return lex_raw(lexer);
    case '.': return lex_dot(lexer);
    case '$': lexer->at++; return lex_word(lexer, TOKEN_VARIABLE);
    default: break;
    }
    if (c == '+' || c == '-' || (c >= '0' && c <= '9'))
        return lex_number(lexer);
    return is_word_part(c) ? lex_word(lexer, TOKEN_NAME) : lex_mark(lexer, c);
}

void template_lex(struct arena *mem, const char *text, size_t len, struct template_tokens *out)
{
    struct lexer lexer = { .mem = mem, .text = text, .len = len, .line = 1, .out = out };
    bool in_action = false;
    while (in_action ? lex_action(&lexer, &in_action) : lex_text(&lexer, &in_action))
        ;
}

const char *template_token_text(struct arena *mem, const struct template_token *token)
{
    if (token->type == TOKEN_EOF)
        return "EOF";
    if (token->type == TOKEN_ERROR)
        return token->bytes;
    if (token->type >= TOKEN_BLOCK)
        return arena_printf(mem, "<%.*s>", (int)token->len, token->bytes);
    size_t len = token->len;
    if (len > SHOWN_POINTS) {
        len = 0;
        for (size_t points = 0; points < SHOWN_POINTS && len < token->len; points++) {
            size_t width = utf8_decode(token->bytes + len, token->len - len, NULL);
            len += width ? width : 1;
        }
    }
    SBUF(quoted, TEMPLATE_MAX);
    template_quote(token->bytes, len, false, &quoted);
    return arena_printf(mem, "%s%s", sbuf_text(&quoted), token->len > SHOWN_POINTS ? "..." : "");
}
