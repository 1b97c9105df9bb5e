#include "canary/canary.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/time.h"
#include "doc/object.h"

#define INTERVAL_DEFAULT_MS  60000
#define INTERVAL_LEAST_MS    10000
#define DEADLINE_DEFAULT_S   600
#define READY_DEFAULT        100
#define COOKIE_AGE_DEFAULT_S 86400

/* What a field holds, and so the type of the member it is read into. */
enum field_type {
    FIELD_TEXT,   /* const char *; "" unless set */
    FIELD_WHOLE,  /* int64_t of 32 bits: sums of a few stay in range */
    FIELD_NUMBER, /* double */
    FIELD_FLAG,   /* bool */
    FIELD_MAP,    /* const struct val *; NULL unless set */
    FIELD_TEXTS,  /* the same, of a map from text to text */
    FIELD_LIST,   /* the same, of a list */
};

struct field {
    const char *key;
    enum field_type type;
    bool is_required;
    size_t at; /* of the member in its struct */
};
#define FIELD(of, member, key, type)                          \
    {                                                         \
        key, FIELD_##type, false, offsetof(struct of, member) \
    }
#define REQUIRED(of, member, key, type)                      \
    {                                                        \
        key, FIELD_##type, true, offsetof(struct of, member) \
    }

struct reader {
    struct arena *mem;
    struct canary *canary;
    const char *analysis; /* "spec.analysis", or the deprecated spelling */
};

static const char *below(const struct reader *reader, const char *place, const char *key)
{
    return arena_printf(reader->mem, "%s.%s", place, key);
}

/* -- one field ------------------------------------------------------------------------------- */

static struct err *wrong_type(const char *wanted, const struct val *v)
{
    return err_new(ERR_INVALID, "must be %s, not %s", wanted, val_type_name(v->type));
}

static struct err *read_text(const struct val *v, const char **out)
{
    if (v->type != VAL_STRING)
        return wrong_type("a string", v);
    if (strlen(v->text) != v->len)
        return err_new(ERR_INVALID, "has a NUL character in it");
    *out = v->text;
    return NULL;
}

static struct err *read_number(const struct val *v, double *out)
{
    if (v->type != VAL_NUMBER)
        return wrong_type("a number", v);
    *out = strtod(v->text, NULL);
    return NULL;
}

/* The schema's numbers may come as 30 or as 30.0. */
static struct err *read_whole(const struct val *v, int64_t *out)
{
    double number = 0;
    if (v->type != VAL_NUMBER)
        return wrong_type("a whole number", v);
    TRY(read_number(v, &number));
    if (!(number >= INT32_MIN && number <= INT32_MAX))
        return err_new(ERR_LIMIT, "must be a whole number of at most 32 bits, is %.40s", v->text);
    if ((double)(int64_t)number < number || (double)(int64_t)number > number)
        return err_new(ERR_INVALID, "must be a whole number, is %.40s", v->text);
    *out = (int64_t)number;
    return NULL;
}

static struct err *read_flag(const struct val *v, bool *out)
{
    if (v->type != VAL_BOOL)
        return wrong_type("true or false", v);
    *out = v->boolean;
    return NULL;
}

static struct err *read_container(const struct val *v, enum val_type type, const struct val **out)
{
    if (v->type != type)
        return wrong_type(val_type_name(type), v);
    *out = v;
    return NULL;
}

static struct err *read_texts(const struct val *v, const struct val **out)
{
    TRY(read_container(v, VAL_MAP, out));
    for (size_t i = 0; i < v->len; i++) {
        const struct val_pair *pair = &v->pairs[i];
        const char *text;
        if (pair->value->type != VAL_STRING)
            return err_new(ERR_INVALID, "\"%.100s\" must be a string, not %s", pair->key,
                           val_type_name(pair->value->type));
        TRY(err_wrap(read_text(pair->value, &text), "\"%.100s\"", pair->key));
    }
    return NULL;
}

static struct err *read_field(const struct val *v, const struct field *field, void *out)
{
    void *member = (char *)out + field->at;
    switch (field->type) {
    case FIELD_TEXT: return read_text(v, member);
    case FIELD_WHOLE: return read_whole(v, member);
    case FIELD_NUMBER: return read_number(v, member);
    case FIELD_FLAG: return read_flag(v, member);
    case FIELD_MAP: return read_container(v, VAL_MAP, member);
    case FIELD_TEXTS: return read_texts(v, member);
    case FIELD_LIST: return read_container(v, VAL_LIST, member);
    }
    return NULL;
}

/* -- maps and lists of them ------------------------------------------------------------------ */

/* Reads what is there of `fields` into `out`, which has the defaults. A null is absent. */
static struct err *read_map(const char *place, const struct val *map, const struct field *fields,
                            size_t len, void *out)
{
    if (val_is_null(map))
        return err_new(ERR_INVALID, "%s: missing", place);
    if (!val_is_map(map))
        return err_wrap(wrong_type("a map", map), "%s", place);
    for (size_t i = 0; i < len; i++) {
        const struct val *v = val_get(map, fields[i].key);
        if (!val_is_null(v))
            TRY(err_wrap(read_field(v, &fields[i], out), "%s.%s", place, fields[i].key));
        else if (fields[i].is_required)
            return err_new(ERR_INVALID, "%s.%s: missing", place, fields[i].key);
    }
    return NULL;
}

typedef struct err *(*read_item)(struct reader *reader, const char *place, const struct val *v,
                                 void *out);

/* A list of the analysis, item by item, into an array of its own. */
struct item_list {
    const char *key;
    size_t size; /* of an item */
    read_item read;
    void *at; /* found */
    size_t len;
};

static struct err *read_items(struct reader *reader, const struct val *map, struct item_list *out)
{
    const struct val *list = val_get(map, out->key);
    if (val_is_null(list))
        return NULL;
    if (!val_is_list(list))
        return err_wrap(wrong_type("a list", list), "%s.%s", reader->analysis, out->key);
    if (list->len > CANARY_LIST_MAX)
        return err_new(ERR_LIMIT, "%s.%s: has %zu entries, at most %d are allowed",
                       reader->analysis, out->key, list->len, CANARY_LIST_MAX);
    out->len = list->len;
    out->at = arena_alloc(reader->mem, (list->len + 1) * out->size);
    for (size_t i = 0; i < list->len; i++)
        TRY(out->read(reader,
                      arena_printf(reader->mem, "%s.%s[%zu]", reader->analysis, out->key, i),
                      list->items[i], (char *)out->at + i * out->size));
    return NULL;
}

struct words {
    const char *const *at;
    size_t len;
};
#define WORDS(list) (&(const struct words){ list, ARRAY_LEN(list) })

/* A word of a list of known ones: its place in the list. Absent and empty is the first. */
static struct err *read_word(const char *place, const struct val *v, const struct words *known,
                             size_t *out)
{
    const char *word = "";
    *out = 0;
    if (!val_is_null(v))
        TRY(err_wrap(read_text(v, &word), "%s", place));
    if (!*word)
        return NULL;
    SBUF(list, 1024);
    for (size_t i = 0; i < known->len; i++) {
        if (strcmp(known->at[i], word) == 0)
            return *out = i, NULL;
        sbuf_addf(&list, "%s%s", i == 0 ? "" : i + 1 < known->len ? ", " : " or ", known->at[i]);
    }
    return err_new(ERR_INVALID, "%s: must be %s, is \"%.100s\"", place, sbuf_text(&list), word);
}

/* -- the lists of an analysis ---------------------------------------------------------------- */

static struct err *read_step_weight(struct reader *reader, const char *place, const struct val *v,
                                    void *out)
{
    (void)reader;
    if (val_is_null(v))
        return err_new(ERR_INVALID, "%s: must be a whole number, not null", place);
    return err_wrap(read_whole(v, out), "%s", place);
}

static struct err *read_hook(struct reader *reader, const char *place, const struct val *v,
                             void *out)
{
    static const char *const types[] = {
        [CANARY_HOOK_ROLLOUT] = "rollout",
        [CANARY_HOOK_CONFIRM_ROLLOUT] = "confirm-rollout",
        [CANARY_HOOK_PRE_ROLLOUT] = "pre-rollout",
        [CANARY_HOOK_CONFIRM_TRAFFIC_INCREASE] = "confirm-traffic-increase",
        [CANARY_HOOK_CONFIRM_PROMOTION] = "confirm-promotion",
        [CANARY_HOOK_POST_ROLLOUT] = "post-rollout",
        [CANARY_HOOK_EVENT] = "event",
        [CANARY_HOOK_ROLLBACK] = "rollback",
    };
    static const struct field fields[] = {
        REQUIRED(canary_hook, name, "name", TEXT),
        REQUIRED(canary_hook, url, "url", TEXT),
        FIELD(canary_hook, timeout, "timeout", TEXT),
        FIELD(canary_hook, retries, "retries", WHOLE),
        FIELD(canary_hook, disable_tls, "disableTLS", FLAG),
        FIELD(canary_hook, mute_alert, "muteAlert", FLAG),
        FIELD(canary_hook, metadata, "metadata", TEXTS),
    };
    struct canary_hook *hook = out;
    size_t type;
    *hook = (struct canary_hook){ .timeout = "" };
    TRY(read_map(place, v, fields, ARRAY_LEN(fields), hook));
    TRY(read_word(below(reader, place, "type"), val_get(v, "type"), WORDS(types), &type));
    hook->type = (enum canary_hook_type)type;
    return NULL;
}

static struct err *read_range(const char *place, const struct val *range, struct canary_metric *out)
{
    static const struct field fields[] = {
        FIELD(canary_metric, min, "min", NUMBER),
        FIELD(canary_metric, max, "max", NUMBER),
    };
    out->has_range = !val_is_null(range);
    out->has_min = !val_is_null(val_get(range, "min"));
    out->has_max = !val_is_null(val_get(range, "max"));
    return out->has_range ? read_map(place, range, fields, ARRAY_LEN(fields), out) : NULL;
}

struct name_ref {
    const char *name, *ns;
};

/* A reference to an object of our own kinds: by default in the canary's namespace. */
static struct err *read_name_ref(const struct reader *reader, const char *place,
                                 const struct val *v, struct name_ref *out)
{
    static const struct field fields[] = {
        REQUIRED(name_ref, name, "name", TEXT),
        FIELD(name_ref, ns, "namespace", TEXT),
    };
    out->ns = "";
    TRY(read_map(place, v, fields, ARRAY_LEN(fields), out));
    if (!*out->ns)
        out->ns = reader->canary->ns;
    return NULL;
}

static struct err *read_metric(struct reader *reader, const char *place, const struct val *v,
                               void *out)
{
    static const struct field fields[] = {
        REQUIRED(canary_metric, name, "name", TEXT),
        FIELD(canary_metric, interval, "interval", TEXT),
        FIELD(canary_metric, threshold, "threshold", NUMBER),
        FIELD(canary_metric, query, "query", TEXT),
        FIELD(canary_metric, variables, "templateVariables", TEXTS),
    };
    struct canary_metric *metric = out;
    *metric = (struct canary_metric){
        .interval = "", .query = "", .template_name = "", .template_ns = ""
    };
    TRY(read_map(place, v, fields, ARRAY_LEN(fields), metric));
    if (!*metric->interval)
        metric->interval = "1m";
    TRY(read_range(below(reader, place, "thresholdRange"), val_get(v, "thresholdRange"), metric));
    const struct val *ref = val_get(v, "templateRef");
    if (val_is_null(ref))
        return NULL;
    struct name_ref template;
    TRY(read_name_ref(reader, below(reader, place, "templateRef"), ref, &template));
    metric->template_name = template.name;
    metric->template_ns = template.ns;
    return NULL;
}

static struct err *read_alert(struct reader *reader, const char *place, const struct val *v,
                              void *out)
{
    static const char *const severities[] = {
        [CANARY_INFO] = "info", [CANARY_WARN] = "warn", [CANARY_ERROR] = "error"
    };
    static const struct field fields[] = { REQUIRED(canary_alert, name, "name", TEXT) };
    struct canary_alert *alert = out;
    size_t severity;
    struct name_ref provider;
    TRY(read_map(place, v, fields, ARRAY_LEN(fields), alert));
    TRY(read_word(below(reader, place, "severity"), val_get(v, "severity"), WORDS(severities),
                  &severity));
    TRY(read_name_ref(reader, below(reader, place, "providerRef"), val_get(v, "providerRef"),
                      &provider));
    alert->severity = (enum canary_severity)severity;
    alert->provider_name = provider.name;
    alert->provider_ns = provider.ns;
    return NULL;
}

/* -- analysis -------------------------------------------------------------------------------- */

static struct err *read_affinity(struct reader *reader, const struct val *v,
                                 struct canary_analysis *out)
{
    static const struct field fields[] = {
        REQUIRED(canary_affinity, cookie_name, "cookieName", TEXT),
        FIELD(canary_affinity, primary_cookie_name, "primaryCookieName", TEXT),
        FIELD(canary_affinity, domain, "domain", TEXT),
        FIELD(canary_affinity, path, "path", TEXT),
        FIELD(canary_affinity, same_site, "sameSite", TEXT),
        FIELD(canary_affinity, max_age_s, "maxAge", WHOLE),
        FIELD(canary_affinity, http_only, "httpOnly", FLAG),
        FIELD(canary_affinity, partitioned, "partitioned", FLAG),
        FIELD(canary_affinity, secure, "secure", FLAG),
    };
    if (val_is_null(v))
        return NULL;
    struct canary_affinity *affinity = arena_alloc(reader->mem, sizeof(*affinity));
    *affinity = (struct canary_affinity){
        .primary_cookie_name = "", .domain = "", .path = "", .same_site = ""
    };
    TRY(read_map(below(reader, reader->analysis, "sessionAffinity"), v, fields, ARRAY_LEN(fields),
                 affinity));
    if (affinity->max_age_s == 0)
        affinity->max_age_s = COOKIE_AGE_DEFAULT_S;
    out->affinity = affinity;
    return NULL;
}

static int64_t interval_of(const char *text)
{
    int64_t ms = 0;
    SCOPED(err_free) struct err *e = duration_parse(text, &ms);
    return e ? INTERVAL_DEFAULT_MS : MAX_OF(ms, INTERVAL_LEAST_MS);
}

static struct err *read_analysis_lists(struct reader *reader, const struct val *v,
                                       struct canary_analysis *out)
{
    struct item_list weights = { "stepWeights", sizeof(int64_t), read_step_weight, NULL, 0 };
    struct item_list metrics = { "metrics", sizeof(struct canary_metric), read_metric, NULL, 0 };
    struct item_list alerts = { "alerts", sizeof(struct canary_alert), read_alert, NULL, 0 };
    struct item_list hooks = { "webhooks", sizeof(struct canary_hook), read_hook, NULL, 0 };
    struct item_list *const lists[] = { &weights, &metrics, &alerts, &hooks };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        TRY(read_items(reader, v, lists[i]));
    out->step_weights = weights.at;
    out->step_weights_len = weights.len;
    out->metrics = metrics.at;
    out->metrics_len = metrics.len;
    out->alerts = alerts.at;
    out->alerts_len = alerts.len;
    out->hooks = hooks.at;
    out->hooks_len = hooks.len;
    return NULL;
}

static struct err *read_analysis(struct reader *reader, const struct val *v,
                                 struct canary_analysis *out)
{
    static const struct field fields[] = {
        FIELD(canary_analysis, interval_text, "interval", TEXT),
        FIELD(canary_analysis, threshold, "threshold", WHOLE),
        FIELD(canary_analysis, iterations, "iterations", WHOLE),
        FIELD(canary_analysis, max_weight, "maxWeight", WHOLE),
        FIELD(canary_analysis, step_weight, "stepWeight", WHOLE),
        FIELD(canary_analysis, step_weight_promotion, "stepWeightPromotion", WHOLE),
        FIELD(canary_analysis, mirror, "mirror", FLAG),
        FIELD(canary_analysis, mirror_weight, "mirrorWeight", WHOLE),
        FIELD(canary_analysis, primary_ready_threshold, "primaryReadyThreshold", WHOLE),
        FIELD(canary_analysis, canary_ready_threshold, "canaryReadyThreshold", WHOLE),
        FIELD(canary_analysis, match, "match", LIST),
    };
    *out = (struct canary_analysis){ .interval_text = "",
                                     .primary_ready_threshold = READY_DEFAULT,
                                     .canary_ready_threshold = READY_DEFAULT };
    TRY(read_map(reader->analysis, v, fields, ARRAY_LEN(fields), out));
    out->interval_ms = interval_of(out->interval_text);
    out->threshold = MAX_OF(out->threshold, 1);
    if (val_len(out->match) > CANARY_LIST_MAX)
        return err_new(ERR_LIMIT, "%s.match: has %zu entries, at most %d are allowed",
                       reader->analysis, out->match->len, CANARY_LIST_MAX);
    if (val_len(out->match) == 0)
        out->match = NULL;
    TRY(read_analysis_lists(reader, v, out));
    return read_affinity(reader, val_get(v, "sessionAffinity"), out);
}

/* -- spec ------------------------------------------------------------------------------------ */

static struct err *read_ref(const struct reader *reader, const struct val *spec, const char *key,
                            struct canary_ref *out)
{
    static const struct field fields[] = {
        REQUIRED(canary_ref, api_version, "apiVersion", TEXT),
        REQUIRED(canary_ref, kind, "kind", TEXT),
        REQUIRED(canary_ref, name, "name", TEXT),
        FIELD(canary_ref, ns, "namespace", TEXT),
    };
    *out = (struct canary_ref){ .api_version = "", .kind = "", .name = "", .ns = "" };
    if (val_is_null(val_get(spec, key)))
        return NULL;
    TRY(read_map(below(reader, "spec", key), val_get(spec, key), fields, ARRAY_LEN(fields), out));
    return *out->name ? NULL : err_new(ERR_INVALID, "spec.%s.name: is empty", key);
}

static struct err *read_refs(const struct reader *reader, const struct val *spec,
                             struct canary *out)
{
    const struct {
        const char *key;
        struct canary_ref *at;
    } refs[] = {
        { "targetRef", &out->target },     { "autoscalerRef", &out->scaler },
        { "ingressRef", &out->ingress },   { "routeRef", &out->route },
        { "upstreamRef", &out->upstream },
    };
    for (size_t i = 0; i < ARRAY_LEN(refs); i++)
        TRY(read_ref(reader, spec, refs[i].key, refs[i].at));
    return *out->target.name ? NULL : err_new(ERR_INVALID, "spec.targetRef: missing");
}

static struct err *read_apex(struct canary *out)
{
    static const struct field fields[] = { FIELD(canary, apex, "name", TEXT) };
    out->apex = "";
    if (out->service)
        TRY(read_map("spec.service", out->service, fields, ARRAY_LEN(fields), out));
    if (!*out->apex)
        out->apex = out->target.name;
    return NULL;
}

static struct err *read_spec(struct reader *reader, const struct val *spec, struct canary *out)
{
    static const struct field fields[] = {
        FIELD(canary, provider, "provider", TEXT),
        FIELD(canary, metrics_server, "metricsServer", TEXT),
        FIELD(canary, scaler_ref, "autoscalerRef", MAP),
        FIELD(canary, service, "service", MAP),
        FIELD(canary, progress_deadline_s, "progressDeadlineSeconds", WHOLE),
        FIELD(canary, skips_analysis, "skipAnalysis", FLAG),
        FIELD(canary, revert_on_deletion, "revertOnDeletion", FLAG),
        FIELD(canary, is_suspended, "suspend", FLAG),
    };
    out->provider = out->metrics_server = "";
    out->progress_deadline_s = DEADLINE_DEFAULT_S;
    TRY(read_map("spec", spec, fields, ARRAY_LEN(fields), out));
    TRY(read_refs(reader, spec, out));
    TRY(read_apex(out));
    const struct val *analysis = val_get(spec, "analysis");
    if (val_is_null(analysis)) {
        analysis = val_get(spec, "canaryAnalysis");
        reader->analysis = "spec.canaryAnalysis";
    }
    out->has_analysis = !val_is_null(analysis);
    out->skips_analysis |= !out->has_analysis;
    return out->has_analysis ? read_analysis(reader, analysis, &out->analysis) : NULL;
}

/* -- status ---------------------------------------------------------------------------------- */

struct status_words {
    const char *phase, *transition;
};

static struct err *read_status_words(const struct val *v, struct canary_status *out)
{
    static const struct field fields[] = {
        FIELD(status_words, phase, "phase", TEXT),
        FIELD(status_words, transition, "lastTransitionTime", TEXT),
    };
    struct status_words words = { "", "" };
    TRY(read_map("status", v, fields, ARRAY_LEN(fields), &words));
    while (strcmp(canary_phase_name(out->phase), words.phase) != 0)
        if (out->phase++ == CANARY_TERMINATED)
            return err_new(ERR_INVALID, "status.phase: there is no phase \"%.100s\"", words.phase);
    int64_t ns = 0;
    if (*words.transition)
        TRY(err_wrap(time_parse(words.transition, &ns), "status.lastTransitionTime"));
    out->last_transition_ms = ns / 1000000;
    return NULL;
}

static struct err *read_status(const struct val *v, struct canary_status *out)
{
    static const struct field fields[] = {
        FIELD(canary_status, failed_checks, "failedChecks", WHOLE),
        FIELD(canary_status, weight, "canaryWeight", WHOLE),
        FIELD(canary_status, iterations, "iterations", WHOLE),
        FIELD(canary_status, last_applied, "lastAppliedSpec", TEXT),
        FIELD(canary_status, last_promoted, "lastPromotedSpec", TEXT),
        FIELD(canary_status, tracked, "trackedConfigs", TEXTS),
        FIELD(canary_status, cookie, "sessionAffinityCookie", TEXT),
        FIELD(canary_status, primary_cookie, "primarySessionAffinityCookie", TEXT),
        FIELD(canary_status, previous_cookie, "previousSessionAffinityCookie", TEXT),
        FIELD(canary_status, conditions, "conditions", LIST),
    };
    *out = (struct canary_status){ .phase = CANARY_NONE,
                                   .last_applied = "",
                                   .last_promoted = "",
                                   .cookie = "",
                                   .primary_cookie = "",
                                   .previous_cookie = "" };
    if (val_is_null(v))
        return NULL;
    TRY(read_map("status", v, fields, ARRAY_LEN(fields), out));
    return read_status_words(v, out);
}

/* -- the object ------------------------------------------------------------------------------ */

static struct err *read_metadata(const struct val *object, struct canary *out)
{
    static const struct field fields[] = {
        REQUIRED(canary, name, "name", TEXT),
        REQUIRED(canary, ns, "namespace", TEXT),
        FIELD(canary, uid, "uid", TEXT),
        FIELD(canary, resource_version, "resourceVersion", TEXT),
    };
    const struct val *metadata = val_get(object, "metadata");
    out->uid = out->resource_version = "";
    TRY(read_map("metadata", metadata, fields, ARRAY_LEN(fields), out));
    if (!*out->name || !*out->ns)
        return err_new(ERR_INVALID, "metadata.%s: is empty", *out->name ? "namespace" : "name");
    out->generation = object_generation(object);
    out->is_deleting = !val_is_null(val_get(metadata, "deletionTimestamp"));
    const struct val *finalizers = val_get(metadata, "finalizers");
    for (size_t i = 0; val_is_list(finalizers) && i < finalizers->len; i++)
        out->has_finalizer |= strcmp(val_text_or(finalizers->items[i], ""), CANARY_FINALIZER) == 0;
    return NULL;
}

struct err *canary_parse(struct arena *mem, const struct val *object, struct canary *out)
{
    struct reader reader = { .mem = mem, .canary = out, .analysis = "spec.analysis" };
    *out = (struct canary){ .object = object };
    TRY(read_metadata(object, out));
    TRY(read_spec(&reader, val_get(object, "spec"), out));
    return read_status(val_get(object, "status"), &out->status);
}
