#include "sync/drift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool same_print(bool has_a, const unsigned char a[16], bool has_b, const unsigned char b[16])
{
    return has_a == has_b && (!has_a || memcmp(a, b, 16) == 0);
}

/* Guards. Each is about one row of the tables below. */
static bool is_not_declared(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)seen;
    return !record->is_declared;
}

static bool is_busy(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)seen;
    return record->is_busy;
}

/* Our own write comes back as an event of its very version. A removal has at least the version of what it removes, and old
 * servers give the removed state itself, so only an older one is stale. */
static bool is_stale(const struct drift_record *record, const struct drift_seen *seen)
{
    if (record->version == 0 || seen->version == 0)
        return false;
    return seen->event == DRIFT_SEEN ? seen->version <= record->version
                                     : seen->version < record->version;
}

static bool is_absent(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)record;
    return seen->event == DRIFT_ABSENT;
}

static bool was_removed(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)record;
    return seen->event == DRIFT_REMOVED;
}

/* Deleted, or only without its label: to apply would be wrong in the second case. */
static bool was_removed_ignored(const struct drift_record *record, const struct drift_seen *seen)
{
    return was_removed(record, seen) && seen->ignore == MARK_IGNORE_YES;
}

static bool is_deleting(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)record;
    return seen->is_deleting;
}

static bool has_foreign_mark(const struct drift_record *record, const struct drift_seen *seen)
{
    return seen->mark && !same_text(seen->mark, record->mark);
}

static bool is_refused_as_before(const struct drift_record *record, const struct drift_seen *seen)
{
    return record->is_failed &&
           same_print(record->has_failed_print, record->failed_print, seen->has_print, seen->print);
}

static bool was_never_applied(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)seen;
    return !record->is_failed && !record->has_print;
}

/* A spec that was written to, by whom no entry tells: old servers note nothing of `kubectl scale`. */
static bool may_be_scaled(const struct drift_record *record, const struct drift_seen *seen)
{
    return record->generation && seen->generation && record->generation != seen->generation;
}

static bool is_as_applied(const struct drift_record *record, const struct drift_seen *seen)
{
    return !record->is_failed && seen->mark && seen->has_print &&
           same_print(record->has_print, record->print, seen->has_print, seen->print) &&
           same_text(seen->checksum, record->checksum) && !may_be_scaled(record, seen);
}

static bool is_ignored(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)record;
    return seen->ignore == MARK_IGNORE_YES;
}

static bool was_refused(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)seen;
    return record->is_failed;
}

static bool has_no_mark(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)record;
    return !seen->mark;
}

static bool has_no_entry(const struct drift_record *record, const struct drift_seen *seen)
{
    (void)record;
    return !seen->has_print;
}

static bool has_other_fields(const struct drift_record *record, const struct drift_seen *seen)
{
    return !same_print(record->has_print, record->print, seen->has_print, seen->print);
}

static bool has_other_checksum(const struct drift_record *record, const struct drift_seen *seen)
{
    return !same_text(seen->checksum, record->checksum);
}

/* The first row that holds decides, so what forbids stands before what heals. One of the last always holds. */
// clang-format off
static const struct {
    bool (*when)(const struct drift_record *record, const struct drift_seen *seen);
    enum drift_action action;
    const char *reason;
} rules[] = {
    { is_not_declared,      DRIFT_NONE,    "not declared, or not to be applied" },
    { is_busy,              DRIFT_LATER,   "an apply is on its way" },
    { is_absent,            DRIFT_HEAL,    "the object is gone" },
    { is_stale,             DRIFT_NONE,    "not newer than our last write" },
    { was_removed_ignored,  DRIFT_ASK,     "gone or without its label, and to be ignored" },
    { was_removed,          DRIFT_HEAL,    "the object is gone, or has lost its label" },
    { is_deleting,          DRIFT_NONE,    "being deleted: applied again when it is gone" },
    { has_foreign_mark,     DRIFT_FOREIGN, "the object carries the mark of another repository" },
    { is_refused_as_before, DRIFT_NONE,    "the last apply was refused, and nothing has changed since" },
    { was_never_applied,    DRIFT_NONE,    "not applied yet" },
    { is_as_applied,        DRIFT_NONE,    "as declared" },
    { is_ignored,           DRIFT_IGNORED, "ignore annotation in cluster resource" },
    { was_refused,          DRIFT_HEAL,    "the object has changed since the last apply was refused" },
    { has_no_mark,          DRIFT_HEAL,    "the object has lost its label" },
    { has_no_entry,         DRIFT_HEAL,    "all fields that the repository declares have passed to others" },
    { has_other_fields,     DRIFT_HEAL,    "a field that the repository declares was changed" },
    { has_other_checksum,   DRIFT_HEAL,    "another serin applied another revision of the object" },
    { may_be_scaled,        DRIFT_HEAL,    "its spec was changed, maybe its scale" },
};
// clang-format on

struct drift_decision drift_decide(const struct drift_record *record, const struct drift_seen *seen)
{
    size_t row = 0;
    while (row < ARRAY_LEN(rules) && !rules[row].when(record, seen))
        row++;
    ASSERT(row < ARRAY_LEN(rules));
    return (struct drift_decision){ rules[row].action, rules[row].reason };
}

uint64_t drift_version_parse(const char *text)
{
    if (!text || *text < '0' || *text > '9')
        return 0;
    char *end;
    errno = 0;
    unsigned long long version = strtoull(text, &end, 10);
    return errno || *end ? 0 : version;
}
