#include "base/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/number.h"
#include "base/vec.h"

#define LABELS_MAX    6
#define KEY_MAX_BYTES ((size_t)64 << 10)

struct series {
    char *values[LABELS_MAX];
    double number;    /* counter, gauge: the value; histogram: the sum */
    uint64_t count;   /* histogram only, as the buckets */
    uint64_t *bucket; /* not cumulative; the last one is +Inf */
};

struct metric {
    char *name, *help;
    enum metric_type type;
    char *labels[LABELS_MAX];
    size_t label_count;
    double *bounds;
    size_t bound_count;
    struct map *series; /* by key_of its values */
};

struct metrics {
    struct map *families; /* by name */
};

static void free_series(void *object)
{
    struct series *series = object;
    for (size_t i = 0; i < LABELS_MAX; i++)
        free(series->values[i]);
    free(series->bucket);
    free(series);
}

static void free_family(void *object)
{
    struct metric *family = object;
    free(family->name);
    free(family->help);
    for (size_t i = 0; i < LABELS_MAX; i++)
        free(family->labels[i]);
    free(family->bounds);
    map_free(family->series);
    free(family);
}

struct metrics *metrics_new(void)
{
    struct metrics *all = base_alloc(sizeof(*all));
    all->families = map_new(free_family);
    return all;
}

void metrics_free(struct metrics *all)
{
    if (!all)
        return;
    map_free(all->families);
    free(all);
}

struct metric *metrics_declare(struct metrics *all, const struct metric_spec *spec)
{
    struct metric *family = map_get(all->families, spec->name);
    if (family)
        return family;
    family = base_alloc(sizeof(*family));
    family->name = base_copy_text(spec->name);
    family->help = base_copy_text(spec->help);
    family->type = spec->type;
    for (size_t i = 0; i < ARRAY_LEN(spec->labels) && spec->labels[i]; i++)
        family->labels[family->label_count++] = base_copy_text(spec->labels[i]);
    family->bounds = base_alloc(spec->bucket_count * sizeof(double));
    family->bound_count = spec->bucket_count;
    for (size_t i = 0; i < spec->bucket_count; i++)
        family->bounds[i] = spec->buckets[i];
    family->series = map_new(free_series);
    map_set(all->families, spec->name, family);
    return family;
}

/* Lengths before the values keep ("a", "bc") and ("ab", "c") apart. */
static void key_of(const struct metric *family, const char *const *values, struct sbuf *out)
{
    for (size_t i = 0; i < family->label_count; i++)
        sbuf_addf(out, "%zu:%s", strlen(values[i]), values[i]);
}

static struct series *find(const struct metric *family, const char *const *values)
{
    SBUF(key, KEY_MAX_BYTES);
    key_of(family, values, &key);
    return map_get(family->series, sbuf_text(&key));
}

static struct series *need(struct metric *family, const char *const *values)
{
    SBUF(key, KEY_MAX_BYTES);
    key_of(family, values, &key);
    struct series *series = map_get(family->series, sbuf_text(&key));
    if (series)
        return series;
    series = base_alloc(sizeof(*series));
    for (size_t i = 0; i < family->label_count; i++)
        series->values[i] = base_copy_text(values[i]);
    if (family->type == METRIC_HISTOGRAM)
        series->bucket = base_alloc((family->bound_count + 1) * sizeof(*series->bucket));
    map_set(family->series, sbuf_text(&key), series);
    return series;
}

void metric_add(struct metric *family, const char *const *values, double by)
{
    ASSERT(family->type != METRIC_HISTOGRAM && (family->type != METRIC_COUNTER || by >= 0));
    need(family, values)->number += by;
}

void metric_set(struct metric *family, const char *const *values, double to)
{
    ASSERT(family->type == METRIC_GAUGE);
    need(family, values)->number = to;
}

void metric_observe(struct metric *family, const char *const *values, double amount)
{
    ASSERT(family->type == METRIC_HISTOGRAM);
    struct series *series = need(family, values);
    size_t at = 0;
    while (at < family->bound_count && !(amount <= family->bounds[at]))
        at++;
    series->bucket[at]++;
    series->count++;
    series->number += amount;
}

void metric_forget(struct metric *family, const char *const *values)
{
    SBUF(key, KEY_MAX_BYTES);
    key_of(family, values, &key);
    (void)map_remove(family->series, sbuf_text(&key));
}

double metric_value(const struct metric *family, const char *const *values)
{
    const struct series *series = find(family, values);
    if (!series)
        return 0;
    return family->type == METRIC_HISTOGRAM ? (double)series->count : series->number;
}

static void add_escaped(struct sbuf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\n')
            sbuf_add(out, "\\n");
        else if (strchr(special, *text))
            sbuf_addf(out, "\\%c", *text);
        else
            sbuf_add_char(out, *text);
    }
}

/* name_suffix{label="value",le="bound"} number; `bound` may be NULL. */
static void add_sample(struct sbuf *out, const struct metric *family, const struct series *series,
                       const char *suffix, const char *bound)
{
    sbuf_add(out, family->name);
    sbuf_add(out, suffix);
    if (family->label_count || bound)
        sbuf_add_char(out, '{');
    for (size_t i = 0; i < family->label_count; i++) {
        sbuf_addf(out, "%s%s=\"", i ? "," : "", family->labels[i]);
        add_escaped(out, series->values[i], "\\\"");
        sbuf_add_char(out, '"');
    }
    if (bound)
        sbuf_addf(out, "%sle=\"%s\"", family->label_count ? "," : "", bound);
    if (family->label_count || bound)
        sbuf_add_char(out, '}');
    sbuf_add_char(out, ' ');
}

static void add_histogram(struct sbuf *out, const struct metric *family,
                          const struct series *series)
{
    char text[NUMBER_TEXT_BYTES];
    uint64_t sum = 0;
    for (size_t i = 0; i <= family->bound_count; i++) {
        sum += series->bucket[i];
        if (i < family->bound_count)
            number_format_g(family->bounds[i], text);
        add_sample(out, family, series, "_bucket", i < family->bound_count ? text : "+Inf");
        sbuf_addf(out, "%llu\n", (unsigned long long)sum);
    }
    number_format_g(series->number, text);
    add_sample(out, family, series, "_sum", NULL);
    sbuf_addf(out, "%s\n", text);
    add_sample(out, family, series, "_count", NULL);
    sbuf_addf(out, "%llu\n", (unsigned long long)series->count);
}

static int by_values(const void *a, const void *b)
{
    const struct series *one = *(const struct series *const *)a,
                        *two = *(const struct series *const *)b;
    for (size_t i = 0; i < LABELS_MAX && one->values[i]; i++) {
        int order = strcmp(one->values[i], two->values[i]);
        if (order)
            return order;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct metric *const *)a)->name,
                  (*(const struct metric *const *)b)->name);
}

/* The values of a map, sorted, on the heap; the caller frees them. */
static void **sorted(const struct map *map, int (*order)(const void *, const void *))
{
    void **all = base_alloc(map_len(map) * sizeof(*all)), *value;
    size_t used = 0;
    for (size_t at = 0; map_next(map, &at, NULL, &value);)
        all[used++] = value;
    qsort(all, used, sizeof(*all), order);
    return all;
}

static void add_family(struct sbuf *out, const struct metric *family)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"
    };
    if (!map_len(family->series))
        return;
    sbuf_addf(out, "# HELP %s ", family->name);
    add_escaped(out, family->help, "\\");
    sbuf_addf(out, "\n# TYPE %s %s\n", family->name, types[family->type]);
    void **all = sorted(family->series, by_values);
    for (size_t i = 0; i < map_len(family->series); i++) {
        const struct series *series = all[i];
        if (family->type == METRIC_HISTOGRAM) {
            add_histogram(out, family, series);
            continue;
        }
        char text[NUMBER_TEXT_BYTES];
        number_format_g(series->number, text);
        add_sample(out, family, series, "", NULL);
        sbuf_addf(out, "%s\n", text);
    }
    free(all);
}

void metrics_format(const struct metrics *all, struct sbuf *out)
{
    void **families = sorted(all->families, by_name);
    for (size_t i = 0; i < map_len(all->families); i++)
        add_family(out, families[i]);
    free(families);
}
