#include <string.h>

#include "cmd/command.h"

#define SCRIPT_MAX_BYTES ((size_t)1 << 20)

/* A script in the making. Every writer walks all commands and all their flags. */
struct script {
    struct sbuf *out;
    struct command_call *call;
};

/* What a flag can be given, of those that know only a few words: the same of all commands that have it. */
static const struct choice {
    const char *flag, *words;
} choices[] = {
    /* clang-format off */
    { "canaries", "auto on off" },
    { "git-host-status", "auto github gitlab gitea bitbucket bitbucket-server off" },
    { "git-verify-signatures-mode", "none all first-parent" },
    { "log-format", "fmt json" },
    { "log-level", "debug info warn error" },
    { "output", "text json" },
    { "output-format", "tab json" },
    { "registry-require", "ecr" },
    { "ssh-keygen-type", "ed25519 rsa ecdsa" },
    { "sync-drift", "heal report off" },
    { "sync-state", "git secret" },
    { "zap-encoding", "json console" },
    /* clang-format on */
};

static const char *find_choices(const struct flags_spec *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(choices); i++)
        if (!strcmp(choices[i].flag, spec->name))
            return choices[i].words;
    return NULL;
}

/* Files are what those commands take that take anything, but for this one. */
static bool takes_files(const struct command *command)
{
    return command->args && command->run != cmd_completion.run;
}

typedef void (*flag_fn)(struct script *script, const struct command *command,
                        const struct flags_spec *spec);

static void each_flag(struct script *script, const struct command *command, flag_fn fn)
{
    struct flags_table tables[COMMAND_TABLES_MAX];
    size_t count = command_tables(script->call->mem, script->call, command, tables);
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < tables[t].len; i++) {
            if (!tables[t].at[i].deprecated && !tables[t].at[i].is_hidden)
                fn(script, command, &tables[t].at[i]);
        }
    }
}

static void add_names(struct script *script, const char *separator)
{
    const struct command *command = NULL;
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++)
        sbuf_addf(script->out, "%s%s", command->name, separator);
    sbuf_add(script->out, "help");
}

/* Its name, and the one it had once, which is taken but not offered. */
static void add_called(struct script *script, const struct command *command, char separator)
{
    sbuf_add(script->out, command->name);
    if (command->alias)
        sbuf_addf(script->out, "%c%s", separator, command->alias);
}

/* In single quotes of a shell; backquotes around value names are dropped. */
static void add_quoted(struct sbuf *out, const char *text, const char *backslashed)
{
    for (; *text; text++) {
        if (*text == '\'')
            sbuf_add(out, "'\\''");
        else if (strchr(backslashed, *text))
            sbuf_addf(out, "\\%c", *text);
        else if (*text != '`')
            sbuf_add_char(out, *text);
    }
}

/* -- bash --------------------------------------------------------------------------------------- */

static void add_bash_flag(struct script *script, const struct command *command,
                          const struct flags_spec *spec)
{
    (void)command;
    sbuf_addf(script->out, " --%s", spec->name);
}

/* " --output -o": what the next word belongs to. */
static void add_bash_valued(struct script *script, const struct command *command,
                            const struct flags_spec *spec)
{
    (void)command;
    if (flags_stands_alone(spec))
        return;
    sbuf_addf(script->out, " --%s", spec->name);
    if (spec->shorthand)
        sbuf_addf(script->out, " -%c", spec->shorthand);
}

static void add_bash_choices(struct script *script, const struct command *command,
                             const struct flags_spec *spec)
{
    const char *words = find_choices(spec);
    if (!words || !command)
        return;
    sbuf_addf(script->out, "        %s:--%s", command->name, spec->name);
    if (spec->shorthand)
        sbuf_addf(script->out, "|%s:-%c", command->name, spec->shorthand);
    sbuf_addf(script->out, ") words='%s' ;;\n", words);
}

static void add_bash_command(struct script *script, const struct command *command)
{
    sbuf_add(script->out, "    ");
    if (command)
        add_called(script, command, '|');
    sbuf_add(script->out, command ? ") words='" : "'') words='");
    if (!command)
        add_names(script, " ");
    if (command && command->run == cmd_completion.run)
        sbuf_add(script->out, "bash fish zsh");
    each_flag(script, command, add_bash_flag);
    sbuf_add(script->out, "' valued='");
    each_flag(script, command, add_bash_valued);
    sbuf_addf(script->out, " '%s ;;\n", command && takes_files(command) ? " files=1" : "");
}

/* Which command it is: the first word that is one. */
static void add_bash_search(struct script *script)
{
    const struct command *command = NULL;
    sbuf_add(script->out, "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                          "        case ${COMP_WORDS[i]} in\n"
                          "        ");
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++) {
        add_called(script, command, '|');
        sbuf_add_char(script->out, '|');
    }
    sbuf_add(script->out, "help) command=${COMP_WORDS[i]}; break ;;\n"
                          "        esac\n"
                          "    done\n");
}

/* Without an answer of ours bash offers files (-o default). */
static void add_bash_answer(struct script *script)
{
    const struct command *command = NULL;
    sbuf_add(script->out, "    if [[ $valued == *\" $prev \"* ]]; then\n"
                          "        words=''\n"
                          "        case $command:$prev in\n");
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++)
        each_flag(script, command, add_bash_choices);
    sbuf_add(script->out, "        esac\n"
                          "    elif [[ $files && $cur != -* ]]; then\n"
                          "        words=''\n"
                          "    fi\n"
                          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n");
}

/* `--flag=x` is three words to bash, or two when nothing stands behind the =. */
static void add_bash(struct script *script)
{
    const char *name = script->call->program;
    const struct command *command = NULL;
    sbuf_addf(script->out,
              "# bash completion for %s: source <(%s completion bash)\n"
              "_%s() {\n"
              "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
              "    local command='' words='' valued='' files='' i\n"
              "    if [[ $cur == = ]]; then\n"
              "        cur=''\n"
              "    elif [[ $prev == = ]]; then\n"
              "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
              "    fi\n",
              name, name, name);
    add_bash_search(script);
    sbuf_add(script->out, "    case $command in\n");
    add_bash_command(script, NULL);
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++)
        add_bash_command(script, command);
    sbuf_add(script->out, "    help) words='");
    add_names(script, " ");
    sbuf_add(script->out, "' ;;\n"
                          "    esac\n");
    add_bash_answer(script);
    sbuf_addf(script->out,
              "}\n"
              "complete -o default -F _%s %s\n",
              name, name);
}

/* -- zsh ---------------------------------------------------------------------------------------- */

static void add_zsh_value(struct script *script, const struct flags_spec *spec)
{
    const char *words = find_choices(spec);
    sbuf_add_char(script->out, ']');
    if (!flags_stands_alone(spec) && words)
        sbuf_addf(script->out, ":value:(%s)", words);
    else if (!flags_stands_alone(spec))
        sbuf_add(script->out, ":value:_files");
    sbuf_add_char(script->out, '\'');
}

/* One that may be given twice has a * before it. */
static void add_zsh_flag(struct script *script, const struct command *command,
                         const struct flags_spec *spec)
{
    (void)command;
    bool is_alone = flags_stands_alone(spec);
    bool is_many = spec->type == FLAGS_LIST || spec->type == FLAGS_MAP || spec->type == FLAGS_COUNT;
    const char *many = is_many ? "*" : "";
    sbuf_addf(script->out, " \\\n            '%s--%s%s[", many, spec->name, is_alone ? "" : "=");
    add_quoted(script->out, spec->usage, "[]:");
    add_zsh_value(script, spec);
    if (!spec->shorthand)
        return;
    sbuf_addf(script->out, " \\\n            '%s-%c%s[", many, spec->shorthand,
              is_alone ? "" : "+");
    add_quoted(script->out, spec->usage, "[]:");
    add_zsh_value(script, spec);
}

static void add_zsh(struct script *script)
{
    const char *name = script->call->program;
    const struct command *command = NULL;
    sbuf_addf(script->out,
              "#compdef %s\n"
              "# zsh completion for %s: put this in a file _%s in a directory of $fpath\n"
              "_%s() {\n"
              "    local -a commands=(\n",
              name, name, name, name);
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++) {
        sbuf_addf(script->out, "        '%s:", command->name);
        add_quoted(script->out, command->summary, ":");
        sbuf_add(script->out, "'\n");
    }
    sbuf_add(script->out, "        'help:Help about any command'\n"
                          "    )\n"
                          "    if (( CURRENT == 2 )); then\n"
                          "        _describe command commands\n"
                          "        return\n"
                          "    fi\n"
                          "    case $words[2] in\n");
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++) {
        sbuf_add(script->out, "    ");
        add_called(script, command, '|');
        sbuf_add(script->out, ")\n        shift words; (( CURRENT-- ))\n        _arguments");
        each_flag(script, command, add_zsh_flag);
        if (command->args)
            sbuf_addf(script->out, " \\\n            '*:argument:%s'",
                      takes_files(command) ? "_files" : "(bash fish zsh)");
        sbuf_add(script->out, " ;;\n");
    }
    sbuf_addf(script->out,
              "    help) _describe command commands ;;\n"
              "    esac\n"
              "}\n"
              "if [ \"$funcstack[1]\" = \"_%s\" ]; then _%s \"$@\"; else compdef _%s %s; fi\n",
              name, name, name, name);
}

/* -- fish --------------------------------------------------------------------------------------- */

static void add_fish_flag(struct script *script, const struct command *command,
                          const struct flags_spec *spec)
{
    sbuf_addf(script->out, "complete -c %s ", script->call->program);
    sbuf_add(script->out,
             command ? "-n '__fish_seen_subcommand_from " : "-n __fish_use_subcommand");
    if (command)
        add_called(script, command, ' ');
    sbuf_add(script->out, command ? "' " : " ");
    sbuf_addf(script->out, "-l %s", spec->name);
    if (spec->shorthand)
        sbuf_addf(script->out, " -s %c", spec->shorthand);
    const char *words = find_choices(spec);
    if (!flags_stands_alone(spec) && words)
        sbuf_addf(script->out, " -x -a '%s'", words);
    else if (!flags_stands_alone(spec))
        sbuf_add(script->out, " -r -F");
    sbuf_add(script->out, " -d '");
    add_quoted(script->out, spec->usage, "\\");
    sbuf_add(script->out, "'\n");
}

static void add_fish(struct script *script)
{
    const char *name = script->call->program;
    const struct command *command = NULL;
    sbuf_addf(script->out, "# fish completion for %s: %s completion fish | source\n", name, name);
    each_flag(script, NULL, add_fish_flag);
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++) {
        sbuf_addf(script->out, "complete -c %s -f -n __fish_use_subcommand -a %s -d '", name,
                  command->name);
        add_quoted(script->out, command->summary, "\\");
        sbuf_add(script->out, "'\n");
        each_flag(script, command, add_fish_flag);
        if (!takes_files(command))
            sbuf_addf(script->out, "complete -c %s -f -n '__fish_seen_subcommand_from %s'\n", name,
                      command->name);
    }
    sbuf_addf(script->out, "complete -c %s -f -n '__fish_seen_subcommand_from help' -a '", name);
    add_names(script, " ");
    sbuf_addf(script->out,
              "'\n"
              "complete -c %s -f -n __fish_use_subcommand -a help -d 'Help about any command'\n"
              "complete -c %s -f -n '__fish_seen_subcommand_from completion' -a 'bash fish zsh'\n",
              name, name);
}

/* ------------------------------------------------------------------------------------------------ */

static const struct shell {
    const char *name;
    void (*add)(struct script *script);
} shells[] = { { "bash", add_bash }, { "fish", add_fish }, { "zsh", add_zsh } };

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    if (flags_arg_count(call->flags) == 0)
        return command_mistake(call, "please specify a shell");
    if (flags_arg_count(call->flags) > 1)
        return command_mistake(call, "please specify one of the following shells: bash fish zsh");
    const char *wanted = flags_arg(call->flags, 0);
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        if (!strcmp(shells[i].name, wanted)) {
            SBUF(text, SCRIPT_MAX_BYTES);
            struct script script = { .out = &text, .call = call };
            shells[i].add(&script);
            command_print(call, "%s", sbuf_text(&text));
            return NULL;
        }
    }
    SBUF(quoted, SCRIPT_MAX_BYTES);
    flags_quote(&quoted, wanted);
    return command_mistake(call, "unsupported shell type %s", sbuf_text(&quoted));
}

const struct command cmd_completion = {
    .name = "completion",
    .args = "bash|fish|zsh",
    .summary = "Print a completion script for a shell",
    .about = "Prints a script that teaches a shell the commands and flags of this program.",
    .examples = "  source <(serin completion bash)\n"
                "  serin completion fish | source\n"
                "  serin completion zsh > \"${fpath[1]}/_serin\"",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .run = run,
};
