/* api/procstat.h - reads the line of /proc/PID/stat.
 * Effects:   none (pure).
 * Ownership: none.
 * Units:     clock ticks, pages, bytes, as the kernel counts. */
#ifndef SERIN_API_PROCSTAT_H
#define SERIN_API_PROCSTAT_H

#include "base/base.h"

struct api_procstat {
    uint64_t user_ticks, system_ticks, start_ticks, virtual_bytes, resident_pages;
};

/* False if the text is no such line. */
bool api_procstat_parse(const char *text, struct api_procstat *out);

#endif
