#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../rows.h"

#include "base/base.h"
#include "program.h"

#define ARGS_MAX 6

#define PODS(ns, items)          \
    "GET /api/v1/namespaces/" ns \
    "/pods?fieldSelector=status.phase=Running 200 {\"kind\":\"PodList\",\"items\":[" items "]}\n"
#define POD(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define PROXY     "/api/v1/namespaces/default/pods/flux-1:3030/proxy/api/flux/"

/* fluxctl without a URL asks the API server for the daemon's pod, and the daemon through it. */
static const struct pods_case {
    const char *name, *args[ARGS_MAX], *env, *script;
    int status;
    const char *out, *err;
} pods_cases[] = {
    /* clang-format off */
    { "a daemon is asked through the API server", { "fluxctl", "identity" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"ssh-ed25519 A\\n\"}}\n> false\n",
      0, "ssh-ed25519 A\n", "" },
    { "a query is kept on the way", { "fluxctl", "list-workloads", "-n", "a" }, NULL,
      PODS("default", POD("flux-1")) "GET " PROXY "v6/services?namespace=a 200 null\n", 0,
      "WORKLOAD  CONTAINER  IMAGE  RELEASE  POLICY\n", "" },
    { "the second selector is tried when the first finds nothing", { "fluxctl", "identity" }, NULL,
      PODS("default", "") PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 200 {}\n", 0, "", "" },
    { "no pod is explained", { "fluxctl", "sync", "--k8s-fwd-ns=x", "--k8s-fwd-labels=b=2,a=1" }, NULL,
      PODS("x", "") PODS("x", ""), 1, "",
      "Error: No pod found in namespace \"x\" using the following selectors:\n  a=1,b=2\n  name in (flux,fluxd,weave-flux-agent)\n\n"
      "Make sure Flux is running in namespace \"x\".\n"
      "If Flux is running in another different namespace, please supply it to --k8s-fwd-ns.\n"
      "Run 'fluxctl sync --help' for usage.\n" },
    { "the namespace comes from the environment, too", { "fluxctl", "identity" }, "FLUX_FORWARD_NAMESPACE=y",
      PODS("y", "") PODS("y", ""), 1, "", NULL },
    { "several pods are too many", { "fluxctl", "sync" }, NULL, PODS("default", POD("flux-1") "," POD("flux-2")), 1, "",
      "Error: Could not create a dialer: Could not get pod name: Ambiguous pod: found more than one pod for selector: labels "
      "\"app=flux\"\nRun 'fluxctl sync --help' for usage.\n" },
    { "an API server that refuses is quoted", { "fluxctl", "sync" }, NULL,
      "GET /api/v1/namespaces/default/pods 403 {\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"pods is forbidden\"}\n", 1, "",
      "Error: pods is forbidden (403 Forbidden)\nRun 'fluxctl sync --help' for usage.\n" },
    { "an error of the daemon comes through", { "fluxctl", "identity" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 422 {\"type\":\"user\",\"help\":\"Long\\n\",\"error\":\"short\"}\n",
      1, "", "== Error ==\n\nLong\n\n" },
    { "serin asks in the cluster when it is told where", { "serin", "identity", "--k8s-fwd-ns=default" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"ssh-ed25519 A\\n\"}}\n",
      0, "ssh-ed25519 A\n", "" },
    { "a daemon that wants its token gets the one beside it", { "fluxctl", "identity" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 401 {\"help\":\"token?\",\"error\":\"x\"}\n"
      "GET /api/v1/namespaces/default/secrets/serin-api 200 {\"data\":{\"token\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}}\n"
      "POST " PROXY "v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"ssh-ed25519 A\\n\"}}\n", 0, "ssh-ed25519 A\n", "" },
    { "who may not read the token is told what the daemon said", { "fluxctl", "identity" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 401 {\"type\":\"user\",\"help\":\"token?\\n\",\"error\":\"x\"}\n"
      "GET /api/v1/namespaces/default/secrets/serin-api 403 {\"kind\":\"Status\"}\n", 1, "", "== Error ==\n\ntoken?\n\n" },
    { "the Secret may have another name", { "serin", "identity", "--k8s-fwd-ns=default", "--api-secret=doors" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 401 {\"help\":\"token?\",\"error\":\"x\"}\n"
      "GET /api/v1/namespaces/default/secrets/doors 200 {\"data\":{\"token\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}}\n"
      "POST " PROXY "v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"ssh-ed25519 A\\n\"}}\n", 0, "ssh-ed25519 A\n", "" },
    { "and fluxctl, too, is told so by the environment", { "fluxctl", "identity" }, "SERIN_API_SECRET=doors",
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 401 {\"help\":\"token?\",\"error\":\"x\"}\n"
      "GET /api/v1/namespaces/default/secrets/doors 200 {\"data\":{\"token\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}}\n"
      "POST " PROXY "v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"ssh-ed25519 A\\n\"}}\n", 0, "ssh-ed25519 A\n", "" },
    { "serin says which Secret could not be read", { "serin", "sync", "--k8s-fwd-ns=default" }, NULL,
      PODS("default", POD("flux-1")) "POST " PROXY "v9/git-repo-config 401 {\"help\":\"token?\",\"error\":\"x\"}\n"
      "GET /api/v1/namespaces/default/secrets/serin-api 404 {\"kind\":\"Status\"}\n", 2, "",
      "Error: x (Secret default/serin-api: 404 Not Found; --api-secret, --token)\n" },
    { "serin says what it looked for in its own words", { "serin", "sync", "--k8s-fwd-ns=x" }, NULL, PODS("x", "") PODS("x", ""), 2, "",
      "Error: no pod of a daemon runs in namespace \"x\": none with app=serin, none with name in (flux,fluxd,weave-flux-agent) "
      "(--k8s-fwd-ns, --k8s-fwd-labels)\n" },
    { "serin asks which of several it is", { "serin", "sync", "--k8s-fwd-ns=x" }, NULL, PODS("x", POD("a") "," POD("b")), 2, "",
      "Error: more than one pod with app=serin runs in namespace \"x\": say which is the daemon's with --k8s-fwd-labels\n" },
    /* clang-format on */
};

static void daemon_is_found(void **state)
{
    const struct pods_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *tmp = getenv("TMPDIR");
    char *kubeconfig = arena_printf(mem, "%s/serin-kubeconfig-XXXXXX", tmp ? tmp : "/tmp");
    struct program_daemon *server = program_daemon_start(row->script);
    int fd = mkstemp(kubeconfig);
    assert_true(fd >= 0);
    assert_true(
        dprintf(
            fd,
            "{current-context: c, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}], "
            "contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: "
            "{}}]}\n",
            program_daemon_port(server)) > 0);
    close(fd);
    const char *env[] = { arena_printf(mem, "KUBECONFIG=%s", kubeconfig), row->env, NULL };
    const char *argv[ARGS_MAX + 1] = { NULL };
    memcpy(argv, row->args, sizeof(row->args));
    struct program_result result;
    program_run(mem, &(struct program_run){ .argv = argv, .env = env }, &result);
    unlink(kubeconfig);
    assert_string_equal(program_daemon_end(mem, server), "");
    if (row->err)
        assert_string_equal(result.err, row->err);
    assert_string_equal(result.out, row->out);
    assert_int_equal(result.status, row->status);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(pods_cases, daemon_is_found),
    };
    return rows_run("pods", tests, ARRAY_LEN(tests));
}
