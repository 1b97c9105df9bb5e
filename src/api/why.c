#include "api/why.h"

const char *api_why_state_name(enum api_why_state state)
{
    switch (state) {
    case API_WHY_UNKNOWN: return "unknown";
    case API_WHY_FETCHED: return "fetched";
    case API_WHY_APPLYING: return "applying";
    case API_WHY_HELD: return "held";
    case API_WHY_APPLIED: return "applied";
    }
    return "";
}

static bool has_no_repository(const struct api_why_view *view)
{
    return !view->is_configured;
}

static bool is_missing(const struct api_why_view *view)
{
    return !view->is_known;
}

static bool is_missing_in_trouble(const struct api_why_view *view)
{
    return !view->is_known && *view->source_error;
}

static bool is_unverified(const struct api_why_view *view)
{
    return !view->is_on_branch && view->is_unverified;
}

static bool is_elsewhere(const struct api_why_view *view)
{
    return !view->is_on_branch;
}

static bool has_held_objects(const struct api_why_view *view)
{
    return view->is_reached && view->held > 0;
}

static bool is_reached_outside(const struct api_why_view *view)
{
    return view->is_reached && view->is_outside;
}

static bool is_reached_beside_others(const struct api_why_view *view)
{
    return view->is_reached && view->held_others > 0;
}

static bool is_reached_unmarked(const struct api_why_view *view)
{
    return view->is_reached && !view->is_marked;
}

static bool is_reached(const struct api_why_view *view)
{
    return view->is_reached;
}

static bool is_failing(const struct api_why_view *view)
{
    return *view->sync_error;
}

static bool is_running(const struct api_why_view *view)
{
    return view->is_running;
}

static bool is_marked(const struct api_why_view *view)
{
    return view->is_marked;
}

static bool always(const struct api_why_view *view)
{
    (void)view;
    return true;
}

enum detail {
    DETAIL_NONE,
    DETAIL_URL,
    DETAIL_SOURCE_ERROR,
    DETAIL_SYNC_ERROR,
    DETAIL_BRANCH,
    DETAIL_HELD,
    DETAIL_OTHERS
};

/* First match wins: from "not here at all" towards "done". The detail follows the text. */
static const struct rule {
    bool (*when)(const struct api_why_view *view);
    const char *text;
    enum api_why_state state;
    enum detail detail;
} rules[] = {
    // clang-format off
    { has_no_repository,         "no git repository is configured",                                                              API_WHY_UNKNOWN,  DETAIL_NONE },
    { is_missing_in_trouble,     "not fetched: git has trouble",                                                                 API_WHY_UNKNOWN,  DETAIL_SOURCE_ERROR },
    { is_missing,                "not fetched: it was not pushed, or only to another branch or after the last fetch, to",        API_WHY_UNKNOWN,  DETAIL_URL },
    { is_unverified,             "fetched, but held back: it or a commit before it has no valid signature",                      API_WHY_FETCHED,  DETAIL_NONE },
    { is_elsewhere,              "fetched, but not part of the watched branch",                                                  API_WHY_FETCHED,  DETAIL_BRANCH },
    { has_held_objects,          "reached, but not all of it is as it declares",                                                 API_WHY_HELD,     DETAIL_HELD },
    { is_reached_outside,        "applied: it changes nothing below the watched paths",                                          API_WHY_APPLIED,  DETAIL_NONE },
    { is_reached_beside_others,  "applied; objects of other commits are held up",                                                API_WHY_APPLIED,  DETAIL_OTHERS },
    { is_reached_unmarked,       "applied; the sync marker was not moved to it yet",                                             API_WHY_APPLIED,  DETAIL_NONE },
    { is_reached,                "applied",                                                                                      API_WHY_APPLIED,  DETAIL_NONE },
    { is_running,                "a sync is running",                                                                            API_WHY_APPLYING, DETAIL_NONE },
    { is_failing,                "the sync fails as a whole",                                                                    API_WHY_HELD,     DETAIL_SYNC_ERROR },
    { is_marked,                 "applied by an earlier run, says the sync marker; this run has not synced yet",                 API_WHY_APPLIED,  DETAIL_NONE },
    { always,                    "the next sync will apply it",                                                                  API_WHY_APPLYING, DETAIL_NONE },
    // clang-format on
};

static const char *with_detail(struct arena *mem, const struct rule *rule,
                               const struct api_why_view *view)
{
    switch (rule->detail) {
    case DETAIL_NONE: break;
    case DETAIL_URL: return arena_printf(mem, "%s %s", rule->text, view->url);
    case DETAIL_SOURCE_ERROR: return arena_printf(mem, "%s: %s", rule->text, view->source_error);
    case DETAIL_SYNC_ERROR: return arena_printf(mem, "%s: %s", rule->text, view->sync_error);
    case DETAIL_BRANCH: return arena_printf(mem, "%s %s", rule->text, view->branch);
    case DETAIL_HELD: return arena_printf(mem, "%s: %zu", rule->text, view->held);
    case DETAIL_OTHERS: return arena_printf(mem, "%s: %zu", rule->text, view->held_others);
    }
    return rule->text;
}

struct api_why api_why_step(struct arena *mem, const struct api_why_view *view)
{
    const struct rule *rule = rules;
    while (!rule->when(view))
        rule++; /* the last row always matches */
    return (struct api_why){ .state = rule->state, .text = with_detail(mem, rule, view) };
}
