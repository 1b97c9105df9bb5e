#include "cmd/canary_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"

#define PATH_BYTES ((size_t)4096)
#define ATTEMPT_MS 10000

static const char *const kinds[][2] = {
    { "Canary", "canaries" },
    { "MetricTemplate", "metrictemplates" },
    { "AlertProvider", "alertproviders" },
};

struct asking {
    bool is_done;
    struct err *err;
};

static void on_answer(void *ctx, const struct kube_result *result)
{
    struct asking *asking = ctx;
    asking->is_done = true;
    asking->err = err_copy(result->err);
}

static struct err *check_kind(struct loop *loop, struct kube *kube, const char *ns, size_t at)
{
    struct asking asking = { 0 };
    SBUF(path, PATH_BYTES);
    sbuf_add(&path, "/apis/flagger.app/v1beta1/");
    if (ns) {
        sbuf_add(&path, "namespaces/");
        sbuf_add_url(&path, ns);
        sbuf_add_char(&path, '/');
    }
    sbuf_add(&path, kinds[at][1]);
    ticket request = kube_start(kube,
                                &(struct kube_request){ .method = "GET",
                                                        .path = sbuf_text(&path),
                                                        .query = "limit=1",
                                                        .attempt_ms = ATTEMPT_MS },
                                on_answer, &asking);
    while (!asking.is_done && loop_turn(loop, 1000))
        continue;
    if (!asking.is_done)
        kube_cancel(kube, request);
    if (!asking.err)
        return NULL;
    struct err *e =
        err_is(asking.err, ERR_NOT_FOUND)
            ? err_new(ERR_NOT_FOUND,
                      "%s CRD is not registered the server could not find the requested resource "
                      "(get %s.flagger.app)",
                      kinds[at][0], kinds[at][1])
            : err_new(err_kind(asking.err), "%s CRD is not registered %s", kinds[at][0],
                      err_text(asking.err));
    err_free(asking.err);
    return e;
}

struct err *canary_check_kinds(struct loop *loop, struct kube *kube, const char *ns)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        TRY(check_kind(loop, kube, ns, i));
    return NULL;
}

struct err *canary_check_version(const char *version)
{
    char *end = NULL;
    const char *at = *version == 'v' ? version + 1 : version;
    long major = strtol(at, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major == 1 && minor >= 11)
        return NULL;
    return err_new(ERR_INVALID,
                   "Unsupported version of kubernetes detected.  Expected ^1.11.0, got %s",
                   version);
}
