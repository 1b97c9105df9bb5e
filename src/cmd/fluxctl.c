#include "cmd/fluxctl.h"

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
/* clang-format on */
