#include "api/procstat.h"

#include <stdlib.h>
#include <string.h>

/* Fields are counted from 1 as in proc(5): pid (comm) state ppid … The name may hold blanks and brackets, so fields are
 * counted from its last bracket on. */
enum {
    FIELD_STATE = 3,
    FIELD_UTIME = 14,
    FIELD_STIME = 15,
    FIELD_STARTTIME = 22,
    FIELD_VSIZE = 23,
    FIELD_RSS = 24
};

bool api_procstat_parse(const char *text, struct api_procstat *out)
{
    const char *at = strrchr(text, ')');
    *out = (struct api_procstat){ 0 };
    if (!at)
        return false;
    at++;
    for (int field = FIELD_STATE; field <= FIELD_RSS; field++) {
        at += strspn(at, " ");
        if (*at == '\0')
            return false;
        uint64_t number = strtoull(at, NULL, 10);
        if (field == FIELD_UTIME)
            out->user_ticks = number;
        else if (field == FIELD_STIME)
            out->system_ticks = number;
        else if (field == FIELD_STARTTIME)
            out->start_ticks = number;
        else if (field == FIELD_VSIZE)
            out->virtual_bytes = number;
        else if (field == FIELD_RSS)
            out->resident_pages = number;
        at += strcspn(at, " ");
    }
    return true;
}
