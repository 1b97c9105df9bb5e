#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.11: the External Metrics API of the cluster, or another one's. Our own credentials go to
 * our own API server alone: another address gets the token of the Secret, or none. */

#define GROUP           "apis/external.metrics.k8s.io/v1beta1/namespaces"
#define PROBE_NAMESPACE "kube-system"
#define PROBE_METRIC    "dummy-metric"

struct external {
    struct url address;
    bool has_address;
    const char *token;
};

static struct err *begin(struct metric_talk *talk)
{
    const struct metric_source *source = &talk->question->source;
    struct external *own = arena_alloc(talk->mem, sizeof(*own));
    bool has_token;
    *own = (struct external){ .has_address = *source->address };
    talk->own = own;
    TRY(talk_key(talk, "token", true, &own->token, &has_token));
    if (!own->has_address)
        return NULL;
    /* A server may be written as host and port, as in a kubeconfig. */
    const char *text = strstr(source->address, "://")
                           ? source->address
                           : arena_printf(talk->mem, "https://%s", source->address);
    if (!url_parse(talk->mem, text, &own->address))
        return err_new(ERR_INVALID, "%s address %s is not a valid URL", source->type,
                       url_shown(talk->mem, source->address));
    return NULL;
}

struct target {
    const char *ns, *metric, *selector; /* "" when absent */
};

/* [<namespace>/]<metric>[?labelSelector=<encoded>] */
MUST_USE static struct err *read_query(struct metric_talk *talk, struct target *out)
{
    const char *query = talk->question->query;
    query += strspn(query, " \t\r\n");
    size_t path_len = strcspn(query, "?");
    const char *path = arena_strndup(talk->scratch, query, path_len);
    const char *slash = strchr(path, '/');
    struct url_pairs pairs = { 0 };
    *out = (struct target){ .ns = "default", .metric = path, .selector = "" };
    if (slash && strchr(slash + 1, '/'))
        return err_new(ERR_INVALID,
                       "malformed query string, too many slashes, expected "
                       "namespace/metric: %.200s",
                       path);
    if (slash) {
        out->metric = slash + 1;
        if (slash > path)
            out->ns = arena_strndup(talk->scratch, path, (size_t)(slash - path));
    }
    size_t len = strlen(out->metric);
    while (len && strchr(" \t\r\n", out->metric[len - 1]))
        len--;
    out->metric = arena_strndup(talk->scratch, out->metric, len);
    if (!len)
        return err_new(ERR_INVALID, "metric name cannot be empty");
    if (query[path_len])
        url_read_query(talk->scratch, query + path_len + 1, &pairs);
    for (size_t i = 0; i < pairs.len; i++) {
        if (!strcmp(pairs.at[i].key, "labelSelector"))
            out->selector = pairs.at[i].value;
    }
    return NULL;
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct external *own = talk->own;
    struct arena *mem = talk->scratch;
    struct target target = { .ns = PROBE_NAMESPACE, .metric = PROBE_METRIC, .selector = "" };
    SCOPED(err_free) struct err *e = talk->question->is_probe ? NULL : read_query(talk, &target);
    if (e) {
        talk_fail(talk, turn, "%s", err_text(e));
        return;
    }
    const char *path = arena_printf(mem, GROUP "/%s/%s", url_escape_part(mem, target.ns),
                                    url_escape_part(mem, target.metric));
    const char *query =
        *target.selector ? arena_printf(mem, "labelSelector=%s", url_escape(mem, target.selector))
                         : "";
    const char *local = arena_printf(mem, "/%s%s%s", path, *query ? "?" : "", query);
    bool is_foreign = own->has_address || *own->token;
    struct metric_request *request =
        talk_ask(turn, own->has_address ? url_join(mem, &own->address, path, query) : local);
    request->way = is_foreign ? METRIC_WAY_HTTP : METRIC_WAY_KUBE;
    request->is_at_cluster = is_foreign && !own->has_address;
    request->trusts_cluster = is_foreign;
    request->is_insecure = talk->question->source.is_insecure;
    request->headers = talk_headers(
        talk, "Accept: application/json",
        *own->token ? arena_printf(mem, "Authorization: Bearer %s", own->token) : NULL);
}

/* A quantity of Kubernetes: 12, 1.5, 100m, 2Ki, 3e2. */
static bool read_quantity(const char *text, double *out)
{
    static const struct suffix {
        const char *text;
        double factor;
    } suffixes[] = { { "", 1 },        { "n", 1e-9 },    { "u", 1e-6 },    { "m", 1e-3 },
                     { "k", 1e3 },     { "M", 1e6 },     { "G", 1e9 },     { "T", 1e12 },
                     { "P", 1e15 },    { "E", 1e18 },    { "Ki", 0x1p10 }, { "Mi", 0x1p20 },
                     { "Gi", 0x1p30 }, { "Ti", 0x1p40 }, { "Pi", 0x1p50 }, { "Ei", 0x1p60 } };
    size_t len = strspn(text, "+-");
    len += strspn(text + len, "0123456789.");
    bool has_exponent = (text[len] == 'e' || text[len] == 'E') && text[len + 1] &&
                        strchr("+-0123456789", text[len + 1]);
    if (has_exponent)
        len = strlen(text);
    char number[64];
    if (!len || len >= sizeof(number))
        return false;
    memcpy(number, text, len);
    number[len] = '\0';
    struct err *e = talk_parse_number(number, out);
    err_free(e);
    for (size_t i = 0; !e && i < ARRAY_LEN(suffixes); i++) {
        if (!strcmp(text + len, suffixes[i].text)) {
            *out *= suffixes[i].factor;
            return true;
        }
    }
    return false;
}

static void read_items(struct metric_talk *talk, const struct metric_answer *answer,
                       struct metric_turn *turn)
{
    const struct val *body = talk_json(talk, answer, turn);
    const struct val *value = val_get(val_item(val_get(body, "items"), 0), "value");
    double number = 0;
    if (!body)
        return;
    bool is_good =
        talk_number(value, &number) || (val_text(value) && read_quantity(val_text(value), &number));
    if (!value)
        talk_no_values(talk, turn, METRIC_NO_VALUES);
    else if (!is_good)
        talk_misshapen(talk, answer, turn, "items[0].value is not a quantity");
    else
        talk_value(turn, number);
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    struct metric_turn ignored = { 0 };
    if (!answer) {
        ask(talk, turn);
        return;
    }
    if (answer->failure) {
        talk_fail(talk, turn, "error querying external metrics API: %s", answer->failure);
    } else if (answer->status < 200 || answer->status > 299) {
        const struct val *body = talk_json(talk, answer, &ignored);
        talk_fail(talk, turn, "error querying external metrics API: %.1000s",
                  val_text_or(val_get(body, "message"), talk_status(talk, answer->status)));
    } else if (talk->question->is_probe) {
        talk_value(turn, 1);
    } else {
        read_items(talk, answer, turn);
    }
}

const struct metric_provider metric_externalmetrics = { .type = "externalmetrics",
                                                        .begin = begin,
                                                        .next = next };
