/* doc/shape.h - which fields of the built-in kinds a strategic merge treats specially.
 * Effects:   none.
 * Ownership: strings are static.
 * A shape is a kind of map ("a pod's spec"). A field that no row names is merged if it is a map, replaced if it is a list,
 * and nothing below it is special. */
#ifndef SERIN_DOC_SHAPE_H
#define SERIN_DOC_SHAPE_H

#include "base/base.h"

enum shape {
    SHAPE_PLAIN,
    SHAPE_OBJECT, /* of a kind with nothing special but its metadata */
    SHAPE_META,
    SHAPE_STATUS,
    SHAPE_WORKLOAD,
    SHAPE_WORKLOAD_SPEC,
    SHAPE_TEMPLATE,
    SHAPE_POD,
    SHAPE_POD_SPEC,
    SHAPE_POD_STATUS,
    SHAPE_CONTAINER,
    SHAPE_POD_TEMPLATE,
    SHAPE_CRON_JOB,
    SHAPE_CRON_JOB_SPEC,
    SHAPE_JOB_TEMPLATE,
    SHAPE_SERVICE,
    SHAPE_SERVICE_SPEC,
    SHAPE_SERVICE_ACCOUNT,
    SHAPE_NODE,
    SHAPE_NODE_SPEC,
    SHAPE_BUDGET,
    SHAPE_BUDGET_SPEC,
    SHAPE_WEBHOOKS,
    SHAPE_WEBHOOK,
    SHAPE_ADMISSION,
    SHAPE_ADMISSION_SPEC,
    SHAPE_WITH_STATUS,
    SHAPE_CSI_NODE,
    SHAPE_CSI_NODE_SPEC,
};

struct shape_field {
    enum shape in;
    const char *name;
    const char *merge_key; /* of the maps in a merged list; NULL for texts and numbers */
    bool is_merged_list;
    bool is_replaced;      /* a map that is not merged */
    bool keeps_named_keys; /* patches of this map, or of maps in this list, carry $retainKeys */
    enum shape inside;     /* of the map, or of the maps in the list */
};

/* False for kinds that are not built in. */
bool shape_of_kind(const char *api_version, const char *kind, enum shape *out);
/* What is known of a field; never NULL: a field without a row is plain. */
const struct shape_field *shape_of_field(enum shape in, const char *name);

#endif
