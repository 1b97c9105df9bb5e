/* Which workloads an update is of, which image each container gets, which annotations are written: every row of the rules. */
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "release/select.h"

/* --- the world of the cases */

#define META(name, annotations) \
    "metadata: {name: " name ", namespace: demo, annotations: {" annotations "}}\n"
#define POD(containers)     "spec: {template: {spec: {" containers "}}}\n"
#define DEPLOY              "---\napiVersion: apps/v1\nkind: Deployment\n"
#define ONE(name, image)    "containers: [{name: " name ", image: '" image "'}]"
#define APP(name, notes, i) DEPLOY META(name, notes) POD(ONE("app", i))

#define LOCKED "fluxcd.io/locked: 'true'"
#define WEB                                                                           \
    DEPLOY META("web", "fluxcd.io/tag.web: 'semver:~1'")                              \
        POD("containers: [{name: web, image: 'r.io/app:1.0.0'}, {name: side, image: " \
            "'r.io/side:1'}]")
#define THIRD                                                                    \
    "---\napiVersion: apps/v1\nkind: StatefulSet\n" META("third", "")            \
        POD("initContainers: [{name: init, image: 'r.io/side:1'}], containers: " \
            "[{name: app, image: 'r.io/app:1.0.0'}]")
#define MAP   "---\napiVersion: v1\nkind: ConfigMap\n" META("map", "")
#define WORLD WEB APP("locked", LOCKED, "r.io/app:1.0.0") THIRD MAP

#define D(n) n n n n n n n n
#define D1   D("11111111")
#define D2   D("22222222")

/* By name: tags from the oldest to the newest. ? : without metadata; ! : not for our platforms; ~ : without a time; = : D2. */
static const struct tags {
    const char *name, *tags;
    const char *error; /* of the last scan; NULL: none */
    bool is_incomplete, is_missing;
} registry[] = {
    { .name = "r.io/app", .tags = "1.0.0 1.1.0 1.2.0 2.0.0" },
    { .name = "r.io/side", .tags = "1 2" },
    { .name = "r.io/half", .tags = "1 2 3?" },
    { .name = "r.io/older", .tags = "1? 2? 3 4!" },
    { .name = "r.io/arm", .tags = "1 2 3!" },
    { .name = "r.io/timeless", .tags = "1~ 2~" },
    { .name = "r.io/pinned", .tags = "1= 2=" },
    { .name = "r.io/weak", .tags = "1 2" },
    { .name = "index.docker.io/library/nginx", .tags = "1.18 1.19" },
    { .name = "r.io/moving", .tags = "latest" },
    { .name = "r.io/down", .tags = "", .error = "connection refused", .is_incomplete = true },
    { .name = "r.io/down-now", .tags = "1", .error = "connection refused" },
    { .name = "r.io/slow", .tags = "", .is_incomplete = true },
    { .name = "r.io/unknown",
      .tags = "",
      .error = "status 404",
      .is_incomplete = true,
      .is_missing = true },
};

#define IMAGE(workloads, image, more)                                                       \
    "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[" workloads "],\"ImageSpec\":\"" image \
    "\",\"Kind\":\"execute\"" more "}}"
#define ALL      "\"<all>\""
#define LATEST   "<all latest>"
#define W(name)  "\"demo:deployment/" name "\""
#define FORCE    ",\"Force\":true"
#define NOT(ids) ",\"Excludes\":[" ids "]"

#define CONTAINERS(specs, more)                                                                   \
    "{\"type\":\"containers\",\"spec\":{\"Kind\":\"execute\",\"ContainerSpecs\":{" specs "}" more \
    "}}"
#define C(name, current, target) \
    "{\"Container\":\"" name "\",\"Current\":\"" current "\",\"Target\":\"" target "\"}"
#define AUTO(changes) "{\"type\":\"auto\",\"spec\":{\"Changes\":[" changes "]}}"
#define CHANGE(w, c, from, to)                                                     \
    "{\"WorkloadID\":" W(w) ",\"Container\":{\"Name\":\"" c "\",\"Image\":\"" from \
                            "\"},\"ImageID\":\"" to "\"}"
#define POLICY(id, add, remove) \
    "{\"type\":\"policy\",\"spec\":{\"" id "\":{\"add\":{" add "},\"remove\":{" remove "}}}}"

/* result: per workload a line `<id without demo:> <status> <error>`, per change ` <container> <from> <to>`, and where the files are
 * to be changed ` + <id> <container>=<image>` or ` + <id> <annotations>`. git NULL: WORLD; live NULL: as in git. */
static const struct select_case {
    const char *name, *spec, *git, *live, *result, *error;
} cases[] = {
    /* which workloads */
    { "not included", IMAGE(W("web"), "r.io/side:2", ""), NULL, NULL,
      "deployment/locked ignored not included\n"
      "deployment/web success  side r.io/side:1 r.io/side:2\n"
      "statefulset/third ignored not included\n"
      "+ deployment/web side=r.io/side:2\n",
      NULL },
    { "excluded", IMAGE(ALL, "r.io/side:2", NOT(W("web"))), NULL, NULL,
      "deployment/locked ignored a different image\n"
      "deployment/web ignored excluded\n"
      "statefulset/third success  init r.io/side:1 r.io/side:2\n"
      "+ statefulset/third init=r.io/side:2\n",
      NULL },
    { "named, and excluded all the same", IMAGE(W("web"), "r.io/side:2", NOT(W("web"))), WEB, NULL,
      "deployment/web ignored excluded\n", NULL },
    { "all wins over names", IMAGE(W("web") "," ALL, "r.io/app:1.1.0", ""),
      WEB APP("x", "", "r.io/app:1.0.0"), NULL,
      "deployment/web success  web r.io/app:1.0.0 r.io/app:1.1.0\n"
      "deployment/x success  app r.io/app:1.0.0 r.io/app:1.1.0\n"
      "+ deployment/web web=r.io/app:1.1.0\n+ deployment/x app=r.io/app:1.1.0\n",
      NULL },
    { "not in the cluster", IMAGE(W("web"), "r.io/side:2", ""), WEB, MAP,
      "deployment/web skipped not accessible in cluster\n", NULL },
    { "in the cluster without images", IMAGE(W("web"), "r.io/side:2", ""), WEB,
      DEPLOY META("web", "") POD("containers: []"),
      "deployment/web ignored not accessible in cluster\n", NULL },
    { "a different image", IMAGE(W("x"), "r.io/side:2", ""), APP("x", "", "r.io/app:1.0.0"), NULL,
      "deployment/x ignored a different image\n", NULL },
    { "a different image before a lock", IMAGE(ALL, "r.io/side:2", ""),
      APP("x", LOCKED, "r.io/app:1.0.0"), NULL, "deployment/x ignored a different image\n", NULL },
    { "a lock of the manifest counts, not of the cluster", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/app:1.0.0") APP("z", LOCKED, "r.io/app:1.0.0"),
      APP("x", LOCKED, "r.io/app:1.0.0") APP("z", "", "r.io/app:1.0.0"),
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\ndeployment/z skipped locked\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "what is to be ignored in the cluster", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/app:1.0.0"), APP("x", "fluxcd.io/ignore: 'true'", "r.io/app:1.0.0"),
      "deployment/x skipped ignore\n", NULL },
    { "sync_only keeps nothing away", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/app:1.0.0"),
      APP("x", "fluxcd.io/ignore: sync_only", "r.io/app:1.0.0"),
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "named, not in the repository", IMAGE(W("nope") "," W("x"), LATEST, ""),
      APP("x", "", "r.io/app:2.0.0"), NULL,
      "deployment/nope skipped not found in repository\n"
      "deployment/x skipped image(s) up to date\n",
      NULL },
    { "named, and no workload", IMAGE("\"demo:configmap/map\"", LATEST, ""), MAP, NULL,
      "configmap/map skipped not found in repository\n", NULL },
    { "declared twice", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/app:1.0.0") WEB WEB, NULL,
      "deployment/web skipped declared more than once in the repository\n"
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },

    /* force: locks and filters */
    { "named, one image: a lock", IMAGE(W("locked"), "r.io/app:1.1.0", ""),
      APP("locked", LOCKED, "r.io/app:1.0.0"), NULL, "deployment/locked skipped locked\n", NULL },
    { "named, one image, forced: no lock", IMAGE(W("locked"), "r.io/app:1.1.0", FORCE),
      APP("locked", LOCKED, "r.io/app:1.0.0"), NULL,
      "deployment/locked success  app r.io/app:1.0.0 r.io/app:1.1.0\n"
      "+ deployment/locked app=r.io/app:1.1.0\n",
      NULL },
    { "named, one image: a filter", IMAGE(W("x"), "r.io/app:2.0.0", ""),
      APP("x", "fluxcd.io/tag.app: 'semver:~1'", "r.io/app:1.0.0"), NULL,
      "deployment/x skipped cannot find one or more images\n", NULL },
    { "named, one image, forced: no filter", IMAGE(W("x"), "r.io/app:2.0.0", FORCE),
      APP("x", "fluxcd.io/tag.app: 'semver:~1'", "r.io/app:1.0.0"), NULL,
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "named, all images: a lock", IMAGE(W("locked"), LATEST, ""),
      APP("locked", LOCKED, "r.io/app:1.0.0"), NULL, "deployment/locked skipped locked\n", NULL },
    { "named, all images, forced: no lock", IMAGE(W("locked"), LATEST, FORCE),
      APP("locked", LOCKED, "r.io/app:1.0.0"), NULL,
      "deployment/locked success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/locked app=r.io/app:2.0.0\n",
      NULL },
    { "named, all images, forced: a filter", IMAGE(W("x"), LATEST, FORCE),
      APP("x", "fluxcd.io/tag.app: 'semver:~1'", "r.io/app:1.0.0"), NULL,
      "deployment/x success  app r.io/app:1.0.0 r.io/app:1.2.0\n"
      "+ deployment/x app=r.io/app:1.2.0\n",
      NULL },
    { "all, one image: a lock", IMAGE(ALL, "r.io/app:1.1.0", ""),
      APP("locked", LOCKED, "r.io/app:1.0.0"), NULL, "deployment/locked skipped locked\n", NULL },
    { "all, one image, forced: a lock", IMAGE(ALL, "r.io/app:1.1.0", FORCE),
      APP("locked", LOCKED, "r.io/app:1.0.0"), NULL, "deployment/locked skipped locked\n", NULL },
    { "all, one image: a filter", IMAGE(ALL, "r.io/app:2.0.0", ""),
      APP("x", "fluxcd.io/tag.app: 'semver:~1'", "r.io/app:1.0.0"), NULL,
      "deployment/x skipped cannot find one or more images\n", NULL },
    { "all, one image, forced: no filter", IMAGE(ALL, "r.io/app:2.0.0", FORCE),
      APP("x", "fluxcd.io/tag.app: 'semver:~1'", "r.io/app:1.0.0"), NULL,
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "all, all images: a lock and a filter", IMAGE(ALL, LATEST, ""), NULL, NULL,
      "deployment/locked skipped locked\n"
      "deployment/web success  web r.io/app:1.0.0 r.io/app:1.2.0 side r.io/side:1 r.io/side:2\n"
      "statefulset/third success  app r.io/app:1.0.0 r.io/app:2.0.0 init r.io/side:1 r.io/side:2\n"
      "+ deployment/web web=r.io/app:1.2.0 side=r.io/side:2\n"
      "+ statefulset/third app=r.io/app:2.0.0 init=r.io/side:2\n",
      NULL },
    { "all, all images, forced: a lock and a filter", IMAGE(ALL, LATEST, FORCE), NULL, NULL,
      "deployment/locked skipped locked\n"
      "deployment/web success  web r.io/app:1.0.0 r.io/app:1.2.0 side r.io/side:1 r.io/side:2\n"
      "statefulset/third success  app r.io/app:1.0.0 r.io/app:2.0.0 init r.io/side:1 r.io/side:2\n"
      "+ deployment/web web=r.io/app:1.2.0 side=r.io/side:2\n"
      "+ statefulset/third app=r.io/app:2.0.0 init=r.io/side:2\n",
      NULL },
    { "force does not open what is ignored everywhere", IMAGE(ALL, "r.io/app:2.0.0", FORCE),
      APP("x", "", "r.io/app:1.0.0"), APP("x", "fluxcd.io/ignore: 'true'", "r.io/app:1.0.0"),
      "deployment/x skipped ignore\n", NULL },
    { "force opens what is ignored and named", IMAGE(W("x"), "r.io/app:2.0.0", FORCE),
      APP("x", "", "r.io/app:1.0.0"), APP("x", "fluxcd.io/ignore: 'true'", "r.io/app:1.0.0"),
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },

    /* which images */
    { "an image that does not exist", IMAGE(ALL, "r.io/app:9.9.9", ""), NULL, NULL, "",
      "image \"r.io/app:9.9.9\" does not exist: invalid image ID" },
    { "an image of which nothing is known", IMAGE(ALL, "r.io/nobody:1", ""), NULL, NULL, "",
      "image \"r.io/nobody:1\" does not exist: invalid image ID" },
    { "an image that is not to be looked up", IMAGE(ALL, "r.io/excluded:1", ""), NULL, NULL, "",
      "cannot look up image \"r.io/excluded:1\": it is excluded" },
    { "an image of a registry that is down", IMAGE(ALL, "r.io/down:1", ""), NULL, NULL, "",
      "cannot look up image \"r.io/down:1\": connection refused" },
    { "an image of a registry that is down since", IMAGE(ALL, "r.io/down-now:2", ""), NULL, NULL,
      "", "cannot look up image \"r.io/down-now:2\": connection refused" },
    { "an image of a registry that is slow", IMAGE(ALL, "r.io/slow:1", ""), NULL, NULL, "",
      "cannot look up image \"r.io/slow:1\": its registry has not answered in time" },
    { "an image of which the registry knows nothing", IMAGE(ALL, "r.io/unknown:1", ""), NULL, NULL,
      "", "image \"r.io/unknown:1\" does not exist: invalid image ID" },
    { "an image that is not for our platforms", IMAGE(ALL, "r.io/arm:3", ""), NULL, NULL, "",
      "image \"r.io/arm:3\" is of no use here: it is for windows/amd64" },
    { "up to date", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/app:2.0.0"), NULL,
      "deployment/x skipped image(s) up to date\n", NULL },
    { "the last container speaks for its workload: up to date", IMAGE(ALL, LATEST, ""),
      DEPLOY META("x", "") POD("containers: [{name: a, image: 'r.io/none:1'}, {name: b, image: "
                               "'r.io/app:2.0.0'}]"),
      NULL, "deployment/x skipped image(s) up to date\n", NULL },
    { "the last container speaks for its workload: ignored", IMAGE(ALL, LATEST, ""),
      DEPLOY META("x", "") POD("containers: [{name: b, image: 'r.io/app:2.0.0'}, {name: a, image: "
                               "'r.io/none:1'}]"),
      NULL, "deployment/x ignored does not use image(s)\n", NULL },
    { "the last container speaks for its workload: unknown", IMAGE(ALL, LATEST, ""),
      DEPLOY META("x", "") POD("containers: [{name: b, image: 'r.io/app:2.0.0'}, {name: a, image: "
                               "'r.io/half:1'}]"),
      NULL, "deployment/x skipped cannot find one or more images\n", NULL },
    { "a tag without metadata, and none is the newest", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/half:1"), NULL, "deployment/x skipped cannot find one or more images\n",
      NULL },
    { "a tag without metadata that the filter leaves out", IMAGE(ALL, LATEST, ""),
      APP("x", "filter.fluxcd.io/app: 'regexp:^[12]$'", "r.io/half:1"), NULL,
      "deployment/x success  app r.io/half:1 r.io/half:2\n+ deployment/x app=r.io/half:2\n", NULL },
    { "older versions need no metadata", IMAGE(ALL, LATEST, ""),
      APP("x", "fluxcd.io/tag.app: 'semver:*'", "r.io/older:1"), NULL,
      "deployment/x success  app r.io/older:1 r.io/older:3\n+ deployment/x app=r.io/older:3\n",
      NULL },
    { "they do where times decide", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/older:1"), NULL,
      "deployment/x skipped cannot find one or more images\n", NULL },
    { "the newest version without metadata has no substitute", IMAGE(ALL, LATEST, ""),
      APP("x", "fluxcd.io/tag.app: 'semver:*'", "r.io/half:1"), NULL,
      "deployment/x skipped cannot find one or more images\n", NULL },
    { "a tag without metadata can be asked for", IMAGE(ALL, "r.io/half:3", ""),
      APP("x", "", "r.io/half:1"), NULL,
      "deployment/x success  app r.io/half:1 r.io/half:3\n+ deployment/x app=r.io/half:3\n", NULL },
    { "tags without times, and times decide", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/timeless:1"), NULL,
      "deployment/x skipped cannot find one or more images\n", NULL },
    { "tags without times, and versions decide", IMAGE(ALL, LATEST, ""),
      APP("x", "fluxcd.io/tag.app: 'semver:*'", "r.io/timeless:1"), NULL,
      "deployment/x success  app r.io/timeless:1 r.io/timeless:2\n"
      "+ deployment/x app=r.io/timeless:2\n",
      NULL },
    { "the newest is not for our platforms", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/arm:1"),
      NULL, "deployment/x success  app r.io/arm:1 r.io/arm:2\n+ deployment/x app=r.io/arm:2\n",
      NULL },
    { "an older image, if it is the newest that the filter lets through", IMAGE(ALL, LATEST, ""),
      APP("x", "fluxcd.io/tag.app: 'glob:1.1.*'", "r.io/app:2.0.0"), NULL,
      "deployment/x success  app r.io/app:2.0.0 r.io/app:1.1.0\n"
      "+ deployment/x app=r.io/app:1.1.0\n",
      NULL },
    { "an image without a tag gets one", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/app"), NULL,
      "deployment/x success  app r.io/app r.io/app:2.0.0\n+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "names keep their form", IMAGE(ALL, "index.docker.io/library/nginx:1.19", ""),
      APP("x", "", "nginx:1.18") APP("z", "", "docker.io/nginx:1.18"), NULL,
      "deployment/x success  app nginx:1.18 nginx:1.19\n"
      "deployment/z success  app docker.io/nginx:1.18 docker.io/nginx:1.19\n"
      "+ deployment/x app=nginx:1.19\n+ deployment/z app=docker.io/nginx:1.19\n",
      NULL },
    { "latest, asked for by name", IMAGE(ALL, "r.io/moving:latest", ""),
      APP("x", "", "r.io/moving:1"), NULL,
      "deployment/x success  app r.io/moving:1 r.io/moving:latest\n"
      "+ deployment/x app=r.io/moving:latest\n",
      NULL },
    { "a filter that is none keeps everything as it is", IMAGE(ALL, LATEST, ""),
      APP("x", "fluxcd.io/tag.app: 'semver:not a version'", "r.io/app:1.0.0"), NULL,
      "deployment/x skipped invalid tag pattern: \"semver:not a version\"…\n", NULL },
    { "a pin moves with its tag", IMAGE(ALL, LATEST, ""), APP("x", "", "r.io/pinned:1@sha256:" D1),
      NULL,
      "deployment/x success  app r.io/pinned:1@sha256:" D1 " r.io/pinned:2@sha256:" D2 "\n"
      "+ deployment/x app=r.io/pinned:2@sha256:" D2 "\n",
      NULL },
    { "a pin moves under its tag", IMAGE(ALL, "r.io/pinned:1", ""),
      APP("x", "", "r.io/pinned:1@sha256:" D1), NULL,
      "deployment/x success  app r.io/pinned:1@sha256:" D1 " r.io/pinned:1@sha256:" D2 "\n"
      "+ deployment/x app=r.io/pinned:1@sha256:" D2 "\n",
      NULL },
    { "a pin that is right", IMAGE(ALL, "r.io/pinned:1", ""),
      APP("x", "", "r.io/pinned:1@sha256:" D2), NULL, "deployment/x skipped image(s) up to date\n",
      NULL },
    { "a pin stays where the digest is not known", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/weak:1@sha256:" D1), NULL,
      "deployment/x skipped cannot find one or more images\n", NULL },
    { "what the cluster pinned is not pinned in the file", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/app:1.0.0"), APP("x", "", "r.io/app@sha256:" D1),
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "the image that runs is what is compared", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/app:1.1.0"), APP("x", "", "r.io/app:1.0.0"),
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "a container that is not in the file is not ours", IMAGE(ALL, LATEST, ""),
      APP("x", "", "r.io/app:1.0.0"),
      DEPLOY META("x", "") POD("containers: [{name: app, image: 'r.io/app:1.0.0'}, {name: proxy, "
                               "image: 'r.io/side:1'}]"),
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "a Helm release", IMAGE("\"demo:helmrelease/h\"", LATEST, ""),
      "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\n" META(
          "h", "") "spec: {values: {image: {repository: r.io/app, tag: 1.0.0}}}\n",
      NULL,
      "helmrelease/h success  chart-image r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ helmrelease/h chart-image=r.io/app:2.0.0\n",
      NULL },

    /* containers one by one */
    { "chosen containers",
      CONTAINERS(W("web") ":[" C("web", "r.io/app:1.0.0",
                                 "r.io/app:2.0.0") "," C("side", "", "r.io/other:7") "]",
                 ""),
      WEB THIRD, NULL,
      "deployment/web success  web r.io/app:1.0.0 r.io/app:2.0.0 side r.io/side:1 r.io/other:7\n"
      "statefulset/third ignored not included\n"
      "+ deployment/web web=r.io/app:2.0.0 side=r.io/other:7\n",
      NULL },
    { "containers that are not there",
      CONTAINERS(W("web") ":[" C("a", "", "r.io/app:2.0.0") "," C(
                     "web", "", "r.io/app:2.0.0") "," C("b", "", "r.io/app:2.0.0") "]",
                 ""),
      WEB, NULL, "deployment/web failed container(s) not found: a, b\n", "cannot satisfy specs" },
    { "containers with another image",
      CONTAINERS(W("web") ":[" C("web", "r.io/app:0", "r.io/app:2.0.0") "," C("side", "",
                                                                              "r.io/side:2") "]",
                 ""),
      WEB, NULL, "deployment/web failed container(s) tag mismatch: web\n", "cannot satisfy specs" },
    { "containers with another image, left out",
      CONTAINERS(W("web") ":[" C("web", "r.io/app:0", "r.io/app:2.0.0") "," C("side", "",
                                                                              "r.io/side:2") "]",
                 ",\"SkipMismatches\":true"),
      WEB, NULL,
      "deployment/web success container(s) tag mismatch: web side r.io/side:1 r.io/side:2\n"
      "+ deployment/web side=r.io/side:2\n",
      NULL },
    { "nothing but containers with another image",
      CONTAINERS(W("web") ":[" C("web", "r.io/app:0", "r.io/app:2.0.0") "]",
                 ",\"SkipMismatches\":true"),
      WEB, NULL, "deployment/web skipped container(s) tag mismatch: web, image(s) up to date\n",
      "no changes found" },
    { "a missing container fails, mismatches or not",
      CONTAINERS(
          W("web") ":[" C("web", "r.io/app:0", "r.io/app:2.0.0") "," C("c", "", "r.io/side:2") "]",
          ",\"SkipMismatches\":true"),
      WEB, NULL, "deployment/web failed container(s) not found: c\n", "cannot satisfy specs" },
    { "containers that are pinned, as they are shown",
      CONTAINERS(W("x") ":[" C("app", "r.io/pinned@sha256:" D1, "r.io/pinned:2") "]", ""),
      APP("x", "", "r.io/pinned:1@sha256:" D1), NULL,
      "deployment/x success  app r.io/pinned:1@sha256:" D1 " r.io/pinned:2\n"
      "+ deployment/x app=r.io/pinned:2\n",
      NULL },
    { "containers that are pinned, as the menu sends them",
      CONTAINERS(W("x") ":[" C("app", "r.io/a:1@sha256:" D1, "r.io/a:2@sha256:" D2) "]", ""),
      APP("x", "", "r.io/a:1@sha256:" D1), NULL,
      "deployment/x success  app r.io/a:1@sha256:" D1 " r.io/a:2@sha256:" D2 "\n"
      "+ deployment/x app=r.io/a:2@sha256:" D2 "\n",
      NULL },
    { "containers that have it already",
      CONTAINERS(W("web") ":[" C("web", "", "r.io/app:1.0.0") "]", ""), WEB, NULL,
      "deployment/web skipped image(s) up to date\n", "no changes found" },
    { "containers of a locked workload",
      CONTAINERS(W("x") ":[" C("app", "", "r.io/app:2.0.0") "]", ""),
      APP("x", LOCKED, "r.io/app:1.0.0"), NULL, "deployment/x skipped locked\n",
      "no changes found" },
    { "containers of a locked workload, forced",
      CONTAINERS(W("x") ":[" C("app", "", "r.io/app:2.0.0") "]", FORCE),
      APP("x", LOCKED, "r.io/app:1.0.0"), NULL,
      "deployment/x success  app r.io/app:1.0.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "containers of nothing", CONTAINERS(W("no") ":[" C("a", "", "a:1") "]", ""), MAP, NULL,
      "deployment/no skipped not found in repository\n", "no changes found" },

    /* automation */
    { "automation takes the file as it is",
      AUTO(CHANGE("x", "app", "r.io/app:1.0.0", "r.io/app:2.0.0")), APP("x", "", "r.io/app:1.1.0"),
      APP("x", "", "r.io/app:1.0.0"),
      "deployment/x success  app r.io/app:1.1.0 r.io/app:2.0.0\n"
      "+ deployment/x app=r.io/app:2.0.0\n",
      NULL },
    { "automation found it there already",
      AUTO(CHANGE("x", "app", "r.io/app:1.0.0", "r.io/app:2.0.0")), APP("x", "", "r.io/app:2.0.0"),
      NULL, "deployment/x skipped image(s) up to date\n", NULL },
    { "automation, and the file has another image now",
      AUTO(CHANGE("x", "app", "r.io/app:1.0.0", "r.io/app:2.0.0")), APP("x", "", "r.io/side:1"),
      NULL, "deployment/x skipped image(s) up to date\n", NULL },
    { "automation of what is locked, ignored, gone, somebody else's",
      AUTO(CHANGE("a", "app", "r.io/app:1.0.0", "r.io/app:2.0.0") "," CHANGE(
          "b", "app", "r.io/app:1.0.0", "r.io/app:2.0.0") "," CHANGE("c", "app", "r.io/app:1.0.0",
                                                                     "r.io/app:2.0.0")),
      APP("a", LOCKED, "r.io/app:1.0.0") APP("b", "", "r.io/app:1.0.0")
          APP("d", "", "r.io/app:1.0.0"),
      APP("a", "", "r.io/app:1.0.0") APP("b", "fluxcd.io/ignore: 'true'", "r.io/app:1.0.0")
          APP("d", "", "r.io/app:1.0.0"),
      "deployment/a skipped locked\ndeployment/b skipped ignore\n"
      "deployment/c skipped not found in repository\ndeployment/d ignored not included\n",
      NULL },
    { "automation of a pin",
      AUTO(CHANGE("x", "app", "r.io/pinned:1@sha256:" D1, "r.io/pinned:2@sha256:" D2)),
      APP("x", "", "r.io/pinned:1@sha256:" D1), NULL,
      "deployment/x success  app r.io/pinned:1@sha256:" D1 " r.io/pinned:2@sha256:" D2 "\n"
      "+ deployment/x app=r.io/pinned:2@sha256:" D2 "\n",
      NULL },
    { "automation of several containers of one workload",
      AUTO(CHANGE("web", "side", "r.io/side:1",
                  "r.io/side:2") "," CHANGE("web", "web", "r.io/app:1.0.0", "r.io/app:1.2.0")),
      WEB, NULL,
      "deployment/web success  web r.io/app:1.0.0 r.io/app:1.2.0 side r.io/side:1 r.io/side:2\n"
      "+ deployment/web web=r.io/app:1.2.0 side=r.io/side:2\n",
      NULL },

    /* policies */
    { "a policy", POLICY("demo:deployment/web", "\"automated\":\"true\"", ""), WEB, MAP,
      "deployment/web success \n+ deployment/web {\"fluxcd.io/automated\":\"true\"}\n", NULL },
    { "a policy that is there", POLICY("demo:deployment/x", "\"locked\":\"true\"", ""),
      APP("x", LOCKED, "a:1"), NULL, "deployment/x skipped \n", NULL },
    { "a policy that is off", POLICY("demo:deployment/x", "\"locked\":\"true\"", ""),
      APP("x", "fluxcd.io/locked: 'false'", "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"fluxcd.io/locked\":\"true\"}\n", NULL },
    { "a policy under an older name", POLICY("demo:deployment/x", "\"locked\":\"false\"", ""),
      APP("x", "flux.weave.works/locked: 'true'", "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"flux.weave.works/locked\":\"false\"}\n", NULL },
    { "a policy taken away under all its names",
      POLICY("demo:deployment/x", "", "\"locked\":\"true\""),
      APP("x", LOCKED ", flux.weave.works/locked: 'true', other: text", "a:1"), NULL,
      "deployment/x success \n+ deployment/x "
      "{\"flux.weave.works/locked\":\"\",\"fluxcd.io/locked\":\"\"}\n",
      NULL },
    { "a policy taken away that is not there",
      POLICY("demo:deployment/x", "", "\"locked\":\"true\""), APP("x", "", "a:1"), NULL,
      "deployment/x skipped \n", NULL },
    { "removals win", POLICY("demo:deployment/x", "\"locked\":\"true\"", "\"locked\":\"true\""),
      APP("x", LOCKED, "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"fluxcd.io/locked\":\"\"}\n", NULL },
    { "an empty value takes away",
      POLICY("demo:deployment/x", "\"locked\":\"true\",\"locked_msg\":\"\"", ""),
      APP("x", "fluxcd.io/locked_msg: why", "a:1"), NULL,
      "deployment/x success \n+ deployment/x "
      "{\"fluxcd.io/locked\":\"true\",\"fluxcd.io/locked_msg\":\"\"}\n",
      NULL },
    { "a filter for every container",
      POLICY("demo:statefulset/third", "\"tag_all\":\"glob:1.*\"", ""), THIRD, NULL,
      "statefulset/third success \n+ statefulset/third "
      "{\"fluxcd.io/tag.app\":\"glob:1.*\",\"fluxcd.io/tag.init\":\"glob:1.*\"}\n",
      NULL },
    { "a filter for every container, and another for one",
      POLICY("demo:statefulset/third", "\"tag_all\":\"glob:1.*\",\"tag.init\":\"semver:~1\"", ""),
      THIRD, NULL,
      "statefulset/third success \n+ statefulset/third "
      "{\"fluxcd.io/tag.app\":\"glob:1.*\",\"fluxcd.io/tag.init\":\"semver:~1\"}\n",
      NULL },
    { "no filter for any container", POLICY("demo:deployment/x", "\"tag_all\":\"glob:*\"", ""),
      APP("x", "filter.fluxcd.io/app: 'glob:1'", "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"filter.fluxcd.io/app\":\"\"}\n", NULL },
    { "no filter, in short", POLICY("demo:deployment/x", "\"tag_all\":\"*\"", ""),
      APP("x", "fluxcd.io/tag.app: 'glob:1'", "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"fluxcd.io/tag.app\":\"\"}\n", NULL },
    { "a filter with an equals sign",
      POLICY("demo:deployment/x", "\"tag.app\":\"semver:>=1.0\"", ""), APP("x", "", "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"fluxcd.io/tag.app\":\"semver:\\u003e=1.0\"}\n",
      NULL },
    { "a filter for a container that is not there",
      POLICY("demo:deployment/x", "\"tag.nothere\":\"glob:1.*\"", ""), APP("x", "", "a:1"), NULL,
      "deployment/x success \n+ deployment/x {\"fluxcd.io/tag.nothere\":\"glob:1.*\"}\n", NULL },
    { "a filter that is no version",
      POLICY("demo:deployment/web", "\"tag_all\":\"semver:not a version\"", ""), WEB, NULL,
      "deployment/web failed invalid tag pattern: \"semver:not a version\"\n",
      "invalid tag pattern: \"semver:not a version\"" },
    { "a filter that is no expression",
      POLICY("demo:deployment/web", "\"tag.web\":\"regexp:(\"", ""), WEB, NULL,
      "deployment/web failed invalid tag pattern: \"regexp:(\"\n",
      "invalid tag pattern: \"regexp:(\"" },
    { "policies of what is not there", POLICY("demo:deployment/nope", "\"locked\":\"true\"", ""),
      WEB, NULL, "deployment/nope skipped not found in repository\n", NULL },
    { "policies of what may be where nobody can read",
      POLICY("demo:deployment/nope", "\"locked\":\"true\"", ""), WEB "---\nkind: [\n", NULL,
      "deployment/nope failed resource demo:deployment/nope not found in repository, of which a "
      "part cannot be read: "
      "…\n",
      "resource demo:deployment/nope not found in repository, of which a part cannot be read: …" },
    { "policies of what can be read, whatever else cannot",
      POLICY("demo:deployment/web", "\"locked\":\"true\"", ""), WEB "---\nkind: [\n", NULL,
      "deployment/web success \n+ deployment/web {\"fluxcd.io/locked\":\"true\"}\n", NULL },
    { "named, and a part of the repository cannot be read", IMAGE(W("nope"), LATEST, ""),
      APP("x", "", "r.io/app:1.0.0") "---\nkind: [\n", NULL,
      "deployment/nope skipped not found in repository, of which a part cannot be read: …\n"
      "deployment/x ignored not included\n",
      NULL },
    { "policies of what has no containers", POLICY("demo:configmap/map", "\"locked\":\"true\"", ""),
      MAP, NULL, "configmap/map failed resource demo:configmap/map does not have containers\n",
      "resource demo:configmap/map does not have containers" },
    { "policies of what is declared twice",
      POLICY("demo:deployment/web", "\"locked\":\"true\"", ""), WEB WEB, NULL,
      "deployment/web failed resource demo:deployment/web is declared more than once\n",
      "resource demo:deployment/web is declared more than once" },
    { "a workload without annotations", POLICY("demo:deployment/x", "\"locked\":\"true\"", ""),
      DEPLOY "metadata: {name: x, namespace: demo}\n" POD(ONE("a", "a:1")), NULL,
      "deployment/x success \n+ deployment/x {\"fluxcd.io/locked\":\"true\"}\n", NULL },

    { "a sync changes nothing", "{\"type\":\"sync\"}", NULL, NULL, "", NULL },
};

/* --- building it */

struct world {
    struct arena *mem;
    struct image_repo repos[ARRAY_LEN(registry)];
    size_t asked;
};

static int by_tag(const void *a, const void *b)
{
    return strcmp(((const struct image_info *)a)->tag, ((const struct image_info *)b)->tag);
}

static void add_info(struct arena *mem, const char *word, size_t len, size_t i,
                     struct image_info *out)
{
    const char *marks = "?!~=";
    char mark = strchr(marks, word[len - 1]) ? word[len - 1] : ' ';
    *out = (struct image_info){
        .tag = arena_strndup(mem, word, mark == ' ' ? len : len - 1),
        .is_known = mark != '?',
        .is_excluded = mark == '!',
        .why_excluded = mark == '!' ? "it is for windows/amd64" : "",
        .has_created = mark != '~' && mark != '?',
        .created_ns = (int64_t)i + 1,
        .digest = mark == '=' ? "sha256:" D2 : "",
        .image_id = "",
    };
}

static void build_repos(struct world *world)
{
    for (size_t r = 0; r < ARRAY_LEN(registry); r++) {
        struct image_info *infos = arena_alloc(world->mem, 8 * sizeof(*infos));
        size_t count = 0;
        for (const char *at = registry[r].tags; *at;) {
            size_t len = strcspn(at, " ");
            add_info(world->mem, at, len, count, &infos[count]);
            count++;
            at += len + strspn(at + len, " ");
        }
        qsort(infos, count, sizeof(*infos), by_tag);
        world->repos[r] = (struct image_repo){ .name = registry[r].name,
                                               .error = registry[r].error ? registry[r].error : "",
                                               .is_complete = !registry[r].is_incomplete,
                                               .is_missing = registry[r].is_missing,
                                               .infos = infos,
                                               .count = count };
    }
}

static const struct image_repo *find_repo(void *ctx, const char *name)
{
    struct world *world = ctx;
    world->asked++;
    for (size_t r = 0; r < ARRAY_LEN(registry); r++) {
        if (strcmp(world->repos[r].name, name) == 0)
            return &world->repos[r];
    }
    return NULL;
}

static const char *why_not(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "r.io/excluded") == 0 ? "it is excluded" : NULL;
}

static struct val *live_policies(struct arena *mem, const struct val *object)
{
    static const char prefix[] = "fluxcd.io/";
    struct val *out = val_new_map(mem);
    const struct val *annotations = VAL_PATH(object, "metadata", "annotations");
    for (size_t i = 0; i < val_len(annotations); i++) {
        const struct val_pair *pair = &annotations->pairs[i];
        if (strncmp(pair->key, prefix, strlen(prefix)) == 0)
            val_set_text(mem, out, pair->key + strlen(prefix), val_text(pair->value));
    }
    return out;
}

/* The cases with a gap in the repository have this document. */
#define BROKEN "---\nkind: [\n"

static void survey_text(struct arena *mem, const char *text, struct release_survey *out)
{
    struct release_file file = { .path = "all.yaml", .text = text, .len = strlen(text) };
    release_survey_add(mem, out, &file, "default");
    release_survey_seal(mem, out);
    assert_int_equal(out->problems.len, strstr(text, BROKEN) ? 1 : 0);
}

/* Sorted by ID as the survey is. */
static void build_live(struct arena *mem, const char *text, struct release_view *view)
{
    struct release_survey survey = { 0 };
    survey_text(mem, text, &survey);
    struct release_live *live = arena_alloc(mem, (survey.len + 1) * sizeof(*live));
    for (size_t i = 0; i < survey.len; i++) {
        const struct release_workload *from = &survey.at[i];
        if (!from->is_workload || (i > 0 && strcmp(survey.at[i - 1].id, from->id) == 0))
            continue;
        struct image_workload *workload = arena_alloc(mem, sizeof(*workload));
        image_workload_read(mem, from->kind, from->manifest, workload);
        live[view->live_count++] =
            (struct release_live){ workload, live_policies(mem, from->manifest) };
    }
    view->live = live;
}

static void read_spec(struct arena *mem, const char *text, struct release_spec *out)
{
    struct val *v = NULL;
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, text, strlen(text), &v);
    assert_null(bad);
    SCOPED(err_free) struct err *e = release_spec_parse(mem, v, out);
    assert_string_equal(err_text(e), "");
}

/* --- and saying what came of it */

static const char *short_id(const char *id)
{
    return strncmp(id, "demo:", 5) == 0 ? id + 5 : id;
}

static void describe_outcome(const struct release_outcome *outcome, struct sbuf *out)
{
    sbuf_addf(out, "%s %s %s", short_id(outcome->id), release_status_name(outcome->status),
              outcome->error);
    for (size_t i = 0; i < outcome->changes.len; i++) {
        const struct release_change *change = &outcome->changes.at[i];
        sbuf_addf(out, " %s %s %s", change->container, change->current, change->target);
    }
    sbuf_add(out, "\n");
}

static void describe_edit(struct arena *mem, const struct release_edit *edit, struct sbuf *out)
{
    sbuf_addf(out, "+ %s", short_id(edit->workload->id));
    for (size_t i = 0; i < edit->image_count; i++)
        sbuf_addf(out, " %s=%s", edit->images[i].place->container,
                  image_ref_write(mem, &edit->images[i].ref));
    if (edit->annotations)
        sbuf_addf(out, " %s", val_json(mem, edit->annotations, NULL));
    sbuf_add(out, "\n");
}

/* … at the end of a line of the wanted text: whatever comes in its place, up to the end of the line. */
static bool is_like(const char *text, const char *wanted)
{
    const char *dots = strstr(wanted, "…");
    if (!dots)
        return strcmp(text, wanted) == 0;
    size_t len = (size_t)(dots - wanted);
    const char *rest = strncmp(text, wanted, len) == 0 ? strchrnul(text + len, '\n') : NULL;
    return rest && strcmp(rest, dots + strlen("…")) == 0;
}

static void assert_like(const char *text, const char *wanted)
{
    if (!is_like(text, wanted))
        assert_string_equal(text, wanted);
}

static void select_matches_case(void **state)
{
    const struct select_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct world world = { .mem = mem };
    struct release_spec spec;
    struct release_survey survey = { 0 };
    struct release_view view = {
        .spec = &spec, .survey = &survey, .repo = find_repo, .why_not = why_not, .ctx = &world
    };
    const char *git = c->git ? c->git : WORLD;
    build_repos(&world);
    read_spec(mem, c->spec, &spec);
    survey_text(mem, git, &survey);
    build_live(mem, c->live ? c->live : git, &view);

    struct release_result result;
    struct release_edits edits;
    SCOPED(err_free) struct err *e = release_select(mem, &view, &result, &edits);
    assert_like(err_text(e), c->error ? c->error : "");
    SBUF(out, SBUF_MAX);
    for (size_t i = 0; i < result.len; i++)
        describe_outcome(&result.at[i], &out);
    for (size_t i = 0; !e && i < edits.len; i++)
        describe_edit(mem, &edits.at[i], &out);
    assert_like(sbuf_text(&out), c->result);
}

/* A repository may have thousands of tags, and thousands of workloads. */
static void repositories_are_searched_once_for_each_filter(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct world world = { .mem = mem };
    struct release_spec spec;
    struct release_survey survey = { 0 };
    struct release_view view = {
        .spec = &spec, .survey = &survey, .repo = find_repo, .why_not = why_not, .ctx = &world
    };
    static const char git[] = APP("a", "", "r.io/app:1.0.0") APP("b", "", "r.io/app:1.0.0")
        APP("c", "", "r.io/app:1.1.0") APP("d", "fluxcd.io/tag.app: '1.*'", "r.io/app:1.0.0");
    build_repos(&world);
    read_spec(mem, IMAGE(ALL, LATEST, ""), &spec);
    survey_text(mem, git, &survey);
    build_live(mem, git, &view);
    struct release_result result;
    struct release_edits edits;
    assert_null(release_select(mem, &view, &result, &edits));
    assert_int_equal(release_result_count(&result, RELEASE_SUCCESS), 4);
    assert_int_equal(world.asked, 2);
}

/* --- what has to be known before */

static const struct needs_case {
    const char *name, *spec, *needs; /* IDs, a bar, images */
} needs_cases[] = {
    { "one image of everything", IMAGE(ALL, "app:1", NOT(W("web"))),
      "deployment/locked statefulset/third | index.docker.io/library/app " },
    { "one image of one workload", IMAGE(W("web"), "r.io/app:1", ""),
      "deployment/web | r.io/app " },
    { "all images of one workload", IMAGE(W("web"), LATEST, ""),
      "deployment/web | r.io/app r.io/side " },
    { "all images", IMAGE(ALL, LATEST, ""),
      "deployment/locked deployment/web statefulset/third | r.io/app r.io/side " },
    { "containers", CONTAINERS(W("web") ":[" C("web", "", "r.io/app:2") "]", ""),
      "deployment/web | " },
    { "automation", AUTO(CHANGE("web", "web", "r.io/app:1", "r.io/app:2")), "deployment/web | " },
    { "policies", POLICY("demo:deployment/web", "\"locked\":\"true\"", ""), "| " },
    { "a sync", "{\"type\":\"sync\"}", "| " },
    { "what is not there", IMAGE(W("nope"), LATEST, ""), "| " },
};

static void needs_match_case(void **state)
{
    const struct needs_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_spec spec;
    struct release_survey survey = { 0 };
    struct release_needs needs;
    read_spec(mem, c->spec, &spec);
    survey_text(mem, WORLD, &survey);
    release_select_needs(mem, &spec, &survey, &needs);
    const char *text = "";
    for (const char *const *id = needs.ids; *id; id++)
        text = arena_printf(mem, "%s%s ", text, short_id(*id));
    text = arena_printf(mem, "%s| ", text);
    for (const char *const *image = needs.images; *image; image++)
        text = arena_printf(mem, "%s%s ", text, *image);
    assert_string_equal(text, c->needs);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(repositories_are_searched_once_for_each_filter),
        ROWS(cases, select_matches_case),
        ROWS(needs_cases, needs_match_case),
    };
    return rows_run("release_select", tests, ARRAY_LEN(tests));
}
