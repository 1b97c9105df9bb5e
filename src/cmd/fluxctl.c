#include "cmd/fluxctl.h"

#include <string.h>

/* clang-format off */
const struct flags_spec fluxctl_globals[FLUXCTL_GLOBALS] = {
    { .name = "context", .type = FLAGS_TEXT, .usage = "The kubeconfig context to use" },
    { .name = "k8s-fwd-labels", .type = FLAGS_MAP, .initial = "app=flux",
      .usage = "Labels used to find the daemon's pod (FLUX_FORWARD_LABELS)" },
    { .name = "k8s-fwd-ns", .type = FLAGS_TEXT, .initial = "default",
      .usage = "Namespace in which the daemon's pod is looked for (FLUX_FORWARD_NAMESPACE)" },
    { .name = "timeout", .type = FLAGS_DURATION, .initial = "60s",
      .usage = "Global command timeout (FLUX_TIMEOUT)" },
    { .name = "token", .type = FLAGS_TEXT, .shorthand = 't',
      .usage = "Token sent with each request (FLUX_SERVICE_TOKEN)" },
    { .name = "url", .type = FLAGS_TEXT, .shorthand = 'u',
      .usage = "Base URL of the daemon's API (FLUX_URL); without it a pod is looked for" },
};

static const struct missing {
    const char *name, *instead;
} missing[] = {
    { "automate",    "it comes with image automation" },
    { "deautomate",  "it comes with image automation" },
    { "list-images", "it comes with image automation" },
    { "lock",        "it comes with releases" },
    { "policy",      "it comes with image automation" },
    { "release",     "it comes with releases" },
    { "unlock",      "it comes with releases" },
};
/* clang-format on */

const char *fluxctl_missing(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        if (!strcmp(missing[i].name, name))
            return missing[i].instead;
    }
    return NULL;
}
