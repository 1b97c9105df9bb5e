#include "release/message.h"

#include <string.h>

#include "base/map.h"

#define SHORT_REVISION 7

/* --- lists in one line */

static void add_joined(struct sbuf *out, const char *text)
{
    if (out->len > 0)
        sbuf_add(out, ", ");
    sbuf_add(out, text);
}

static const char *join(struct arena *mem, const char *const *texts, const char *otherwise)
{
    SBUF(out, SBUF_MAX);
    for (; *texts; texts++)
        add_joined(&out, *texts);
    return out.len > 0 ? arena_strdup(mem, sbuf_text(&out)) : otherwise;
}

static const char *changed_ids(struct arena *mem, const struct release_result *result,
                               const char *otherwise)
{
    SBUF(out, SBUF_MAX);
    for (size_t i = 0; i < result->len; i++) {
        if (result->at[i].status == RELEASE_SUCCESS)
            add_joined(&out, result->at[i].id);
    }
    return out.len > 0 ? arena_strdup(mem, sbuf_text(&out)) : otherwise;
}

static bool is_of_all(const struct release_spec *spec)
{
    for (const char *const *at = spec->workloads; at && *at; at++) {
        if (strcmp(*at, RELEASE_ALL) == 0)
            return true;
    }
    return false;
}

/* --- commit messages */

static const char *without_brackets(struct arena *mem, const char *text)
{
    size_t front = strspn(text, "<>"), end = strlen(text);
    while (end > front && (text[end - 1] == '<' || text[end - 1] == '>'))
        end--;
    return arena_strndup(mem, text + front, end - front);
}

static void add_images(struct arena *mem, const struct release_spec *spec, struct sbuf *out)
{
    sbuf_addf(out, "Release %s to ", without_brackets(mem, spec->image));
    for (const char *const *at = spec->workloads; at && *at; at++)
        sbuf_addf(out, "%s%s", at == spec->workloads ? "" : ", ", without_brackets(mem, *at));
}

static void add_containers(struct arena *mem, const struct release_result *result, struct sbuf *out)
{
    const char *error = release_result_error(mem, result);
    sbuf_addf(out, "Update image refs in %s\n", changed_ids(mem, result, ""));
    for (size_t i = 0; i < result->len; i++) {
        const struct release_outcome *outcome = &result->at[i];
        if (outcome->status != RELEASE_SUCCESS)
            continue;
        sbuf_addf(out, "\n%s", outcome->id);
        for (size_t c = 0; c < outcome->changes.len; c++)
            sbuf_addf(out, "\n- %s", outcome->changes.at[c].target);
        sbuf_add(out, "\n");
    }
    if (*error)
        sbuf_addf(out, "\n%s", error);
}

static void add_auto(struct arena *mem, const struct release_result *result, struct sbuf *out)
{
    const char *const *images = release_result_images(mem, result);
    size_t count = 0;
    while (images[count])
        count++;
    if (count < 2) {
        sbuf_addf(out, "Auto-release %s", count == 1 ? images[0] : "no images");
        return;
    }
    sbuf_addf(out, "Auto-release multiple (%zu) images\n\n", count);
    for (; *images; images++)
        sbuf_addf(out, " - %s\n", *images);
}

/* What a policy is called when it comes and when it goes; the order is that of the message. */
static const struct event {
    const char *text;
    const char *added, *removed; /* the policy that makes the event; NULL: none */
} events[] = {
    { "Automated", "automated", NULL }, { "Deautomated", NULL, "automated" },
    { "Locked", "locked", NULL },       { "Unlocked", NULL, "locked" },
    { "Updated policies", NULL, NULL },
};

static bool has_other(const struct val *set)
{
    for (size_t i = 0; i < val_len(set); i++) {
        const char *policy = set->pairs[i].key;
        if (strcmp(policy, "automated") != 0 && strcmp(policy, "locked") != 0)
            return true;
    }
    return false;
}

static bool makes_event(const struct release_policy_update *update, const struct event *event)
{
    if (event->added)
        return val_get(update->add, event->added);
    if (event->removed)
        return val_get(update->remove, event->removed);
    return has_other(update->add) || has_other(update->remove);
}

static struct map *changed_set(const struct release_result *result)
{
    struct map *changed = map_new(NULL);
    for (size_t i = 0; i < result->len; i++) {
        if (result->at[i].status == RELEASE_SUCCESS)
            map_set(changed, result->at[i].id, &result->at[i]);
    }
    return changed;
}

static const char *event_ids(struct arena *mem, const struct release_spec *spec,
                             const struct map *changed, const struct event *event)
{
    SBUF(out, SBUF_MAX);
    for (size_t i = 0; i < spec->policy_count; i++) {
        const struct release_policy_update *update = &spec->policies[i];
        if (map_get(changed, update->id) && makes_event(update, event))
            add_joined(&out, update->id);
    }
    return arena_strdup(mem, sbuf_text(&out));
}

static void add_policies(struct arena *mem, const struct release_spec *spec,
                         const struct release_result *result, struct sbuf *out)
{
    SCOPED(map_free) struct map *changed = changed_set(result);
    const char *ids[ARRAY_LEN(events)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        ids[i] = event_ids(mem, spec, changed, &events[i]);
        count += *ids[i] != '\0';
    }
    bool is_alone = *spec->message == '\0' && count < 2;
    if (!is_alone)
        sbuf_addf(out, "%s\n\n", *spec->message ? spec->message : "Updated workload policies");
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (*ids[i])
            sbuf_addf(out, "%s%s: %s\n", is_alone ? "" : "- ", events[i].text, ids[i]);
    }
}

static void add_message(struct arena *mem, const struct release_spec *spec,
                        const struct release_result *result, struct sbuf *out)
{
    if (spec->type == RELEASE_POLICY) {
        add_policies(mem, spec, result, out);
        return;
    }
    if (*spec->message) {
        sbuf_add(out, spec->message);
        return;
    }
    switch (spec->type) {
    case RELEASE_IMAGE: add_images(mem, spec, out); return;
    case RELEASE_CONTAINERS: add_containers(mem, result, out); return;
    case RELEASE_AUTO: add_auto(mem, result, out); return;
    case RELEASE_POLICY:
    case RELEASE_SYNC: return;
    }
}

const char *release_message_commit(struct arena *mem, const struct release_spec *spec,
                                   const struct release_result *result, const char *ci_skip)
{
    SBUF(out, SBUF_MAX);
    add_message(mem, spec, result, &out);
    sbuf_add(&out, ci_skip);
    return arena_strdup(mem, sbuf_text(&out));
}

/* --- notes */

const char *release_message_note(struct arena *mem, const char *job_id,
                                 const struct release_spec *spec,
                                 const struct release_result *result)
{
    bool is_policy = spec->type == RELEASE_POLICY;
    struct val *note = val_new_map(mem);
    val_set_text(mem, note, "jobID", job_id);
    val_set(mem, note, "spec", release_spec_json(mem, spec));
    val_set(mem, note, "result",
            is_policy ? val_new(mem, VAL_NULL) : release_result_json(mem, result));
    return val_json(mem, note, NULL);
}

/* --- events */

const char *release_message_event(struct arena *mem, const struct release_spec *spec,
                                  const struct release_result *result, const char *revision)
{
    (void)spec;
    return arena_printf(mem, "Commit: %.*s, %s", SHORT_REVISION, revision,
                        changed_ids(mem, result, "<no changes>"));
}

/* As Go's %q: what cannot be seen is escaped. */
static void add_quoted(struct sbuf *out, const char *text)
{
    static const char letters[] = "abtnvfr"; /* of 7 to 13 */
    sbuf_add_char(out, '"');
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 7 && c <= 13)
            sbuf_addf(out, "\\%c", letters[c - 7]);
        else if (c < 0x20 || c == 0x7f)
            sbuf_addf(out, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            sbuf_addf(out, "\\%c", c);
        else
            sbuf_add_char(out, *at);
    }
    sbuf_add_char(out, '"');
}

static const char *released(struct arena *mem, const struct release_spec *spec,
                            const struct release_result *result)
{
    SBUF(out, SBUF_MAX);
    const char *ids = is_of_all(spec) ? "all workloads" : changed_ids(mem, result, "no workloads");
    sbuf_addf(&out, "Released: %s to %s",
              join(mem, release_result_images(mem, result), "no image changes"), ids);
    if (*spec->user)
        sbuf_addf(&out, ", by %s", spec->user);
    if (*spec->message) {
        sbuf_add(&out, ", with message ");
        add_quoted(&out, spec->message);
    }
    return arena_strdup(mem, sbuf_text(&out));
}

const char *release_message_applied(struct arena *mem, const struct release_spec *spec,
                                    const struct release_result *result)
{
    switch (spec->type) {
    case RELEASE_IMAGE:
    case RELEASE_CONTAINERS: return released(mem, spec, result);
    case RELEASE_AUTO:
        return arena_printf(mem, "Automated release of %s",
                            join(mem, release_result_images(mem, result), "no image changes"));
    case RELEASE_POLICY:
    case RELEASE_SYNC: break;
    }
    return "";
}
