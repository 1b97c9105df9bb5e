/* Releases and policies as the command line asks for them: mistakes, what is sent, what is said, time that runs out, JSON, the
 * menu on a terminal. What fluxctl was recorded to do is in test_recorded.c. */
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "doc/json.h"
#include "program.h"

#define ARGS_MAX     12
#define SCREEN_BYTES ((size_t)1 << 20)

#define SHA             "b2e5d1c0123456789012345678901234567890ab"
#define HINT(cmd)       "Run 'fluxctl " cmd " --help' for usage.\n"
#define SERIN_HINT(cmd) "Run 'serin " cmd " --help' for usage.\n"
#define SUBMIT          "POST /api/flux/v9/update-manifests 200 \"id-1\"\n"
#define JOB             "GET /api/flux/v6/jobs?id=id-1 200 "
#define WEB                                                                                      \
    "\"demo:deployment/"                                                                         \
    "web\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"web\",\"Current\":\"r.io/" \
    "app:1\",\"Target\":\"r.io/app:2\"}]}"
#define SIDE                                                                                    \
    "\"demo:deployment/"                                                                        \
    "side\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"a\",\"Current\":\"r.io/" \
    "a:1\",\"Target\":\"r.io/a:2\"},{\"Container\":\"b\",\"Current\":\"r.io/"                   \
    "b:1\",\"Target\":\"r.io/b:2\"}]}"
#define LOCKED \
    "\"demo:deployment/db\":{\"Status\":\"skipped\",\"Error\":\"locked\",\"PerContainer\":null}"
#define QUEUED      JOB "{\"Result\":{},\"Err\":\"\",\"StatusString\":\"queued\"}\n"
#define FAILED(why) JOB "{\"Result\":{},\"Err\":\"" why "\",\"StatusString\":\"failed\"}\n"
#define DONE(result)                                                \
    JOB "{\"Result\":{\"revision\":\"" SHA "\",\"result\":{" result \
        "}},\"Err\":\"\",\"StatusString\":\"succeeded\"}\n"
#define PLANNED(result) \
    JOB "{\"Result\":{\"result\":{" result "}},\"Err\":\"\",\"StatusString\":\"succeeded\"}\n"
#define APPLIED "GET /api/flux/v6/sync?ref=" SHA " 200 []\n"
#define WAITING "*GET /api/flux/v6/sync?ref=" SHA " 200 [\"" SHA "\"]\n"
#define WEB_TABLE \
    "WORKLOAD             STATUS   UPDATES\ndemo:deployment/web  success  web: r.io/app:1 -> 2\n"
#define PUSHED    "Commit pushed:\tb2e5d1c\n"
#define COMMITTED PUSHED "Commit applied:\tb2e5d1c\n"
#define SERVICES  "GET /api/flux/v11/services?namespace=&services=demo:deployment/web 200 "
#define ROLLOUT(status, updated, messages)                                                    \
    SERVICES "[{\"ID\":\"demo:deployment/"                                                    \
             "web\",\"Containers\":[{\"Name\":\"web\",\"Current\":{\"ID\":\"r.io/app:2\"}}]," \
             "\"Status\":\"" status "\",\"Rollout\":{\"Desired\":2,\"Updated\":" updated      \
             ",\"Ready\":1,\"Outdated\":1,\"Messages\":" messages "}}]\n"
#define STATE(status, replicas)                                        \
    "WORKLOAD             CONTAINER  IMAGE       RELEASE   REPLICAS\n" \
    "demo:deployment/web  web        r.io/app:2  " status "  " replicas "\n\n"
#define STATE_READY                                                   \
    "WORKLOAD             CONTAINER  IMAGE       RELEASE  REPLICAS\n" \
    "demo:deployment/web  web        r.io/app:2  ready    2/2\n\n"
#define NO_CANARIES "GET /api/serin/v1/canaries 200 []\n"
#define CANARY(phase, weight, event)                                                            \
    "GET /api/serin/v1/canaries 200 "                                                           \
    "[{\"namespace\":\"demo\",\"name\":\"other\",\"target\":{\"kind\":\"Deployment\",\"name\":" \
    "\"other\"},\"phase\":"                                                                     \
    "\"Failed\",\"weight\":0,\"waitsFor\":\"\",\"lastEvent\":\"\"},"                            \
    "{\"namespace\":\"demo\",\"name\":\"web\",\"target\":{\"kind\":\"Deployment\",\"name\":"    \
    "\"web\"},\"phase\":\"" phase "\",\"weight\":" weight                                       \
    ",\"waitsFor\":\"\",\"lastEvent\":\"" event "\"}]\n"

#define ONE "--workload", "demo:deployment/web", "--update-image", "r.io/app:2"

/* A command, what the daemon answers, and what comes of it. */
static const struct release_case {
    const char *name, *args[ARGS_MAX], *script;
    int status;
    const char *out, *err;
} release_cases[] = {
    /* clang-format off */
    { "serin names the argument that it does not take", { "serin", "release", "-w", "demo:deployment/web" }, "", 2, "",
      "Error: unexpected argument \"demo:deployment/web\": -w is --watch here, a workload is named with --workload\n" SERIN_HINT("release") },
    { "release takes no arguments", { "fluxctl", "release", "x" }, "", 1, "", "Error: expected no (non-flag) arguments\n" HINT("release") },
    { "release wants one kind of update", { "fluxctl", "release", "--all" }, "", 1, "",
      "Error: please supply exactly one of --update-image=<image> or --update-all-images\n" HINT("release") },
    { "release wants one kind of update only", { "fluxctl", "release", "--all", "--update-all-images", "-i", "a:1" }, "", 1, "",
      "Error: please supply only one of --update-image=<image> or --update-all-images\n" HINT("release") },
    { "release wants workloads", { "serin", "release", "-i", "a:1" }, "", 2, "",
      "Error: please supply either --all, or at least one --workload=<workload>\n" SERIN_HINT("release") },
    { "the kind of update is looked at before the workloads", { "fluxctl", "release" }, "", 1, "",
      "Error: please supply exactly one of --update-image=<image> or --update-all-images\n" HINT("release") },
    { "a dry run cannot be watched", { "fluxctl", "release", "--all", "--update-all-images", "--watch", "--dry-run", "-f" }, "", 1, "",
      "Error: cannot use --watch with --dry-run\n" HINT("release") },
    { "force of everything is nothing", { "fluxctl", "release", "--all", "--update-all-images", "-f" }, "", 1, "",
      "Error: --force has no effect when used with --all and --update-all-images\n" HINT("release") },
    { "serin does not guess between all and some", { "serin", "release", "--all", ONE }, "", 2, "",
      "Error: please supply either --all or --workload, not both\n" SERIN_HINT("release") },
    { "serin does not release what is dry", { "serin", "release", ONE, "--interactive", "--dry-run" }, "", 2, "",
      "Error: cannot use --interactive with --dry-run: it shows what would be released, and asks\n" SERIN_HINT("release") },
    { "the menu needs a terminal", { "fluxctl", "release", ONE, "--interactive" }, "", 1, "",
      "Error: --interactive needs a terminal\n" HINT("release") },
    { "release knows two formats", { "serin", "release", ONE, "-o", "xml" }, "", 2, "",
      "Error: invalid output format specified: it is text or json\n" SERIN_HINT("release") },
    { "a workload is checked before the image", { "fluxctl", "release", "--workload", "x", "-i", "a" }, "", 1, "",
      "Error: parsing x: invalid service ID\n" HINT("release") },
    { "an image is checked before what is excluded", { "fluxctl", "release", "--all", "-i", "a", "--exclude", "x" }, "", 1, "",
      "Error: blank tag (if you want latest, explicitly state the tag :latest): invalid image ID\n" HINT("release") },
    { "what is excluded is checked", { "fluxctl", "release", "--all", "-i", "a:1", "--exclude", "x" }, "", 1, "",
      "Error: parsing x: invalid service ID\n" HINT("release") },

    { "a release is submitted, waited for and shown", { "fluxctl", "release", ONE, "--user", "Ann", "-m", "why <not>" },
      SUBMIT "> {\"type\":\"image\",\"cause\":{\"Message\":\"why \\u003cnot\\u003e\",\"User\":\"Ann\"},\"spec\":{\"ServiceSpecs\":[\"demo:deployment/web\"],"
      "\"ImageSpec\":\"r.io/app:2\",\"Kind\":\"execute\",\"Excludes\":null,\"Force\":false}}\n" QUEUED DONE(WEB) APPLIED, 0, WEB_TABLE,
      "Submitting release ...\n" COMMITTED },
    { "without git's identity nobody is named", { "fluxctl", "release", ONE },
      SUBMIT "> ...\"cause\":{\"Message\":\"\",\"User\":\"\"}\n" DONE(WEB) APPLIED, 0, WEB_TABLE, "Submitting release ...\n" COMMITTED },
    { "--controller is --workload", { "fluxctl", "release", "-n", "demo", "-c", "deployment/web", "-i", "r.io/app:2" },
      SUBMIT "> ...\"ServiceSpecs\":[\"demo:deployment/web\"]\n" DONE(WEB) APPLIED, 0, WEB_TABLE,
      "Flag --controller has been deprecated, changed to --workload, use that instead\nSubmitting release ...\n" COMMITTED },
    { "a dry run is not waited for", { "serin", "release", ONE, "--dry-run" },
      SUBMIT "> ...\"Kind\":\"plan\"\n" PLANNED(WEB), 0, WEB_TABLE, "Submitting dry-run release ...\n" },
    { "a dry run of nothing is 1", { "serin", "release", ONE, "--dry-run", "-v" },
      SUBMIT PLANNED(LOCKED), 1, "WORKLOAD            STATUS   UPDATES\ndemo:deployment/db  skipped  locked\n", "Submitting dry-run release ...\n" },
    { "a dry run of nothing is 0 for fluxctl", { "fluxctl", "release", ONE, "--dry-run" },
      SUBMIT PLANNED(LOCKED), 0, "WORKLOAD   STATUS   UPDATES\n", "Submitting dry-run release ...\n" },
    { "a result without workloads is nothing", { "fluxctl", "release", ONE },
      SUBMIT JOB "{\"Result\":{},\"Err\":\"\",\"StatusString\":\"succeeded\"}\n", 0, "", "Submitting release ...\nNothing to do\n" },
    { "a failed release is an error", { "fluxctl", "release", ONE }, SUBMIT FAILED("no changes made in repo"), 1, "",
      "Submitting release ...\nError: no changes made in repo\n" HINT("release") },
    { "serin says why nothing was released", { "serin", "release", ONE },
      SUBMIT FAILED("no changes made in repo") SUBMIT "> ...\"Kind\":\"plan\"\n" PLANNED(LOCKED), 1,
      "WORKLOAD            STATUS   UPDATES\ndemo:deployment/db  skipped  locked\n",
      "Submitting release ...\nError: no changes made in repo\n" },
    { "what failed otherwise is not explained by a plan", { "serin", "release", ONE },
      SUBMIT FAILED("git push: refused") SUBMIT PLANNED(WEB), 1, "", "Submitting release ...\nError: git push: refused\n" },
    { "a plan that is refused explains nothing", { "serin", "release", ONE },
      SUBMIT FAILED("no changes made in repo") "POST /api/flux/v9/update-manifests 422 {\"type\":\"user\",\"help\":\"Long\\n\",\"error\":\"short\"}\n", 1, "",
      "Submitting release ...\nError: no changes made in repo\n" },
    { "a refused plan explains itself", { "fluxctl", "release", ONE, "--dry-run" },
      "POST /api/flux/v9/update-manifests 422 {\"type\":\"user\",\"help\":\"Long\\nstory\\n\",\"error\":\"short\"}\n", 1, "",
      "Submitting dry-run release ...\n== Error ==\n\nLong\nstory\n\n" },
    { "a daemon that names no job is not understood", { "serin", "release", ONE }, "POST /api/flux/v9/update-manifests 200 {}\n", 2, "",
      "Submitting release ...\nError: the daemon's answer is not what it should be: no job\n" },
    { "a job that does not end in time", { "fluxctl", "release", ONE, "--timeout", "500ms" }, SUBMIT "*" QUEUED, 1, "",
      "Submitting release ...\n\nNo result came in time. The change may have been made, or may still be made: look at\nthe cluster or at the log of "
      "the repository. To ask for it again does no harm.\nError: timeout\n" HINT("release") },
    { "a commit that is not applied in time", { "fluxctl", "release", ONE, "--timeout", "500ms" }, SUBMIT DONE(WEB) WAITING, 0, WEB_TABLE,
      "Submitting release ...\n" PUSHED "\nThe commit was pushed, and was not seen to be applied in time. That need not be an error.\n"
      "To go on waiting:\n\n    fluxctl sync\n" },
    { "a commit that is not applied in time is 1 for serin", { "serin", "release", ONE, "--timeout", "500ms" }, SUBMIT DONE(WEB) WAITING, 1,
      WEB_TABLE, "Submitting release ...\n" PUSHED "\nThe commit was pushed, and was not seen to be applied in time. That need not be an error.\n"
      "To go on waiting:\n\n    serin sync\n" },
    { "an error while waiting for the commit is one", { "fluxctl", "release", ONE }, SUBMIT DONE(WEB)
      "GET /api/flux/v6/sync?ref=" SHA " 422 {\"type\":\"user\",\"error\":\"fatal: bad revision\"}\n", 1, WEB_TABLE,
      "Submitting release ...\n" PUSHED "Error: fatal: bad revision\n" HINT("release") },
    { "a failed workload is 1 for serin", { "serin", "release", ONE }, SUBMIT DONE(WEB ",\"demo:deployment/x\":{\"Status\":\"failed\",\"Error\":\"odd\"}") APPLIED,
      1, "WORKLOAD             STATUS   UPDATES\ndemo:deployment/web  success  web: r.io/app:1 -> 2\ndemo:deployment/x    failed   odd\n",
      "Submitting release ...\n" COMMITTED },

    { "a rollout is followed until it is ready", { "fluxctl", "release", ONE, "--watch", "-v" },
      SUBMIT DONE(WEB) APPLIED ROLLOUT("updating", "1", "null") ROLLOUT("updating", "1", "null") ROLLOUT("ready", "2", "null"), 0,
      WEB_TABLE STATE("updating", "1/2 (1 outdated, 1 ready)") STATE("updating", "1/2 (1 outdated, 1 ready)")
      "WORKLOAD             CONTAINER  IMAGE       RELEASE  REPLICAS\ndemo:deployment/web  web        r.io/app:2  ready    2/2 (1 outdated, 1 ready)\n\n",
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nAll workloads ready.\n" },
    { "serin shows what differs", { "serin", "release", ONE, "--watch" },
      NO_CANARIES SUBMIT DONE(WEB) APPLIED ROLLOUT("updating", "1", "null") ROLLOUT("updating", "1", "null") ROLLOUT("ready", "2", "null"), 0,
      WEB_TABLE STATE("updating", "1/2") STATE_READY, "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nAll workloads ready.\n" },
    { "a rollout in trouble is told", { "fluxctl", "release", ONE, "--watch" },
      SUBMIT DONE(WEB) APPLIED ROLLOUT("error", "1", "[\"no quota\",\"at all\"]"), 0,
      WEB_TABLE "WORKLOAD             CONTAINER  IMAGE       RELEASE  REPLICAS\ndemo:deployment/web  web        r.io/app:2  error    1/2\n\n",
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nThere was a problem releasing demo:deployment/web:\nno quota\nat all\n" },
    { "a rollout in trouble is 1 for serin", { "serin", "release", ONE, "--watch" },
      "GET /api/serin/v1/canaries 404 {\"error\":\"no such route\"}\n" SUBMIT DONE(WEB) APPLIED ROLLOUT("error", "1", "[\"no quota\"]"), 1,
      WEB_TABLE "WORKLOAD             CONTAINER  IMAGE       RELEASE  REPLICAS\ndemo:deployment/web  web        r.io/app:2  error    1/2\n\n",
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nThere was a problem releasing demo:deployment/web:\nno quota\n" },
    { "a workload that is gone is not ready for serin", { "serin", "release", ONE, "--watch" },
      NO_CANARIES SUBMIT DONE(WEB) APPLIED SERVICES "null\n", 1, WEB_TABLE,
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\ndemo:deployment/web is not in the cluster\n" },
    { "an error while watching explains itself", { "fluxctl", "release", ONE, "--watch" },
      SUBMIT DONE(WEB) APPLIED "GET /api/flux/v11/services 422 {\"type\":\"user\",\"help\":\"Long\\nstory\\n\",\"error\":\"short\"}\n", 1, WEB_TABLE,
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\n== Error ==\n\nLong\nstory\n\n" },
    { "serin follows a canary to its end", { "serin", "release", ONE, "--watch" },
      CANARY("Succeeded", "0", "old") SUBMIT DONE(WEB) APPLIED ROLLOUT("ready", "2", "null") CANARY("Succeeded", "0", "old")
      CANARY("Progressing", "30", "Advance") CANARY("Succeeded", "0", "Promotion completed"), 0, WEB_TABLE STATE_READY,
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nAll workloads ready.\ncanary demo/web: Succeeded, weight 0; old\n"
      "canary demo/web: Progressing, weight 30; Advance\ncanary demo/web: Succeeded, weight 0; Promotion completed\n" },
    { "a canary that fails is 1", { "serin", "release", ONE, "--watch" },
      CANARY("Initialized", "0", "") SUBMIT DONE(WEB) APPLIED ROLLOUT("ready", "2", "null") CANARY("Failed", "0", "Rolling back"), 1,
      WEB_TABLE STATE_READY,
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nAll workloads ready.\ncanary demo/web: Failed, weight 0; Rolling back\n" },

    { "JSON is one value on stdout", { "serin", "release", ONE, "-o", "json" }, SUBMIT DONE(WEB) APPLIED, 0,
      "{\"job\":\"id-1\",\"status\":\"succeeded\",\"error\":\"\",\"revision\":\"" SHA "\",\"applied\":true,\"result\":{" WEB "},\"dryRun\":false}\n",
      "Submitting release ...\n" COMMITTED },
    { "JSON tells of the failure", { "serin", "release", ONE, "-o", "json" },
      SUBMIT FAILED("no changes made in repo") SUBMIT PLANNED(LOCKED), 1,
      "{\"job\":\"id-1\",\"status\":\"failed\",\"error\":\"no changes made in repo\",\"revision\":\"\",\"applied\":false,\"result\":null,\"dryRun\":false,\"why\":{" LOCKED "}}\n",
      "Submitting release ...\nError: no changes made in repo\n" },
    { "JSON has the rollout", { "serin", "release", ONE, "-o", "json", "--watch" },
      NO_CANARIES SUBMIT DONE(WEB) APPLIED SERVICES "[{\"ID\":\"demo:deployment/web\",\"Status\":\"ready\"}]\n", 0,
      "{\"job\":\"id-1\",\"status\":\"succeeded\",\"error\":\"\",\"revision\":\"" SHA "\",\"applied\":true,\"result\":{" WEB "},\"dryRun\":false,"
      "\"workloads\":[{\"ID\":\"demo:deployment/web\",\"Status\":\"ready\"}]}\n",
      "Submitting release ...\n" COMMITTED "Monitoring rollout ...\nAll workloads ready.\n" },

    { "a policy wants a workload", { "serin", "lock" }, "", 2, "", "Error: -w, --workload is required\n" SERIN_HINT("lock") },
    { "a policy takes no arguments", { "fluxctl", "automate", "x" }, "", 1, "", "Error: expected no (non-flag) arguments\n" HINT("automate") },
    { "automation is not both", { "fluxctl", "policy", "-w", "a:deployment/b", "--automate", "--deautomate" }, "", 1, "",
      "Error: automate and deautomate both specified\n" HINT("policy") },
    { "a policy takes one workload", { "fluxctl", "lock", "-w", "deployment/a", "-c", "deployment/b" }, "", 1, "",
      "Flag --controller has been deprecated, changed to --workload, use that instead\n"
      "Error: can't specify both the controller and workload\n" HINT("lock") },
    { "locks are not both", { "fluxctl", "policy", "-w", "a:deployment/b", "--lock", "--unlock" }, "", 1, "",
      "Error: lock and unlock both specified\n" HINT("policy") },
    { "the workload is checked before the tags", { "fluxctl", "policy", "-w", "b", "--tag", "x" }, "", 1, "",
      "Error: parsing b: invalid service ID\n" HINT("policy") },
    { "a tag filter is a pair", { "serin", "policy", "-w", "a:deployment/b", "--tag", "x" }, "", 2, "",
      "Error: invalid container/tag pair: \"x\". Expected format is 'container=filter'\n" SERIN_HINT("policy") },
    { "a tag filter has a container", { "serin", "policy", "-w", "a:deployment/b", "--tag", "=x" }, "", 2, "",
      "Error: invalid container/tag pair: \"=x\". Expected format is 'container=filter'\n" SERIN_HINT("policy") },
    { "fluxctl's tag filters hold no =", { "fluxctl", "policy", "-w", "a:deployment/b", "--tag", "c=semver:>=1" }, "", 1, "",
      "Error: invalid container/tag pair: \"c=semver:>=1\". Expected format is 'container=filter'\n" HINT("policy") },
    { "serin's tag filters may hold one", { "serin", "policy", "-w", "a:deployment/b", "--tag", "c=semver:>=1", "--user", "" },
      SUBMIT "> {\"type\":\"policy\",\"cause\":{\"Message\":\"\",\"User\":\"\"},\"spec\":{\"a:deployment/b\":{\"add\":{\"tag.c\":\"semver:\\u003e=1\"},\"remove\":{}}}}\n"
      PLANNED("\"a:deployment/b\":{\"Status\":\"skipped\",\"PerContainer\":null}"), 0,
      "WORKLOAD        STATUS   UPDATES\na:deployment/b  skipped  \n", "" },
    { "regex is regexp, no word is glob", { "fluxctl", "policy", "-w", "a:deployment/b", "--tag", "c=regex:^v,d=1.*", "--tag-all", "x" },
      SUBMIT "> ...{\"add\":{\"tag.c\":\"regexp:^v\",\"tag.d\":\"glob:1.*\",\"tag_all\":\"glob:x\"},\"remove\":{}}\n" PLANNED(""), 0,
      "WORKLOAD   STATUS   UPDATES\n", "" },
    { "serin asks what to change", { "serin", "policy", "-w", "a:deployment/b" }, "", 2, "",
      "Error: please say what to change: --automate, --lock, --tag, …\n" SERIN_HINT("policy") },
    { "a lock by nobody has no name", { "fluxctl", "lock", "-w", "a:deployment/b", "-m", "x" },
      SUBMIT "> ...{\"add\":{\"locked\":\"true\"},\"remove\":{}}\n" PLANNED(""), 0, "WORKLOAD   STATUS   UPDATES\n", "" },
    { "a policy is pushed and not waited for", { "serin", "automate", "-n", "a", "-w", "deployment/b" },
      SUBMIT DONE("\"a:deployment/b\":{\"Status\":\"success\",\"PerContainer\":null}"), 0,
      "WORKLOAD        STATUS   UPDATES\na:deployment/b  success  \n", PUSHED },
    { "a policy that fails is 1", { "serin", "automate", "-w", "a:deployment/b" }, SUBMIT FAILED("odd"), 1, "", "Error: odd\n" },
    { "a policy as JSON", { "serin", "unlock", "-w", "a:deployment/b", "-o", "json" }, SUBMIT PLANNED(""), 0,
      "{\"job\":\"id-1\",\"status\":\"succeeded\",\"error\":\"\",\"revision\":\"\",\"applied\":false,\"result\":{}}\n", "" },

    { "images of one workload", { "serin", "list-images", "-w", "a:deployment/b", "-l", "2" },
      "GET /api/flux/v10/images?containerFields=&namespace=&service=a:deployment/b 200 [{\"ID\":\"a:deployment/b\",\"Containers\":[{\"Name\":\"c\","
      "\"Current\":{\"ID\":\"r.io/c:1\"},\"Available\":[{\"ID\":\"r.io/c:4\",\"CreatedAt\":\"2026-03-04T05:06:07.5Z\"},{\"ID\":\"r.io/c:3\"},{\"ID\":\"r.io/c:2\"},"
      "{\"ID\":\"r.io/c:1\"},{\"ID\":\"r.io/c:0\"}]},{\"Name\":\"d\",\"Current\":{\"ID\":\"d:1\"},\"AvailableError\":\"no key\"},{\"Name\":\"e\",\"Current\":{\"ID\":\"\"},"
      "\"Available\":[{\"ID\":\":v1\",\"CreatedAt\":\"0001-01-01T00:00:00Z\"}]}]},{\"ID\":\"a:cronjob/a\",\"Containers\":null}]\n", 0,
      "WORKLOAD        CONTAINER  IMAGE                   CREATED\n"
      "a:cronjob/a                                        \n"
      "a:deployment/b  c          r.io/c                  \n"
      "                           |   4                   04 Mar 26 05:06 UTC\n"
      "                           |   3                   \n"
      "                           : (1 image(s) omitted)  \n"
      "                           '-> 1                   \n"
      "                d          d                       no key\n"
      "                           '-> 1                   ?\n"
      "                e                                  \n"
      "                           |   v1                  \n"
      "                           '-> (untagged)          ?\n", "" },
    { "a limit is no debt", { "fluxctl", "list-images", "-l", "-1", "-o", "json" }, "", 1, "",
      "Error: opts.limit cannot be less than 0\n" HINT("list-images") },

    { "sync as JSON", { "fluxctl", "sync", "-o", "json" },
      "POST /api/flux/v9/git-repo-config 200 {\"remote\":{\"url\":\"u\",\"branch\":\"b\"},\"status\":\"ready\"}\n" SUBMIT
      JOB "{\"Result\":{\"revision\":\"" SHA "\"},\"Err\":\"\",\"StatusString\":\"succeeded\"}\nGET /api/flux/v6/sync?ref=b2e5d1c 200 []\n", 0,
      "{\"url\":\"u\",\"branch\":\"b\",\"revision\":\"" SHA "\",\"applied\":true}\n",
      "Synchronizing with u\nRevision of b to apply is b2e5d1c\nWaiting for b2e5d1c to be applied ...\nDone.\n" },
    { "identity as JSON", { "serin", "identity", "-o", "json" }, "POST /api/flux/v9/git-repo-config 200 {\"publicSSHKey\":{\"key\":\"k\\n\",\"fingerprints\":null}}\n",
      0, "{\"key\":\"k\\n\",\"fingerprints\":null}\n", "" },
    /* clang-format on */
};

static const char *url_env(struct arena *mem, const struct program_daemon *daemon)
{
    return arena_printf(mem, "FLUX_URL=http://127.0.0.1:%d/api/flux", program_daemon_port(daemon));
}

static void command_says(void **state)
{
    const struct release_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_daemon *daemon = program_daemon_start(row->script);
    struct program_result result;
    const char *env[] = { url_env(mem, daemon), "GIT_CONFIG_NOSYSTEM=1",
                          "GIT_CEILING_DIRECTORIES=/", NULL };
    const char *argv[ARGS_MAX + 1] = { NULL };
    memcpy(argv, row->args, sizeof(row->args));
    program_run(mem, &(struct program_run){ .argv = argv, .env = env, .cwd = "/" }, &result);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    assert_string_equal(result.err, row->err);
    assert_string_equal(result.out, row->out);
    assert_int_equal(result.status, row->status);
}

/* -- the menu on a terminal ------------------------------------------------------------------------- */

#define PLAN     SUBMIT "> ...\"Kind\":\"plan\"\n" PLANNED(WEB "," SIDE "," LOCKED)
#define SELECTED "POST /api/flux/v9/update-manifests 200 \"id-2\"\n"
#define SELECTED_DONE                                                                          \
    "GET /api/flux/v6/jobs?id=id-2 200 {\"Result\":{\"revision\":\"" SHA "\",\"result\":{" WEB \
    "}},\"Err\":\"\",\"StatusString\":\"succeeded\"}\n" APPLIED
#define SPEC(containers)                                                                      \
    "> "                                                                                      \
    "{\"type\":\"containers\",\"cause\":{\"Message\":\"\",\"User\":\"\"},\"spec\":{\"Kind\":" \
    "\"execute\",\"ContainerSpecs\":{" containers "},\"SkipMismatches\":false,\"Force\":false}}\n"
#define OF_WEB                                                            \
    "\"demo:deployment/web\":[{\"Container\":\"web\",\"Current\":\"r.io/" \
    "app:1\",\"Target\":\"r.io/app:2\"}]"
#define OF_A "{\"Container\":\"a\",\"Current\":\"r.io/a:1\",\"Target\":\"r.io/a:2\"}"
#define OF_B "{\"Container\":\"b\",\"Current\":\"r.io/b:1\",\"Target\":\"r.io/b:2\"}"
#define DIGEST(a)                                                   \
    "sha256:" a "123456789abcdef0123456789abcdef0123456789abcdef01" \
    "23456789abcdef"
#define PINNED                                                                             \
    "\"demo:deployment/pinned\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":" \
    "\"p\",\"Current\":\"r.io/p:1\",\"CurrentDigest\":\"" DIGEST(                          \
        "0") "\",\"Target\":\"r.io/p:2\",\"TargetDigest\":\"" DIGEST("f") "\"}]}"
#define OF_PINNED                                                                      \
    "\"demo:deployment/pinned\":[{\"Container\":\"p\",\"Current\":\"r.io/p:1@" DIGEST( \
        "0") "\",\"Target\":\"r.io/p:2@" DIGEST("f") "\"}]"
#define MENU_OF_THREE                                                               \
    "    WORKLOAD              STATUS   UPDATES\033[K\r\n"                          \
    "⇒ ◉ demo:deployment/side  success  a: r.io/a:1 -> 2\033[K\r\n"             \
    "  ◉                                b: r.io/b:1 -> 2\033[K\r\n"               \
    "  ◉ demo:deployment/web   success  web: r.io/app:1 -> 2\033[K\r\n\033[K\r\n" \
    "Use arrow keys and [Space] to toggle updates; hit [Enter] to release selected."

/* Keys typed once the menu is there; texts that the screen has to show, in this order. */
static const struct menu_case {
    const char *name, *face, *keys, *script;
    int status;
    const char *shown[6];
    int signal; /* sent in place of the keys */
} menu_cases[] = {
    /* clang-format off */
    { "all updates are selected to begin with", "fluxctl", "\r", PLAN SELECTED SPEC("\"demo:deployment/side\":[" OF_A "," OF_B "]," OF_WEB) SELECTED_DONE, 0,
      { "Submitting dry-run release ...", MENU_OF_THREE, "Submitting selected release ...", "Commit applied:" }, 0 },
    { "what is toggled off is not released", "fluxctl", " \033[B \r", PLAN SELECTED SPEC(OF_WEB) SELECTED_DONE, 0,
      { "⇒ ◯ demo:deployment/side", "⇒ ◯                                b:", "Submitting selected release ..." }, 0 },
    { "the cursor wraps", "serin", "k \033[B \r", PLAN SELECTED SPEC("\"demo:deployment/side\":[" OF_B "]") SELECTED_DONE, 0,
      { "⇒ ◯ demo:deployment/web", "⇒ ◯ demo:deployment/side" }, 0 },
    { "a tag and a digest are released together", "serin", "\r", SUBMIT "> ...\"Kind\":\"plan\"\n" PLANNED(PINNED) SELECTED SPEC(OF_PINNED) SELECTED_DONE, 0,
      { "p: r.io/p:1@sha256:0123456789", "Submitting selected release ..." }, 0 },
    { "q gives up", "fluxctl", "q", PLAN, 0, { MENU_OF_THREE, "Aborted." }, 0 },
    { "ctrl-C gives up, and is 1 for serin", "serin", "\003", PLAN, 1, { MENU_OF_THREE, "Aborted." }, 0 },
    { "a signal leaves the terminal as it was", "serin", "", PLAN, 128 + SIGTERM, { MENU_OF_THREE, "\033[?25h" }, SIGTERM },
    { "nothing selected is nothing released", "serin", " j j \r", PLAN, 1, { "Nothing was selected." }, 0 },
    { "nothing to select is said", "fluxctl", "", SUBMIT PLANNED(LOCKED), 0, { "Submitting dry-run release ...", "No changes found." }, 0 },
    { "a plan that fails needs no menu", "fluxctl", "", SUBMIT FAILED("odd"), 1, { "Submitting dry-run release ...", "Error: odd" }, 0 },
    /* clang-format on */
};

/* Everything the terminal shows until the program has ended; the keys are typed when the menu asks for them. */
static const char *use_terminal(struct arena *mem, int terminal, pid_t pid,
                                const struct menu_case *row)
{
    SBUF(screen, SCREEN_BYTES);
    char piece[4096];
    ssize_t got;
    bool is_typed = false;
    while ((got = read(terminal, piece, sizeof(piece))) > 0) {
        sbuf_add_bytes(&screen, piece, (size_t)got);
        if (!is_typed && strstr(sbuf_text(&screen), "release selected.")) {
            is_typed = true;
            if (row->signal)
                kill(pid, row->signal);
            assert_int_equal(write(terminal, row->keys, strlen(row->keys)), strlen(row->keys));
        }
    }
    return arena_strndup(mem, sbuf_text(&screen), screen.len);
}

static void be_program(const char *face, const char *url)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "PATH=%s", getenv("PATH"));
    const char *argv[] = { face, "release", "--all", "--update-all-images", "--interactive", NULL };
    const char *env[] = { url, path, "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", NULL };
    if (chdir("/"))
        _exit(126);
    execve(SERIN_PROGRAM, (char *const *)argv, (char *const *)env);
    _exit(127);
}

static void menu_gives(void **state)
{
    const struct menu_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_daemon *daemon = program_daemon_start(row->script);
    struct winsize size = { .ws_row = 24, .ws_col = 100 };
    const char *url = url_env(mem, daemon);
    int terminal, status;
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    assert_true(pid >= 0);
    if (pid == 0)
        be_program(row->face, url);
    const char *screen = use_terminal(mem, terminal, pid, row), *at = screen;
    close(terminal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_string_equal(program_daemon_end(mem, daemon), "");
    for (size_t i = 0; i < ARRAY_LEN(row->shown) && row->shown[i]; i++) {
        const char *found = strstr(at, row->shown[i]);
        if (!found)
            fail_msg("'%s' is not shown, or too early:\n%s", row->shown[i], screen);
        at = found + strlen(row->shown[i]);
    }
    /* The cursor comes back. */
    if (strstr(screen, "\033[?25l"))
        assert_non_null(strstr(screen, "\033[?25h"));
    assert_int_equal(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                     row->status);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(release_cases, command_says),
        ROWS(menu_cases, menu_gives),
    };
    return rows_run("release", tests, ARRAY_LEN(tests));
}
