#include "api/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/procstat.h"

#define FILE_BYTES 4096

struct api_process {
    struct metric *resident, *virtual_, *cpu, *start, *fds, *max_fds;
    double ticks, page_bytes;
};

static struct metric *declare(struct metrics *metrics, enum metric_type type, const char *name,
                              const char *help)
{
    return metrics_declare(metrics,
                           &(struct metric_spec){ .name = name, .help = help, .type = type });
}

/* The beginning of a file of /proc, NUL-terminated; false if it cannot be read. */
static bool read_head(const char *path, char out[FILE_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t len = fread(out, 1, FILE_BYTES - 1, file);
    out[len] = '\0';
    (void)fclose(file);
    return len > 0;
}

/* The line "btime N" of /proc/stat stands behind those of all processors. */
static double read_boot_time(void)
{
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return 0;
    char line[FILE_BYTES];
    double boot_s = 0;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "btime ", 6) == 0)
            boot_s = strtod(line + 6, NULL);
    }
    (void)fclose(file);
    return boot_s;
}

struct api_process *api_process_new(struct metrics *metrics)
{
    struct api_process *process = base_alloc(sizeof(*process));
    process->ticks = (double)sysconf(_SC_CLK_TCK);
    process->page_bytes = (double)sysconf(_SC_PAGESIZE);
    process->resident = declare(metrics, METRIC_GAUGE, "process_resident_memory_bytes",
                                "Resident memory size in bytes.");
    process->virtual_ = declare(metrics, METRIC_GAUGE, "process_virtual_memory_bytes",
                                "Virtual memory size in bytes.");
    process->cpu = declare(metrics, METRIC_COUNTER, "process_cpu_seconds_total",
                           "Total user and system CPU time spent in seconds.");
    process->start = declare(metrics, METRIC_GAUGE, "process_start_time_seconds",
                             "Start time of the process since the Unix epoch in seconds.");
    process->fds =
        declare(metrics, METRIC_GAUGE, "process_open_fds", "Number of open file descriptors.");
    process->max_fds = declare(metrics, METRIC_GAUGE, "process_max_fds",
                               "Maximum number of open file descriptors.");
    char text[FILE_BYTES];
    struct api_procstat stat;
    if (read_head("/proc/self/stat", text) && api_procstat_parse(text, &stat))
        metric_set(process->start, NULL,
                   read_boot_time() + (double)stat.start_ticks / process->ticks);
    return process;
}

void api_process_free(struct api_process *process)
{
    free(process);
}

static double count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    double count = 0;
    for (const struct dirent *entry;
         (entry = readdir(dir));) /* NOLINT(concurrency-mt-unsafe): a DIR of our own */
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count - 1; /* without the one we look with */
}

void api_process_measure(struct api_process *process)
{
    char text[FILE_BYTES];
    struct api_procstat stat;
    if (!read_head("/proc/self/stat", text) || !api_procstat_parse(text, &stat))
        return;
    double cpu_s = (double)(stat.user_ticks + stat.system_ticks) / process->ticks;
    metric_set(process->resident, NULL, (double)stat.resident_pages * process->page_bytes);
    metric_set(process->virtual_, NULL, (double)stat.virtual_bytes);
    metric_add(process->cpu, NULL, cpu_s - metric_value(process->cpu, NULL));
    metric_set(process->fds, NULL, count_fds());
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_set(process->max_fds, NULL, (double)limit.rlim_cur);
}
