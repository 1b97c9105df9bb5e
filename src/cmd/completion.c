#include <string.h>

#include "cmd/command.h"

#define SCRIPT_MAX_BYTES ((size_t)1 << 20)

/* A script in the making. Every writer walks all commands and all their flags. */
struct script {
    struct sbuf *out;
    struct command_call *call;
};

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
    sbuf_add(script->out, "' ;;\n");
}

static void add_bash(struct script *script)
{
    const char *name = script->call->program;
    const struct command *command = NULL;
    sbuf_addf(script->out,
              "# bash completion for %s: source <(%s completion bash)\n"
              "_%s() {\n"
              "    local cur=${COMP_WORDS[COMP_CWORD]} command='' words='' i\n"
              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "        case ${COMP_WORDS[i]} in\n"
              "        ",
              name, name, name);
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++) {
        add_called(script, command, '|');
        sbuf_add_char(script->out, '|');
    }
    sbuf_add(script->out, "help) command=${COMP_WORDS[i]}; break ;;\n"
                          "        esac\n"
                          "    done\n"
                          "    case $command in\n");
    add_bash_command(script, NULL);
    for (size_t i = 0; (command = command_at(script->call->face, i)); i++)
        add_bash_command(script, command);
    sbuf_add(script->out, "    help) words='");
    add_names(script, " ");
    sbuf_addf(script->out,
              "' ;;\n"
              "    esac\n"
              "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
              "}\n"
              "complete -o default -F _%s %s\n",
              name, name);
}

/* -- zsh ---------------------------------------------------------------------------------------- */

static void add_zsh_flag(struct script *script, const struct command *command,
                         const struct flags_spec *spec)
{
    (void)command;
    bool is_alone = flags_stands_alone(spec);
    sbuf_addf(script->out, " \\\n            '--%s%s[", spec->name, is_alone ? "" : "=");
    add_quoted(script->out, spec->usage, "[]:");
    sbuf_addf(script->out, "]%s'", is_alone ? "" : ":value:_files");
    if (!spec->shorthand)
        return;
    sbuf_addf(script->out, " \\\n            '-%c%s[", spec->shorthand, is_alone ? "" : "+");
    add_quoted(script->out, spec->usage, "[]:");
    sbuf_addf(script->out, "]%s'", is_alone ? "" : ":value:_files");
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
        sbuf_addf(script->out, " \\\n            '*:argument:%s' ;;\n",
                  command->run == cmd_completion.run ? "(bash fish zsh)" : "_files");
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
    sbuf_add(script->out, flags_stands_alone(spec) ? " -d '" : " -r -d '");
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
    }
    sbuf_addf(script->out,
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
