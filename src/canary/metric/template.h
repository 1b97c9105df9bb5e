/* canary/metric/template.h - query templates: the subset of Go's text/template that queries are written in.
 * Effects:   none.
 * Ownership: the text is in the caller's arena.
 * Errors:    ERR_INVALID "template parsing failed: template: tmpl:1: …", "template excution failed: template: tmpl:1:3: …" as Go
 *            words them (the second as Flagger spells it); ERR_LIMIT past the bounds below.
 * Reference: traffic-and-metrics.md 19.2.
 *
 * Pipelines, variables, if, with, range (maps, whole numbers), break, continue, comments, trim markers, and the functions and or
 * not eq ne lt le gt ge index slice len print printf println html js urlquery beside those of 19.1. Templates within templates
 * (define, block, template), complex numbers and hexadecimal floats are refused. There is no data object: a dot is nil. */
#ifndef SERIN_CANARY_METRIC_TEMPLATE_H
#define SERIN_CANARY_METRIC_TEMPLATE_H

#include "doc/val.h"

#define TEMPLATE_MAX        ((size_t)64 << 10) /* bytes of a template */
#define TEMPLATE_OUTPUT_MAX ((size_t)64 << 10) /* bytes of what it makes */
#define TEMPLATE_DEPTH_MAX  64                 /* parentheses in parentheses, blocks in blocks */
#define TEMPLATE_WORK_MAX   ((size_t)8 << 20)  /* 16 for each instruction, 1 for each byte made */

/* What the functions without arguments give. Texts are not NULL; `variables` is a map of texts, or NULL. */
struct template_facts {
    const char *name, *ns, *target, *service, *ingress, *route, *interval;
    const struct val *variables;
};

MUST_USE struct err *template_render(struct arena *mem, const char *text,
                                     const struct template_facts *facts, const char **out);

#endif
