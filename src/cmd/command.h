/* cmd/command.h - the subcommands as a table, and what happens around them: finding the command on
 * the command line, flags, help, errors, exit status.
 * Effects:   prints; runs what was asked for.
 * Ownership: a call and all it holds lives in the arena of main.
 * Units:     exit status: docs/exit-codes.md.
 *
 * The program answers to two names. As serin it has all commands. As fluxctl (the name it was
 * called by) it has fluxctl's commands, texts and exit status. Reference: gitops.md 7. */
#ifndef SERIN_CMD_COMMAND_H
#define SERIN_CMD_COMMAND_H

#include <stdio.h>

#include "cmd/flags.h"

enum command_status {
    COMMAND_YES = 0,     /* done; or what was asked is so */
    COMMAND_NO = 1,      /* what was asked is not so: differences, errors found, not applied */
    COMMAND_UNKNOWN = 2, /* could not find out: bad command line, nobody answers */
};

enum command_flags_of {
    COMMAND_ASKS_DAEMON =
        1, /* takes --url, --token, --timeout, and the way to it through the cluster */
    COMMAND_ASKS_CLUSTER = 2, /* takes --kubeconfig, --context */
};

enum command_face { COMMAND_SERIN = 1, COMMAND_FLUXCTL = 2 };

struct command;

struct command_call {
    struct arena *mem;
    const char *program;
    enum command_face face;
    const struct command *command; /* NULL: the program itself */
    struct flags *flags;
    FILE *out, *err;
    bool is_usage_mistake; /* set with an error that is about the command line */
    const char *help;      /* set with an error of the daemon that explains itself at length */
};

struct command {
    const char *name, *alias;
    const char *args; /* "PATH..."; NULL: takes none */
    const char *summary, *about, *examples;
    unsigned faces, asks;
    struct flags_table flags;
    /* Status is COMMAND_YES unless set; an error is printed and is COMMAND_UNKNOWN (1 as fluxctl).
     */
    struct err *(*run)(struct command_call *call, int *status);
    /* Instead of all this: gets the words from the command on, and answers for the exit status. */
    int (*run_words)(struct command_call *call, int argc, const char *const *argv);
    /* The flags of a command with run_words, for completion and manuals. */
    const struct flags_table *more;
    size_t more_count;
};

/* One per file of this room; the table of all is in command.c. */
extern const struct command cmd_automate, cmd_canary, cmd_completion, cmd_deautomate, cmd_diff,
    cmd_identity, cmd_install, cmd_lint, cmd_list_images, cmd_list_workloads, cmd_loadtester,
    cmd_lock, cmd_policy, cmd_release, cmd_run, cmd_save, cmd_status, cmd_sync, cmd_unlock,
    cmd_version, cmd_why;

int command_main(struct arena *mem, int argc, const char *const *argv);

/* What a command has to say, on stdout and on stderr: characters that a terminal could take for an order are spelt out
 * (sbuf_add_visible), but for line breaks and tabs. That it could not be written shows at the end. */
void command_print(const struct command_call *call, const char *fmt, ...) PRINTF(2, 3);
void command_tell(const struct command_call *call, const char *fmt, ...) PRINTF(2, 3);

/* An error about the command line: the hint at --help goes with it. */
MUST_USE struct err *command_mistake(struct command_call *call, const char *fmt, ...) PRINTF(2, 3);
MUST_USE struct err *command_no_args(struct command_call *call);

/* --output text|json, of those who say it so: one JSON value on stdout. */
#define COMMAND_OUTPUT_FLAGS 1
extern const struct flags_spec command_output_flags[COMMAND_OUTPUT_FLAGS];
bool command_as_json(const struct command_call *call);
MUST_USE struct err *command_check_output(struct command_call *call);

/* The commands of a face in order of name: the at-th, NULL past the last. */
const struct command *command_at(enum command_face face, size_t at);
/* What a command (NULL: the program itself) takes: --help, its own flags, the shared ones. */
#define COMMAND_TABLES_MAX 6
size_t command_tables(struct arena *mem, const struct command_call *call,
                      const struct command *command, struct flags_table out[COMMAND_TABLES_MAX]);

void command_help(struct command_call *call);

#endif
