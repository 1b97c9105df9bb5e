#include <string.h>

#include "../rows.h"

#include "base/base.h"
#include "program.h"

#define ARGS_MAX 8

#define SHA "b2e5d1c0123456789012345678901234567890ab"
#define READY                                                                   \
    "POST /api/flux/v9/git-repo-config 200 "                                    \
    "{\"remote\":{\"url\":\"ssh://git@example.org/a/b\",\"branch\":\"master\"," \
    "\"path\":\"\"},\"publicSSHKey\":{\"key\":\"ssh-ed25519 AAAA "              \
    "flux\\n\",\"fingerprints\":{\"md5\":{\"hash\":"                            \
    "\"aa:bb\",\"randomart\":\"+-+\\n|o|\\n+-+\\n\"}}},\"status\":\"ready\",\"errors\":\"\"}\n"
#define NOT_READY(status, error)                                                 \
    "POST /api/flux/v9/git-repo-config 200 "                                     \
    "{\"remote\":{\"url\":\"ssh://git@example.org/a/b\",\"branch\":\"master\"}," \
    "\"status\":\"" status "\",\"errors\":\"" error "\"}\n"
#define SUBMIT                                          \
    "POST /api/flux/v9/update-manifests 200 \"id-1\"\n" \
    "> {\"type\":\"sync\",\"cause\":{\"Message\":\"\",\"User\":\"\"},\"spec\":{}}\n"
#define QUEUED \
    "GET /api/flux/v6/jobs?id=id-1 200 {\"Result\":{},\"Err\":\"\",\"StatusString\":\"queued\"}\n"
#define DONE                                                             \
    "GET /api/flux/v6/jobs?id=id-1 200 {\"Result\":{\"revision\":\"" SHA \
    "\"},\"Err\":\"\",\"StatusString\":"                                 \
    "\"succeeded\"}\n"
#define APPLIED "GET /api/flux/v6/sync?ref=b2e5d1c 200 []\n"
#define SYNCING                                                                              \
    "Synchronizing with ssh://git@example.org/a/b\nRevision of master to apply is b2e5d1c\n" \
    "Waiting for b2e5d1c to be applied ...\n"
#define WORKLOADS                                                                                 \
    "[{\"ID\":\"live:deployment/"                                                                 \
    "web\",\"Containers\":[{\"Name\":\"web\",\"Current\":{\"ID\":\"registry/web:1\"}},"           \
    "{\"Name\":\"side\",\"Current\":{\"ID\":\"s:2\"}}],\"Status\":\"ready\",\"Automated\":true,"  \
    "\"Locked\":true},"                                                                           \
    "{\"ID\":\"a:daemonset/"                                                                      \
    "b\",\"Containers\":[{\"Name\":\"b\",\"Current\":{\"ID\":\"b:1\"}}],\"Status\":\"updating\"," \
    "\"Ignore\":true},{\"ID\":\"a:cronjob/c\",\"Containers\":null,\"Status\":\"\"}]"
#define STATUS(git, sync, rest)                                                       \
    "{\"version\":\"0.1.0\",\"clusterVersion\":\"v1.34.4\",\"git\":{\"url\":\"ssh://" \
    "git@example.org/a/b\",\"branch\":"                                               \
    "\"master\",\"paths\":[\"apps\",\"base\"]," git                                   \
    ",\"readOnly\":false},\"commit\":{\"sha\":\"" SHA "\",\"subject\":"               \
    "\"First\",\"author\":\"Jane\",\"ageSeconds\":7300},\"sync\":{" sync              \
    "},\"objects\":{\"total\":3,\"applied\":2,"                                       \
    "\"failed\":1},\"drift\":{\"now\":0,\"healed\":4}," rest "}\n"
#define GIT_READY \
    "\"state\":\"ready\",\"error\":\"\",\"unverified\":\"\",\"fetchedSecondsAgo\":12.5"
#define SYNC_DONE                                                 \
    "\"head\":\"" SHA "\",\"applied\":\"" SHA                     \
    "\",\"running\":false,\"lastTime\":\"2026-01-02T03:04:05Z\"," \
    "\"lastDurationSeconds\":0.4,\"error\":\"\""
#define FAILURE                                                                       \
    "{\"id\":\"demo:deployment/"                                                      \
    "web\",\"kind\":\"Deployment\",\"namespace\":\"demo\",\"name\":\"web\",\"path\":" \
    "\"apps/web.yaml\",\"line\":3,\"outcome\":\"failed\",\"message\":\"spec.replicas: wrong\"}"
#define NO_TROUBLE "\"failures\":[],\"failuresLeftOut\":0,\"problems\":[],\"problemsLeftOut\":0"
#define TROUBLE                                                                                 \
    "\"failures\":[" FAILURE                                                                    \
    "],\"failuresLeftOut\":2,\"problems\":[{\"path\":\"a\\u001b.yaml\",\"line\":4,\"message\":" \
    "\"a.yaml:4:1: did not find expected key\"}],\"problemsLeftOut\":0"
#define DIGEST        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HINT(command) "Run 'fluxctl " command " --help' for usage.\n"

/* A command, what the daemon answers, and what the command says then. PORT in a text stands for the daemon's. */
static const struct client_case {
    const char *name, *args[ARGS_MAX], *script;
    int status;
    const char *out, *err;
} client_cases[] = {
    /* clang-format off */
    { "sync waits for the job, then until the revision is applied", { "fluxctl", "sync" },
      READY SUBMIT QUEUED QUEUED DONE APPLIED, 0, "", SYNCING "Done.\n" },
    { "sync asks again while commits are waiting", { "fluxctl", "sync" },
      READY SUBMIT DONE "GET /api/flux/v6/sync?ref=b2e5d1c 200 [\"" SHA "\"]\n" APPLIED, 0, "", SYNCING "Done.\n" },
    { "sync gives up in time", { "fluxctl", "sync", "--timeout=500ms" },
      READY SUBMIT DONE "GET /api/flux/v6/sync?ref=b2e5d1c 200 [\"" SHA "\"]\n", 1, "",
      SYNCING "Error: timeout\n" HINT("sync") },
    { "sync without a repository says so", { "fluxctl", "sync" }, NOT_READY("unconfigured", "git repo has not been cloned yet"), 1, "",
      "Error: no git repository is configured\n" HINT("sync") },
    { "sync with an unreachable repository names it", { "fluxctl", "sync" }, NOT_READY("unreachable", "no route"), 1, "",
      "Error: can not connect to git repository with URL ssh://git@example.org/a/b\n\nFull error message: no route\n" HINT("sync") },
    { "sync with a repository that is not ready says why", { "fluxctl", "sync" },
      NOT_READY("cloned", "configured branch 'production' does not exist"), 1, "",
      "Error: git repository ssh://git@example.org/a/b is not ready to sync\n\nFull error message: configured branch "
      "'production' does not exist\n" HINT("sync") },
    { "sync with a repository that is not ready need not know why", { "fluxctl", "sync" }, NOT_READY("new", ""), 1, "",
      "Error: git repository ssh://git@example.org/a/b is not ready to sync\n" HINT("sync") },
    { "a failed job is named with its error", { "fluxctl", "sync" },
      READY SUBMIT "GET /api/flux/v6/jobs?id=id-1 200 {\"Result\":{},\"Err\":\"git fetch: no route\",\"StatusString\":\"failed\"}\n", 1, "",
      "Synchronizing with ssh://git@example.org/a/b\nFailed to complete sync job (ID \"id-1\")\nError: git fetch: no route\n" HINT("sync") },
    { "an unverified head is a warning, the verified one is waited for", { "fluxctl", "sync" },
      READY SUBMIT "GET /api/flux/v6/jobs?id=id-1 200 {\"Result\":{\"revision\":\"" SHA "\"},\"Err\":\"head is not verified\","
      "\"StatusString\":\"failed\"}\n" APPLIED, 0, "",
      "Synchronizing with ssh://git@example.org/a/b\nWarning: head is not verified\nRevision of master to apply is b2e5d1c\n"
      "Waiting for b2e5d1c to be applied ...\nDone.\n" },
    { "sync takes no arguments", { "fluxctl", "sync", "now" }, "", 1, "", "Error: expected no (non-flag) arguments\n" HINT("sync") },
    { "serin's sync says that all is well", { "serin", "sync" },
      READY SUBMIT DONE APPLIED "GET /api/serin/v1/status 200 " STATUS(GIT_READY, SYNC_DONE, NO_TROUBLE), 0, "", SYNCING "Done.\n" },
    { "serin's sync fails when an object failed", { "serin", "sync" },
      READY SUBMIT DONE APPLIED "GET /api/serin/v1/status 200 " STATUS(GIT_READY, SYNC_DONE, TROUBLE), 1, "",
      SYNCING "demo/deployment/web (apps/web.yaml:3): failed: spec.replicas: wrong\na.yaml:4:1: did not find expected key\nDone.\n" },

    { "identity prints the key as it is stored", { "fluxctl", "identity" }, READY "", 0, "ssh-ed25519 AAAA flux\n", "" },
    { "serin says that there is no key", { "serin", "identity" },
      "POST /api/flux/v9/git-repo-config 200 {\"remote\":{\"url\":\"https://x.org/a\"},\"publicSSHKey\":{\"key\":\"\"}}\n", 0, "",
      "The daemon has no deploy key: it reaches its repository (https://x.org/a) without SSH, or knows of none.\n" },
    { "identity asks not to make a new key", { "fluxctl", "identity" },
      "POST /api/flux/v9/git-repo-config 200 {}\n> false\n", 0, "", "" },
    { "identity makes a new key when asked to", { "fluxctl", "identity", "--regenerate" },
      "POST /api/flux/v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"new\\n\"}}\n> true\n", 0, "new\n", "" },
    { "identity shows the fingerprint", { "fluxctl", "identity", "-l" }, READY, 0, "aa:bb\n", "" },
    { "identity shows the picture with the fingerprint", { "fluxctl", "identity", "-v" }, READY, 0, "aa:bb\n+-+\n|o|\n+-+\n", "" },
    { "identity takes no arguments", { "fluxctl", "identity", "extra" }, "", 1, "",
      "Error: expected no (non-flag) arguments\n" HINT("identity") },

    { "list-workloads sorts, and shows what is known", { "fluxctl", "list-workloads", "-a" },
      "GET /api/flux/v6/services?namespace= 200 " WORKLOADS "\n", 0,
      "WORKLOAD             CONTAINER  IMAGE           RELEASE   POLICY\n"
      "a:cronjob/c                                               \n"
      "a:daemonset/b        b          b:1             updating  ignore\n"
      "live:deployment/web  web        registry/web:1  ready     automated,locked\n"
      "                     side       s:2                       \n", "" },
    { "list-workloads keeps those with a container", { "fluxctl", "list-workloads", "-a", "-c", "side", "--no-headers" },
      "GET /api/flux/v6/services?namespace= 200 " WORKLOADS "\n", 0,
      "live:deployment/web  web   registry/web:1  ready  automated,locked\n"
      "                     side  s:2                    \n", "" },
    { "list-workloads asks for the default namespace", { "fluxctl", "list-workloads" },
      "GET /api/flux/v6/services?namespace=default 200 null\n", 0, "WORKLOAD  CONTAINER  IMAGE  RELEASE  POLICY\n", "" },
    { "list-workloads asks for the namespace given", { "fluxctl", "list-controllers", "-n", "a&b" },
      "GET /api/flux/v6/services 200 null\n", 0, "WORKLOAD  CONTAINER  IMAGE  RELEASE  POLICY\n", "" },
    { "a table keeps its cells, whatever stands in them", { "fluxctl", "list-workloads", "-a", "--no-headers" },
      "GET /api/flux/v6/services?namespace= 200 [{\"ID\":\"a:b/c\",\"Containers\":[{\"Name\":\"x\\ty\\n\",\"Current\":{\"ID\":\"\\u001b[31mi\"}}],"
      "\"Status\":\"ready\"}]\n", 0, "a:b/c  x\\ty\\n  \\u001b[31mi  ready  \n", "" },
    { "JSON is the same to who reads it", { "fluxctl", "list-workloads", "-a", "-o", "json" },
      "GET /api/flux/v6/services?namespace= 200 [{\"ID\":\"a\x7f\xc2\x9b\"}]\n", 0, "[{\"ID\":\"a\\u007f\\u009b\"}]\n", "" },
    { "an error cannot give orders", { "fluxctl", "list-workloads", "-a" },
      "GET /api/flux/v6/services 502 no\033[2Jgate\n", 1, "",
      "Error: executing HTTP request: 502 Bad Gateway no\\u001b[2Jgate\n" HINT("list-workloads") },
    { "list-workloads prints null when there is nothing", { "fluxctl", "list-workloads", "-a", "-o", "json" },
      "GET /api/flux/v6/services?namespace= 200 null\n", 0, "null\n", "" },
    { "list-workloads prints what came as JSON", { "fluxctl", "list-workloads", "-a", "-o", "json", "-c", "b" },
      "GET /api/flux/v6/services?namespace= 200 " WORKLOADS "\n", 0,
      "[{\"ID\":\"a:daemonset/b\",\"Containers\":[{\"Name\":\"b\",\"Current\":{\"ID\":\"b:1\"}}],\"Status\":\"updating\",\"Ignore\":true}]\n", "" },
    { "list-workloads of none is null to fluxctl", { "fluxctl", "list-workloads", "-a", "-o", "json", "-c", "none" },
      "GET /api/flux/v6/services?namespace= 200 " WORKLOADS "\n", 0, "null\n", "" },
    { "and an empty list to serin", { "serin", "list-workloads", "-a", "-o", "json", "-c", "none" },
      "GET /api/flux/v6/services?namespace= 200 " WORKLOADS "\n", 0, "[]\n", "No such workload.\n" },
    { "serin says which namespace it is that is empty", { "serin", "list-workloads", "--no-headers" },
      "GET /api/flux/v6/services?namespace=default 200 null\n", 0, "", "No such workload in namespace default; -a lists all namespaces.\n" },
    { "list-workloads knows two formats", { "fluxctl", "list-workloads", "-o", "xml" }, "", 1, "",
      "Error: invalid output format specified\n" HINT("list-workloads") },

    { "an error object is shown at length by fluxctl", { "fluxctl", "list-workloads", "-a" },
      "GET /api/flux/v6/services 422 {\"type\":\"user\",\"help\":\"Long\\nstory\\n\",\"error\":\"short\"}\n", 1, "",
      "== Error ==\n\nLong\nstory\n\n" },
    { "an error object is shown shortly by serin", { "serin", "list-workloads", "-a" },
      "GET /api/flux/v6/services 422 {\"type\":\"user\",\"help\":\"Long\\nstory\\n\",\"error\":\"short\"}\n", 2, "", "Error: short\n" },
    { "list-images takes one workload", { "fluxctl", "list-images", "-w", "deployment/a", "-c", "deployment/b" }, "", 1, "",
      "Flag --controller has been deprecated, changed to --workload, use that instead\n"
      "Error: can't specify both the controller and image\n" HINT("list-images") },
    { "serin shows what a pin without a tag is", { "serin", "list-images", "-n", "a", "--no-headers" },
      "GET /api/flux/v10/images?containerFields=&namespace=a&service=<all> 200 [{\"ID\":\"a:deployment/b\",\"Containers\":[{\"Name\":\"c\","
      "\"Current\":{\"ID\":\"r.io/x@sha256:" DIGEST "\"}}]}]\n", 0,
      "a:deployment/b  c  r.io/x                     image data not available\n"
      "                   '-> @sha256:0123456789ab…  ?\n", "" },
    { "what is no error object is shown as it came", { "fluxctl", "list-workloads", "-a" },
      "GET /api/flux/v6/services 502 no gateway\n", 1, "",
      "Error: executing HTTP request: 502 Bad Gateway no gateway\n" HINT("list-workloads") },
    { "what takes a token is named", { "serin", "identity" }, "POST /api/flux/v9/git-repo-config 401 {\"error\":\"who are you?\"}\n", 2, "",
      "Error: who are you? (--token, FLUX_SERVICE_TOKEN)\n" },
    { "a refused token is explained", { "serin", "identity", "--token", "x" }, "POST /api/flux/v9/git-repo-config 401 no\n", 2, "",
      "Error: the daemon refuses the request (401): the token is missing or wrong; give it with --token or FLUX_SERVICE_TOKEN\n" },
    { "an answer that is no JSON is refused", { "serin", "identity" }, "POST /api/flux/v9/git-repo-config 200 {oops\n", 2, "",
      NULL },

    { "status says that all is well", { "serin", "status" },
      "GET /api/serin/v1/status 200 " STATUS(GIT_READY, SYNC_DONE, NO_TROUBLE), 0,
      "repository  ssh://git@example.org/a/b, branch master, path apps,base\n"
      "git         ready, fetched 12 s ago\n"
      "applied     b2e5d1c \"First\" by Jane, 2 h old; at 2026-01-02T03:04:05Z in 0.4 s\n"
      "objects     3: 2 applied, 1 failed\n"
      "drift       0 now, 4 healed\n"
      "daemon      serin 0.1.0, cluster v1.34.4\n", "" },
    { "status lists what failed and is 1", { "serin", "status" },
      "GET /api/serin/v1/status 200 " STATUS(GIT_READY, SYNC_DONE, TROUBLE), 1,
      "repository  ssh://git@example.org/a/b, branch master, path apps,base\n"
      "git         ready, fetched 12 s ago\n"
      "applied     b2e5d1c \"First\" by Jane, 2 h old; at 2026-01-02T03:04:05Z in 0.4 s\n"
      "objects     3: 2 applied, 1 failed\n"
      "drift       0 now, 4 healed\n"
      "daemon      serin 0.1.0, cluster v1.34.4\n"
      "\nfailures:\n"
      "  demo/deployment/web (apps/web.yaml:3): failed: spec.replicas: wrong\n"
      "  and 2 more: serin status -o json\n"
      "\nproblems:\n"
      "  a.yaml:4:1: did not find expected key\n", "" },
    { "what a terminal could obey is spelt out", { "serin", "status" },
      "GET /api/serin/v1/status 200 " STATUS("\"state\":\"ready\",\"error\":\"a\\nb\\tc\",\"unverified\":\"\",\"fetchedSecondsAgo\":1",
      SYNC_DONE, "\"failures\":[{\"kind\":\"ConfigMap\",\"namespace\":\"\",\"name\":\"x\",\"path\":\"a\\u001b[2J\\n.yaml\",\"line\":3,"
      "\"outcome\":\"failed\",\"message\":\"two\\nlines\\u009b\"}],\"failuresLeftOut\":0,\"problems\":[{\"message\":\"a\\u0007\"}]"), 1,
      "repository  ssh://git@example.org/a/b, branch master, path apps,base\n"
      "git         ready, fetched 1 s ago: a\\nb\\tc\n"
      "applied     b2e5d1c \"First\" by Jane, 2 h old; at 2026-01-02T03:04:05Z in 0.4 s\n"
      "objects     3: 2 applied, 1 failed\n"
      "drift       0 now, 4 healed\n"
      "daemon      serin 0.1.0, cluster v1.34.4\n"
      "\nfailures:\n"
      "  configmap/x (a\\u001b[2J\\n.yaml:3): failed: two\\nlines\\u009b\n"
      "\nproblems:\n"
      "  a\\u0007\n", "" },
    { "status names kinds that are not watched", { "serin", "status" },
      "GET /api/serin/v1/status 200 {\"git\":{\"state\":\"ready\"},\"drift\":{\"now\":0,\"healed\":1,\"unwatched\":[\"apps/Deployment\",\"/Secret\"]}}\n", 1,
      "repository  , branch \n"
      "git         ready\n"
      "applied     nothing yet\n"
      "objects     0\n"
      "drift       0 now, 1 healed; not watched (see the log): Deployment, Secret\n"
      "daemon      serin , cluster \n", "" },
    { "status of a daemon that just started is 1", { "serin", "status" },
      "GET /api/serin/v1/status 200 " STATUS("\"state\":\"new\",\"error\":\"git clone: no route\",\"unverified\":\"\",\"fetchedSecondsAgo\":null",
      "\"head\":\"\",\"applied\":\"\",\"running\":true,\"error\":\"\"", NO_TROUBLE), 1,
      "repository  ssh://git@example.org/a/b, branch master, path apps,base\n"
      "git         new: git clone: no route\n"
      "applied     nothing yet; a sync is running\n"
      "objects     3: 2 applied, 1 failed\n"
      "drift       0 now, 4 healed\n"
      "daemon      serin 0.1.0, cluster v1.34.4\n", "" },
    { "status is 1 while a newer head waits", { "serin", "status", "-o", "json" },
      "GET /api/serin/v1/status 200 {\"git\":{\"state\":\"ready\"},\"sync\":{\"head\":\"b\",\"applied\":\"a\"}}\n", 1,
      "{\"git\":{\"state\":\"ready\"},\"sync\":{\"head\":\"b\",\"applied\":\"a\"}}\n", "" },

    { "why of an applied commit is 0", { "serin", "why", "feature/x" },
      "GET /api/serin/v1/why?ref=feature/x 200 {\"ref\":\"feature/x\",\"state\":\"applied\",\"text\":\"applied\",\"commit\":{\"sha\":\"" SHA
      "\",\"subject\":\"First\",\"author\":\"Jane\",\"ageSeconds\":61},\"heldUpBy\":[]}\n", 0,
      "b2e5d1c \"First\" by Jane, 61 s old\napplied: applied\n", "" },
    { "why of a commit that is held up names what holds it", { "serin", "why", "b2e5d1c" },
      "GET /api/serin/v1/why?ref=b2e5d1c 200 {\"state\":\"held\",\"text\":\"reached: 1\",\"commit\":null,\"heldUpBy\":[" FAILURE "]}\n", 1,
      "held: reached: 1\n  demo/deployment/web (apps/web.yaml:3): failed: spec.replicas: wrong\n", "" },
    { "why spells out what a terminal could obey", { "serin", "why", "b2e5d1c" },
      "GET /api/serin/v1/why?ref=b2e5d1c 200 {\"state\":\"held\",\"text\":\"a\\nb\",\"commit\":{\"sha\":\"" SHA
      "\",\"subject\":\"\\u001b]0;x\\u0007\",\"author\":\"J\\nane\",\"ageSeconds\":61},\"heldUpBy\":[]}\n", 1,
      "b2e5d1c \"\\u001b]0;x\\u0007\" by J\\nane, 61 s old\nheld: a\\nb\n", "" },
    { "why needs a commit", { "serin", "why" }, "", 2, "",
      "Error: please say which commit: a sha, or the name of a branch or tag\nRun 'serin why --help' for usage.\n" },
    /* clang-format on */
};

static void command_says(void **state)
{
    const struct client_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_daemon *daemon = program_daemon_start(row->script);
    struct program_result result;
    const char *env[] = { arena_printf(mem, "FLUX_URL=http://127.0.0.1:%d/api/flux",
                                       program_daemon_port(daemon)),
                          NULL };
    const char *argv[ARGS_MAX + 1] = { NULL };
    memcpy(argv, row->args, sizeof(row->args));
    program_run(mem, &(struct program_run){ .argv = argv, .env = env }, &result);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    if (row->err)
        assert_string_equal(result.err, row->err);
    else
        assert_true(strlen(result.err) > 0);
    assert_string_equal(result.out, row->out);
    assert_int_equal(result.status, row->status);
}

static void this_machine_is_asked_without_a_proxy(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_daemon *daemon = program_daemon_start(
        "POST /api/flux/v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"k\"}}\n");
    const char *env[] = { arena_printf(mem, "FLUX_URL=http://127.0.0.1:%d/api/flux",
                                       program_daemon_port(daemon)),
                          "http_proxy=http://127.0.0.1:1", NULL };
    struct program_result result;
    const char *argv[] = { "serin", "identity", NULL };
    program_run(mem, &(struct program_run){ .argv = argv, .env = env }, &result);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    assert_string_equal(result.err, "");
    assert_string_equal(result.out, "k");
}

static void a_url_that_lacks_its_end_is_told_so(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_daemon *daemon = program_daemon_start(
        "POST /v9/git-repo-config 404 {\"error\":\"API endpoint not found\"}\n");
    const char *url = arena_printf(mem, "--url=http://127.0.0.1:%d", program_daemon_port(daemon));
    struct program_result result;
    const char *argv[] = { "serin", "identity", url, NULL };
    program_run(mem, &(struct program_run){ .argv = argv }, &result);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    assert_string_equal(result.err,
                        "Error: API endpoint not found (the URL of an API ends with /api/flux)\n");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_url_that_lacks_its_end_is_told_so),
        SINGLE(this_machine_is_asked_without_a_proxy),
        ROWS(client_cases, command_says),
    };
    return rows_run("client", tests, ARRAY_LEN(tests));
}
