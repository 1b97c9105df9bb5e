#include "image/scan_metrics.h"

#include <string.h>

static const double buckets[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };

static struct metric *declare(struct metrics *all, const char *name, const char *help,
                              enum metric_type type)
{
    struct metric_spec spec = { .name = name, .help = help, .type = type };
    if (type == METRIC_HISTOGRAM) {
        spec.buckets = buckets;
        spec.bucket_count = ARRAY_LEN(buckets);
        bool has_kind = strstr(name, "client") != NULL;
        spec.labels[0] = has_kind ? "kind" : "success";
        spec.labels[1] = has_kind ? "success" : NULL;
    }
    return metrics_declare(all, &spec);
}

void scan_metrics_init(struct scan_metrics *out, struct metrics *all)
{
    *out = (struct scan_metrics){ .scan_times = NULL };
    if (!all)
        return;
    out->scan_times =
        declare(all, "flux_registry_fetch_duration_seconds",
                "Duration of scans of image repositories, in seconds.", METRIC_HISTOGRAM);
    out->fetch_times =
        declare(all, "flux_client_fetch_duration_seconds",
                "Duration of listing the tags of a repository, or of looking at the image of one "
                "tag, in seconds.",
                METRIC_HISTOGRAM);
    out->repo_count = declare(all, "serin_registry_repositories",
                              "Repositories of images that something is known of.", METRIC_GAUGE);
    out->tag_count =
        declare(all, "serin_registry_tags", "Tags of images that are known.", METRIC_GAUGE);
    out->byte_count = declare(all, "serin_registry_bytes",
                              "Memory that the known tags of images take.", METRIC_GAUGE);
    out->evictions =
        declare(all, "serin_registry_evictions_total",
                "Repositories whose tags were thrown out for want of room.", METRIC_COUNTER);
}
