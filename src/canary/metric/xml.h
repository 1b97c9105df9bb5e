/* canary/metric/xml.h - a value in an answer of XML, by the names of the elements around it.
 * Effects:   none.
 * Ownership: texts are in the caller's arena.
 * Reads what AWS sends: elements and texts, entities of XML and numbers. Attributes, comments, processing instructions and
 * namespaces are passed over; a document type is refused. Depth is bounded by XML_DEPTH_MAX. */
#ifndef SERIN_CANARY_METRIC_XML_H
#define SERIN_CANARY_METRIC_XML_H

#include "base/arena.h"

#define XML_DEPTH_MAX 64

/* The text of the first element at this path ("GetMetricDataResponse/GetMetricDataResult", from the root on); where several
 * elements of a name stand side by side the first one counts, also when it leads nowhere. NULL if there is none, or the text
 * is no XML as far as it was read. */
const char *xml_find(struct arena *mem, const char *text, size_t len, const char *path);

#endif
