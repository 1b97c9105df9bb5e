/* api/process.h - what the kernel says of this process: the process_* metrics of every Prometheus client library.
 * Effects:   reads /proc.
 * Ownership: borrows the metrics.
 * Units:     seconds, bytes. */
#ifndef SERIN_API_PROCESS_H
#define SERIN_API_PROCESS_H

#include "base/metrics.h"

struct api_process;
struct api_process *api_process_new(struct metrics *metrics);
void api_process_free(struct api_process *process);    /* NULL is fine */
void api_process_measure(struct api_process *process); /* before the metrics are shown */

#endif
