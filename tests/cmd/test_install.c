/* install and save: what they print is what deploy/ has, and what the cluster runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "cmd/install_plan.h"
#include "cmd/tree.h"
#include "doc/object.h"
#include "doc/yaml.h"
#include "program.h"

#define ARGS_MAX  16
#define URL       "--git-url=git@example.org:a/b"
#define MAIL      "--git-email=a@b"
#define MEMCACHED "serin needs no memcached: there are no manifests for it\n"
#define HINT      "Run 'fluxctl install --help' for usage.\n"

static struct doc_yaml_list parse(struct arena *mem, const char *text)
{
    struct doc_yaml_list list = { 0 };
    struct doc_pos at;
    assert_null(doc_yaml_load(mem, text, strlen(text), &doc_yaml_default_limits, &list, &at));
    return list;
}

static const struct val *of_kind(const struct doc_yaml_list *list, const char *kind)
{
    for (size_t i = 0; i < list->len; i++) {
        if (!strcmp(object_kind(list->at[i].root), kind))
            return list->at[i].root;
    }
    return NULL;
}

/* The object of the same kind and name. */
static const struct val *same(const struct doc_yaml_list *list, const struct val *object)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct val *one = list->at[i].root;
        if (!strcmp(object_kind(one), object_kind(object)) &&
            !strcmp(object_name(one), object_name(object)))
            return one;
    }
    fail_msg("there is no %s %s", object_kind(object), object_name(object));
    return NULL;
}

static struct program_result run(struct arena *mem, const char *const *args, const char *cwd)
{
    struct program_result result;
    program_run(mem, &(struct program_run){ .argv = args, .cwd = cwd }, &result);
    return result;
}
#define RUN(mem, ...) run((mem), (const char *const[]){ __VA_ARGS__, NULL }, NULL)

/* -- install ------------------------------------------------------------------------------------- */

static const struct val *container_of(const struct val *deployment)
{
    return val_item(VAL_PATH(deployment, "spec", "template", "spec", "containers"), 0);
}

static const char *joined_args(struct arena *mem, const struct val *deployment)
{
    const struct val *args = val_get(container_of(deployment), "args");
    const char *text = "";
    for (size_t i = 0; i < val_len(args); i++)
        text = arena_printf(mem, "%s%s%s", text, i ? " " : "", val_text(val_item(args, i)));
    return text;
}

static const struct args_case {
    const char *name, *args[ARGS_MAX], *expected, *err;
} args_cases[] = {
    /* clang-format off */
    { "the flags of the repository", { "serin", "install", URL, "--git-branch=main", "--git-user=" },
      "run --git-url=git@example.org:a/b --git-branch=main --state-dir=/state --ssh-keygen-dir=/keygen "
      "--ssh-known-hosts=/etc/serin/ssh/known_hosts --sync-garbage-collection", "" },
    { "as fluxctl, nothing is deleted", { "fluxctl", "install", URL, MAIL },
      "run --git-url=git@example.org:a/b --git-branch=master --state-dir=/state --ssh-keygen-dir=/keygen "
      "--ssh-known-hosts=/etc/serin/ssh/known_hosts --sync-garbage-collection=false --git-label=flux --git-user=Flux --git-email=a@b", MEMCACHED },
    { "everything", { "fluxctl", "install", URL, MAIL, "--git-path=a,b", "--git-paths=c", "--git-label=l", "--git-user=U", "--git-readonly",
      "--manifest-generation", "--registry-disable-scanning" },
      "run --git-url=git@example.org:a/b --git-branch=master --state-dir=/state --ssh-keygen-dir=/keygen "
      "--ssh-known-hosts=/etc/serin/ssh/known_hosts --sync-garbage-collection=false --git-path=a,b,c --git-label=l --git-user=U --git-email=a@b "
      "--git-readonly --manifest-generation=true --registry-disable-scanning",
      "Flag --git-paths has been deprecated, please use --git-path (no ending s) instead\n" },
    /* clang-format on */
};

static void flags_become_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(args_cases); i++) {
        const struct args_case *row = &args_cases[i];
        SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
        const char *argv[ARGS_MAX + 1] = { NULL };
        memcpy(argv, row->args, sizeof(row->args));
        struct program_result result = run(mem, argv, NULL);
        assert_int_equal(result.status, 0);
        assert_string_equal(result.err, row->err);
        struct doc_yaml_list list = parse(mem, result.out);
        assert_string_equal(joined_args(mem, of_kind(&list, "Deployment")), row->expected);
    }
}

/* But for the arguments it is deploy/sync.yaml, object for object. */
static void what_is_installed_is_what_deploy_has(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *text = NULL;
    size_t len = 0;
    assert_null(tree_read_text(mem, PROJECT "/deploy/sync.yaml", (size_t)1 << 20, &text, &len));
    assert_int_equal(len, install_plan_manifests_len);
    struct doc_yaml_list deploy = parse(mem, text);
    struct program_result result =
        RUN(mem, "serin", "install", "--git-url=git@git.example.org:team/cluster",
            "--git-branch=main", "--git-user=");
    struct doc_yaml_list list = parse(mem, result.out);
    size_t seen = 0;
    for (size_t i = 0; i < deploy.len; i++) {
        if (!deploy.at[i].root)
            continue;
        seen++;
        assert_true(val_equal(deploy.at[i].root, same(&list, deploy.at[i].root)));
    }
    assert_int_equal(list.len, seen);
}

/* "name in (flux,fluxd,weave-flux-agent)" is where fluxctl looks for the pod to forward a port to, and 3030 the port. */
static void fluxctl_finds_the_pod(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result = RUN(mem, "serin", "install", URL);
    struct doc_yaml_list list = parse(mem, result.out);
    const struct val *deployment = of_kind(&list, "Deployment");
    const struct val *labels = VAL_PATH(deployment, "spec", "template", "metadata", "labels");
    int64_t port = 0;
    assert_string_equal(val_text(val_get(labels, "app")), "serin");
    assert_string_equal(val_text(val_get(labels, "name")), "flux");
    assert_int_equal(val_len(VAL_PATH(deployment, "spec", "selector", "matchLabels")), 1);
    assert_true(val_int(
        val_get(val_item(val_get(container_of(deployment), "ports"), 0), "containerPort"), &port));
    assert_int_equal(port, 3030);
}

static void as_fluxctl_it_is_called_flux(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result =
        RUN(mem, "fluxctl", "install", URL, MAIL, "--namespace=tools", "--image=r.example/serin:1");
    struct doc_yaml_list list = parse(mem, result.out);
    const struct val *deployment = of_kind(&list, "Deployment");
    assert_int_equal(list.len, 6);
    assert_null(of_kind(&list, "Namespace"));
    assert_string_equal(object_name(deployment), "flux");
    assert_string_equal(object_namespace(deployment), "tools");
    assert_string_equal(
        val_text(VAL_PATH(deployment, "spec", "template", "metadata", "labels", "name")), "flux");
    assert_string_equal(val_text(VAL_PATH(deployment, "spec", "selector", "matchLabels", "name")),
                        "flux");
    assert_string_equal(
        val_text(VAL_PATH(deployment, "spec", "template", "spec", "serviceAccountName")), "flux");
    assert_string_equal(val_text(val_get(container_of(deployment), "image")), "r.example/serin:1");
    assert_string_equal(
        val_text(VAL_PATH(container_of(deployment), "readinessProbe", "httpGet", "path")),
        "/api/flux/v6/identity.pub");
    const struct val *subject =
        val_item(val_get(of_kind(&list, "ClusterRoleBinding"), "subjects"), 0);
    assert_string_equal(val_text(val_get(subject, "name")), "flux");
    assert_string_equal(val_text(val_get(subject, "namespace")), "tools");
    assert_null(strstr(result.out, "app: serin"));
}

/* But for the arguments, the same as fluxctl install prints; its Deployment is ready when it has synced, as that of deploy/ is. */
static void flux_init_installs_the_same(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *argv[] = { "sh",
                           PROJECT "/scripts/flux-init.sh",
                           "--dry-run",
                           "git@example.org:a/b",
                           "--namespace",
                           "tools",
                           "--branch=main",
                           NULL };
    struct program_result script;
    program_run(mem, &(struct program_run){ .program = "/bin/sh", .argv = argv }, &script);
    assert_string_equal(script.err, "");
    assert_int_equal(script.status, 0);
    struct program_result result = RUN(mem, "fluxctl", "install", URL, MAIL, "--namespace=tools");
    struct doc_yaml_list theirs = parse(mem, script.out), ours = parse(mem, result.out);
    for (size_t i = 0; i < ours.len; i++) {
        struct val *here = val_copy(mem, same(&theirs, ours.at[i].root));
        struct val *there = val_copy(mem, ours.at[i].root);
        if (!strcmp(object_kind(there), "Deployment")) {
            struct val *a = (struct val *)container_of(here),
                       *b = (struct val *)container_of(there);
            assert_non_null(strstr(joined_args(mem, here),
                                   "run --git-url=git@example.org:a/b --git-branch=main "));
            val_set(mem, a, "args", val_get(b, "args"));
            val_set_text(mem, VAL_PATH(b, "readinessProbe", "httpGet"), "path", "/readyz");
        }
        if (!val_equal(here, there))
            fail_msg("%s differs:\n%s\n%s", object_kind(there), val_json(mem, here, NULL),
                     val_json(mem, there, NULL));
    }
    assert_int_equal(theirs.len, ours.len + 1);
    result = RUN(mem, "serin", "install", URL, "--namespace=tools");
    ours = parse(mem, result.out);
    assert_true(val_equal(of_kind(&theirs, "Namespace"), of_kind(&ours, "Namespace")));
}

static void a_security_context_can_be_left_out(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result with = RUN(mem, "serin", "install", URL);
    struct program_result without =
        RUN(mem, "serin", "install", URL, "--add-security-context=false");
    assert_non_null(strstr(with.out, "runAsNonRoot: true"));
    assert_non_null(strstr(with.out, "enforce: restricted"));
    assert_null(strstr(without.out, "securityContext"));
    assert_null(strstr(without.out, "enforce: restricted"));
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result = RUN(mem, "fluxctl", "install");
    assert_int_equal(result.status, 1);
    assert_string_equal(result.err, "Error: please supply a valid --git-url argument\n" HINT);
    result = RUN(mem, "fluxctl", "install", URL);
    assert_string_equal(result.err, "Error: please supply a valid --git-email argument\n" HINT);
    result = RUN(mem, "fluxctl", "install", URL, MAIL, "-o", "/no/such/place");
    assert_string_equal(result.err, "Error: stat /no/such/place: no such file or directory\n" HINT);
    result = RUN(mem, "fluxctl", "install", URL, MAIL, "-o", "/dev/null");
    assert_string_equal(result.err, "Error: /dev/null is not a directory\n" HINT);
    result = RUN(mem, "serin", "install", URL, "more");
    assert_int_equal(result.status, 2);
}

/* -- files --------------------------------------------------------------------------------------- */

static char *new_folder(struct arena *mem)
{
    const char *tmp = getenv("TMPDIR");
    char *folder = arena_printf(mem, "%s/serin-install-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static const char *take_file(struct arena *mem, const char *folder, const char *name)
{
    const char *path = arena_printf(mem, "%s/%s", folder, name), *text = NULL;
    size_t len = 0;
    assert_null(tree_read_text(mem, path, (size_t)1 << 20, &text, &len));
    assert_int_equal(unlink(path), 0);
    return text;
}

static void files_hold_what_is_printed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *folder = new_folder(mem);
    struct program_result printed = RUN(mem, "fluxctl", "install", URL, MAIL);
    struct program_result result = RUN(mem, "fluxctl", "install", URL, MAIL, "-o", folder);
    assert_string_equal(
        result.err,
        arena_printf(mem,
                     MEMCACHED "writing %1$s/flux-account.yaml\nwriting %1$s/flux-secret.yaml\n"
                               "writing %1$s/flux-deployment.yaml\n",
                     folder));
    assert_string_equal(result.out, "");
    assert_string_equal(arena_printf(mem, "%s%s%s", take_file(mem, folder, "flux-account.yaml"),
                                     take_file(mem, folder, "flux-secret.yaml"),
                                     take_file(mem, folder, "flux-deployment.yaml")),
                        printed.out);
    assert_int_equal(rmdir(folder), 0); /* and nothing else */
}

/* -- save ---------------------------------------------------------------------------------------- */

#define WEB                                                                                  \
    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n"                \
    "    deployment.kubernetes.io/revision: \"1\"\n    kubernetes.io/change-cause: x\n"      \
    "    kubectl.kubernetes.io/last-applied-configuration: '{}'\n  labels:\n    app: web\n"  \
    "  name: web\n  namespace: demo\n  resourceVersion: \"5\"\n  uid: u\nspec:\n"            \
    "  selector: {matchLabels: {}}\n  empty: {list: [], none: null, deep: {deeper: {}}}\n"   \
    "  text: \"--- no marker\"\n  block: |\n    a\n    ---\n    b\n"                         \
    "  template:\n    metadata:\n      creationTimestamp: null\n      labels: {app: web}\n"  \
    "    spec:\n      containers:\n      - name: c\n        resources: {}\n      volumes:\n" \
    "      - emptyDir: {}\n        name: v\nstatus:\n  replicas: 1\n"
#define WEB_SAVED                                                                           \
    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels:\n    app: web\n"      \
    "  name: web\n  namespace: demo\nspec:\n  block: |\n    a\n    ---\n    b\n"            \
    "  selector: {}\n  template:\n    metadata:\n      labels:\n        app: web\n"         \
    "    spec:\n      containers:\n      - name: c\n      volumes:\n      - emptyDir: {}\n" \
    "        name: v\n  text: '--- no marker'\n"
#define SPACE_SAVED                                                                             \
    "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: demo\nspec:\n  finalizers:\n  - " \
    "kubernetes\n"
#define SET_SAVED \
    "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: db\n  namespace: demo\n"

static struct program_result save(struct arena *mem, const char *export, const char *folder)
{
    struct program_result result;
    const char *script = arena_printf(mem, "GET /api/flux/v6/export 200 \"%s\"\n",
                                      hash_base64(mem, export, strlen(export)));
    struct program_daemon *daemon = program_daemon_start(script);
    const char *env[] = { arena_printf(mem, "FLUX_URL=http://127.0.0.1:%d/api/flux",
                                       program_daemon_port(daemon)),
                          NULL };
    const char *argv[] = { "fluxctl", "save", "--out", folder, NULL };
    program_run(mem, &(struct program_run){ .argv = argv, .env = env }, &result);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    return result;
}

static void save_keeps_what_a_repository_declares(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result = save(mem, SPACE_SAVED WEB SET_SAVED, "-");
    assert_string_equal(result.err, "");
    assert_string_equal(result.out, SPACE_SAVED WEB_SAVED SET_SAVED);
    assert_int_equal(result.status, 0);
    result = save(mem, "", "-");
    assert_string_equal(result.out, "");
    assert_int_equal(result.status, 0);
}

static void save_writes_a_file_for_each(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *folder = new_folder(mem);
    struct program_result result = save(mem, SPACE_SAVED WEB SET_SAVED, folder);
    assert_string_equal(result.out,
                        arena_printf(mem,
                                     "Saving Namespace 'demo' to %1$s/demo-ns.yaml\n"
                                     "Saving Deployment 'web' to %1$s/demo/web-dep.yaml\n"
                                     "Saving StatefulSet 'db' to %1$s/demo/db-StatefulSet.yaml\n",
                                     folder));
    assert_string_equal(take_file(mem, folder, "demo-ns.yaml"), SPACE_SAVED);
    assert_string_equal(take_file(mem, folder, "demo/web-dep.yaml"), WEB_SAVED);
    assert_string_equal(take_file(mem, folder, "demo/db-StatefulSet.yaml"), SET_SAVED);
    assert_int_equal(rmdir(arena_printf(mem, "%s/demo", folder)), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void save_stays_within_its_directory(void **state)
{
    static const char *const bad[] = {
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ../x}\n",
        "apiVersion: v1\nkind: Deployment\nmetadata: {name: x, namespace: ..}\n",
        "apiVersion: v1\nkind: ../../Deployment\nmetadata: {name: x, namespace: a}\n",
        "apiVersion: v1\nkind: Deployment\nmetadata: {namespace: a}\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
        const char *folder = new_folder(mem);
        struct program_result result = save(mem, bad[i], folder);
        assert_int_equal(result.status, 1);
        assert_non_null(strstr(result.err, "an object whose name is none"));
        assert_int_equal(rmdir(folder), 0);
    }
}

static void save_needs_a_directory(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result = RUN(mem, "fluxctl", "save", "-o", "/no/such/place");
    assert_int_equal(result.status, 1);
    assert_string_equal(result.err, "Error: stat /no/such/place: no such file or directory\nRun "
                                    "'fluxctl save --help' for usage.\n");
    result = RUN(mem, "serin", "save", "-o", "/dev/null");
    assert_string_equal(result.err, "Error: path /dev/null is not a directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_become_arguments),
        cmocka_unit_test(what_is_installed_is_what_deploy_has),
        cmocka_unit_test(fluxctl_finds_the_pod),
        cmocka_unit_test(as_fluxctl_it_is_called_flux),
        cmocka_unit_test(flux_init_installs_the_same),
        cmocka_unit_test(a_security_context_can_be_left_out),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(files_hold_what_is_printed),
        cmocka_unit_test(save_keeps_what_a_repository_declares),
        cmocka_unit_test(save_writes_a_file_for_each),
        cmocka_unit_test(save_stays_within_its_directory),
        cmocka_unit_test(save_needs_a_directory),
    };
    return cmocka_run_group_tests_name("install", tests, NULL, NULL);
}
