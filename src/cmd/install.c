/* Prints, or writes to a directory, the manifests that put serin into a cluster. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/home.h"
#include "cmd/install_plan.h"

#define FILE_MODE 0666
#define ARGS_MAX  16
#define OWN_NS    "serin"

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "git-url", .type = FLAGS_TEXT, .usage = "`URL` of the repository" },
    { .name = "git-branch", .type = FLAGS_TEXT, .initial = "master", .usage = "branch to follow" },
    { .name = "git-path", .type = FLAGS_LIST, .usage = "directories or files of the repository to apply (default: all)" },
    { .name = "git-paths", .type = FLAGS_LIST, .deprecated = "please use --git-path (no ending s) instead", .usage = "as --git-path" },
    { .name = "git-label", .type = FLAGS_TEXT,
      .usage = "name of the tag that marks what was applied, and of the notes (as fluxctl: flux)" },
    { .name = "git-user", .type = FLAGS_TEXT, .initial = "Flux", .usage = "name of the committer" },
    { .name = "git-email", .type = FLAGS_TEXT, .usage = "e-mail address of the committer" },
    { .name = "git-readonly", .type = FLAGS_BOOL, .usage = "never push" },
    { .name = "manifest-generation", .type = FLAGS_BOOL, .usage = "run the generators that .flux.yaml files name" },
    { .name = "namespace", .type = FLAGS_TEXT, .shorthand = 'n',
      .usage = "namespace to install to (default: serin; as fluxctl: that of the kubeconfig context)" },
    { .name = "registry-disable-scanning", .type = FLAGS_BOOL, .usage = "do not look for new images" },
    { .name = "add-security-context", .type = FLAGS_BOOL, .initial = "true",
      .usage = "run without root, capabilities and a root file system that can be written" },
    { .name = "image", .type = FLAGS_TEXT, .usage = "`image` of serin, with your registry before its name (default: serin:" SERIN_VERSION ")" },
    { .name = "output-dir", .type = FLAGS_TEXT, .shorthand = 'o', .usage = "`directory` to write the manifests to, in place of standard output" },
};
/* clang-format on */

static const char *joined(struct arena *mem, const struct flags *flags, const char *name,
                          const char *before)
{
    size_t len = 0;
    const char *const *list = flags_list(flags, name, &len);
    for (size_t i = 0; i < len; i++)
        before = arena_printf(mem, "%s%s%s", before, *before ? "," : "", list[i]);
    return before;
}

/* Flags of serin run, built one by one. */
struct args {
    struct arena *mem;
    const char *at[ARGS_MAX];
    size_t len;
};

static void add_value(struct args *args, const char *flag, const char *value)
{
    ASSERT(args->len < ARGS_MAX - 1);
    if (*value)
        args->at[args->len++] = arena_printf(args->mem, "--%s=%s", flag, value);
}

static void add_switch(struct args *args, const struct flags *flags, const char *flag,
                       const char *text)
{
    ASSERT(args->len < ARGS_MAX - 1);
    if (flags_bool(flags, flag))
        args->at[args->len++] = text;
}

static void fill_args(const struct command_call *call, struct args *args)
{
    const struct flags *flags = call->flags;
    bool is_fluxctl = call->face == COMMAND_FLUXCTL;
    const char *label = flags_text(flags, "git-label");
    if (is_fluxctl && !flags_given(flags, "git-label"))
        label = "flux";
    add_value(args, "git-url", flags_text(flags, "git-url"));
    add_value(args, "git-branch", flags_text(flags, "git-branch"));
    add_value(args, "git-path",
              joined(call->mem, flags, "git-paths", joined(call->mem, flags, "git-path", "")));
    add_value(args, "git-label", label);
    add_value(args, "git-user", flags_text(flags, "git-user"));
    add_value(args, "git-email", flags_text(flags, "git-email"));
    add_switch(args, flags, "git-readonly", "--git-readonly");
    add_switch(args, flags, "manifest-generation", "--manifest-generation=true");
    add_switch(args, flags, "registry-disable-scanning", "--registry-disable-scanning");
    if (is_fluxctl) /* what deploy/ asks for and Flux does only when told to */
        add_value(args, "sync-garbage-collection", "false");
}

/* -- where it goes ------------------------------------------------------------------------------- */

static struct err *check_folder(const char *folder)
{
    struct stat found;
    if (!*folder)
        return NULL;
    if (stat(folder, &found))
        return err_new(ERR_INVALID, "stat %s: %s", folder,
                       errno == ENOENT ? "no such file or directory" : strerrordesc_np(errno));
    return S_ISDIR(found.st_mode) ? NULL : err_new(ERR_INVALID, "%s is not a directory", folder);
}

static struct err *write_file(struct command_call *call, const char *folder,
                              const struct install_file *file)
{
    size_t len = strlen(folder), size = strlen(file->text);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    const char *path = arena_printf(call->mem, "%.*s/%s", (int)len, folder, file->name);
    command_tell(call, "writing %s\n", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return err_errno(ERR_DENIED, errno, "write %s", path);
    ssize_t written = write(fd, file->text, size);
    int failed = written < 0 ? errno : (size_t)written < size ? ENOSPC : 0;
    if (close(fd) && !failed)
        failed = errno;
    return failed ? err_errno(ERR_TRANSIENT, failed, "write %s", path) : NULL;
}

static struct err *put(struct command_call *call, const struct install_file *files, size_t count)
{
    const char *folder = flags_text(call->flags, "output-dir");
    for (size_t i = 0; i < count; i++) {
        if (*folder)
            TRY(write_file(call, folder, &files[i]));
        else
            command_print(call, "%s", files[i].text);
    }
    return NULL;
}

/* fluxctl's word for what is missing; serin commits under a name of its own when it is given no address. */
static struct err *check_flags(struct command_call *call)
{
    TRY(command_no_args(call));
    if (!*flags_text(call->flags, "git-url"))
        return command_mistake(call, "please supply a valid --git-url argument");
    if (call->face == COMMAND_FLUXCTL && !*flags_text(call->flags, "git-email"))
        return command_mistake(call, "please supply a valid --git-email argument");
    return check_folder(flags_text(call->flags, "output-dir"));
}

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    struct args args = { .mem = call->mem };
    struct install_file files[INSTALL_FILES_MAX];
    size_t count = 0;
    TRY(check_flags(call));
    fill_args(call, &args);
    struct install_opts opts = {
        .as_flux = call->face == COMMAND_FLUXCTL,
        .ns = flags_text(call->flags, "namespace"),
        .image = flags_text(call->flags, "image"),
        .more = args.at,
        .lacks_security_context = !flags_bool(call->flags, "add-security-context"),
    };
    if (!*opts.ns)
        opts.ns = opts.as_flux ? home_namespace(call) : OWN_NS;
    TRY(install_plan(call->mem, &opts, files, &count));
    if (opts.as_flux && !flags_bool(call->flags, "registry-disable-scanning"))
        command_tell(call, "serin needs no memcached: there are no manifests for it\n");
    return put(call, files, count);
}

const struct command cmd_install = {
    .name = "install",
    .summary = "Print the manifests that install serin in a cluster",
    .about = "Prints the manifests that install serin, for one repository: pass them to kubectl "
             "apply -f -, "
             "or\n"
             "write them to a directory, look at them, and keep them. scripts/flux-init.sh does "
             "all of it.",
    .examples =
        "  serin install --git-url=git@github.com:me/cluster --git-branch=main | kubectl apply -f "
        "-\n"
        "  serin install --git-url=git@github.com:me/cluster --git-path=apps,base -o manifests",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_CLUSTER,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
