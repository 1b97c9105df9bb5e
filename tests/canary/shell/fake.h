/* tests/canary/shell/fake.h - an API server in memory: objects, versions, watches, refusals a test asks for.
 * Effects:   none of its own: fake_serve is what a scripted server (kube/scripted.h) is given.
 * Ownership: fake_free after the server is gone. Values are copied.
 * Knows what the store and the reconciler send: GET, POST, PUT (409 for a stale version), merge patches, DELETE, the status
 * subresource, watches with sendInitialEvents, metadata only. Nothing is validated or defaulted. */
#ifndef SERIN_TESTS_CANARY_SHELL_FAKE_H
#define SERIN_TESTS_CANARY_SHELL_FAKE_H

#include "doc/val.h"
#include "scripted.h"

struct fake;
struct fake *fake_new(void);
void fake_free(struct fake *fake);
void fake_serve(void *fake, const struct scripted_request *request);

/* Knows: core ConfigMap, Secret, Service, Event; apps Deployment; CRDs; Flagger's three kinds; others are added. A CRD object is
 * made for those with a group of their own. */
void fake_add_kind(struct fake *fake, const char *api_version, const char *kind,
                   const char *plural);
void fake_remove_kind(struct fake *fake, const char *api_version, const char *kind);

/* Creates or replaces; YAML. */
void fake_put(struct fake *fake, const char *yaml);
void fake_delete(struct fake *fake, const char *kind, const char *ns, const char *name);
/* As it is; NULL when it is not there. */
struct val *fake_get(struct fake *fake, struct arena *mem, const char *kind, const char *ns,
                     const char *name);

/* From now on every write of a Deployment finds its pods up at once; else their status is as it is written. */
void fake_roll_out(struct fake *fake, bool rolls_out);

/* The next `times` requests whose "METHOD path" begin with this are refused; the method of a watch is WATCH. */
void fake_refuse(struct fake *fake, const char *start, int status, const char *message, int times);
/* Every watch ends with 410, and tells nothing of what happens from now on. */
void fake_expire(struct fake *fake);
/* From now on requests whose "METHOD path" begin with this are not answered until fake_hold(fake, NULL). */
void fake_hold(struct fake *fake, const char *start);

#endif
