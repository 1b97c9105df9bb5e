#include "cmd/canary_flags.h"

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "context", .type = FLAGS_TEXT, .usage = "context of the kubeconfig file" },
    { .name = "k8s-allow-exec", .type = FLAGS_BOOL,
      .usage = "run the credential plugin that the kubeconfig file names" },
    { .name = "kube-in-flight", .type = FLAGS_INT, .initial = "8",
      .usage = "requests to the API server at a time" },
};

static const struct flags_spec process[] = {
    { .name = "kubeconfig", .type = FLAGS_TEXT,
      .usage = "kubeconfig `file`; else KUBECONFIG, else ~/.kube/config, else the pod's service account" },
    { .name = "master", .type = FLAGS_TEXT, .usage = "`URL` of the API server, in place of the kubeconfig file's" },
    { .name = "kubeconfig-qps", .type = FLAGS_INT, .initial = "100", .has_no_effect = true,
      .usage = "no effect: requests are bounded by --kube-in-flight" },
    { .name = "kubeconfig-burst", .type = FLAGS_INT, .initial = "250", .has_no_effect = true,
      .usage = "no effect: requests are bounded by --kube-in-flight" },
    { .name = "control-loop-interval", .type = FLAGS_DURATION, .initial = "10s", .has_no_effect = true,
      .usage = "no effect: changes are seen as they happen" },
    { .name = "log-level", .type = FLAGS_TEXT, .initial = "debug", .usage = "least level to log: debug, info, warn, error, fatal, panic" },
    { .name = "zap-encoding", .type = FLAGS_TEXT, .initial = "json", .usage = "log as json or console" },
    { .name = "zap-replace-globals", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect" },
    { .name = "port", .type = FLAGS_TEXT, .initial = "8080", .usage = "port of /metrics and /healthz" },
    { .name = "threadiness", .type = FLAGS_INT, .initial = "2", .has_no_effect = true,
      .usage = "no effect: canaries do not wait for each other" },
    { .name = "namespace", .type = FLAGS_TEXT, .usage = "watch this namespace alone" },
    { .name = "enable-leader-election", .type = FLAGS_BOOL, .usage = "act only while holding a Lease: for several replicas" },
    { .name = "leader-election-namespace", .type = FLAGS_TEXT, .initial = "kube-system",
      .usage = "namespace of the Lease, unless --namespace is given" },
    { .name = "version", .type = FLAGS_BOOL, .usage = "print the version" },

    /* klog's, which no line of ours goes through. */
    { .name = "v", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect: see --log-level" },
    { .name = "vmodule", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect: see --log-level" },
    { .name = "logtostderr", .type = FLAGS_BOOL, .initial = "true", .has_no_effect = true, .usage = "no effect: the log goes to stderr" },
    { .name = "alsologtostderr", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect: the log goes to stderr" },
    { .name = "stderrthreshold", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect: the log goes to stderr" },
    { .name = "log_dir", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect: the log goes to stderr" },
    { .name = "log_file", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect: the log goes to stderr" },
    { .name = "log_file_max_size", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect: the log goes to stderr" },
    { .name = "log_backtrace_at", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "no effect" },
    { .name = "add_dir_header", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect" },
    { .name = "skip_headers", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect" },
    { .name = "skip_log_headers", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect" },
    { .name = "one_output", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect" },
};

const struct flags_spec canary_flags_analysis[CANARY_FLAGS_ANALYSIS_LEN] = {
    { .name = "mesh-provider", .type = FLAGS_TEXT, .initial = "istio",
      .usage = "traffic provider of canaries that name none: istio, linkerd, gatewayapi:v1, nginx, kubernetes, ..." },
    { .name = "metrics-server", .type = FLAGS_TEXT, .initial = "http://prometheus:9090",
      .usage = "`URL` of the Prometheus for built-in and in-line metric checks" },
    { .name = "kubeconfig-service-mesh", .type = FLAGS_TEXT,
      .usage = "kubeconfig `file` of the cluster with the routing objects, if that is another one" },
    { .name = "selector-labels", .type = FLAGS_TEXT, .initial = "app,name,app.kubernetes.io/name",
      .usage = "labels that may tell the pods of a target, separated by commas: the first it has counts" },
    { .name = "include-label-prefix", .type = FLAGS_TEXT,
      .usage = "prefixes of labels that primaries take over from targets, separated by commas; * is all" },
    { .name = "ingress-annotations-prefix", .type = FLAGS_TEXT, .initial = "nginx.ingress.kubernetes.io",
      .usage = "prefix of the ingress controller's annotations" },
    { .name = "ingress-class", .type = FLAGS_TEXT, .usage = "Contour's ingress class of generated HTTPProxies" },
    { .name = "enable-config-tracking", .type = FLAGS_BOOL, .initial = "true",
      .usage = "a change of a ConfigMap or Secret that a target refers to is a new revision" },
    { .name = "no-cross-namespace-refs", .type = FLAGS_BOOL,
      .usage = "refuse canaries that refer to templates, alert providers and upstreams of other namespaces" },
    { .name = "cluster-name", .type = FLAGS_TEXT, .usage = "name of the cluster in alerts" },
    { .name = "event-webhook", .type = FLAGS_TEXT,
      .usage = "`URL` to which every event is sent; else EVENT_WEBHOOK_URL, which goes first" },
    { .name = "slack-url", .type = FLAGS_TEXT, .usage = "`URL` of a Slack hook for alerts of canaries that name no provider; SLACK_URL goes first" },
    { .name = "slack-token", .type = FLAGS_TEXT, .usage = "bearer token for it; SLACK_TOKEN goes first" },
    { .name = "slack-proxy-url", .type = FLAGS_TEXT, .usage = "proxy `URL` for it; SLACK_PROXY_URL goes first" },
    { .name = "slack-channel", .type = FLAGS_TEXT, .usage = "channel for it; without one there are no alerts" },
    { .name = "slack-user", .type = FLAGS_TEXT, .initial = "flagger", .usage = "user name for it" },
    { .name = "msteams-url", .type = FLAGS_TEXT, .usage = "`URL` of a Microsoft Teams hook, in place of Slack's; MSTEAMS_URL goes first" },
    { .name = "msteams-proxy-url", .type = FLAGS_TEXT, .usage = "proxy `URL` for it; MSTEAMS_PROXY_URL goes first" },
};
/* clang-format on */

const struct flags_table canary_flags_tables[CANARY_FLAGS_TABLES] = {
    [CANARY_FLAGS_OWN] = { .title = "FLAGS OF SERIN", .at = own, .len = ARRAY_LEN(own) },
    [CANARY_FLAGS_PROCESS] = { .title = "FLAGS", .at = process, .len = ARRAY_LEN(process) },
    [CANARY_FLAGS_ANALYSIS] = { .title = "FLAGS FOR CANARIES",
                                .at = canary_flags_analysis,
                                .len = CANARY_FLAGS_ANALYSIS_LEN },
};
