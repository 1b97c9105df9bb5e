/* tests/canary/shell/lab.h - a reconciler on an API server in memory, and what a test waits for.
 * Effects:   network on loopback.
 * Ownership: lab_free frees all of it. */
#ifndef SERIN_TESTS_CANARY_SHELL_LAB_H
#define SERIN_TESTS_CANARY_SHELL_LAB_H

#include "bench.h"
#include "canary/canaries.h"
#include "fake.h"
#include "kube/discovery.h"

struct lab {
    struct fake *fake;
    struct bench *bench;
    struct kube_discovery *discovery;
    struct kube_events *events;
    struct canary_settings settings;
    struct canaries *canaries; /* NULL before lab_make */
    /* of the condition that is waited for */
    const char *name, *wanted;
    size_t count;
};

/* With a server whose Deployments roll out at once; at_once 0: the default; mesh_kube NULL: one cluster. */
struct lab *lab_begin(void);
void lab_make(struct lab *lab, int at_once, struct kube *mesh_kube,
              struct kube_discovery *mesh_discovery);
struct lab *lab_new(void); /* both */
struct lab *lab_web(void); /* and TARGET and CANARY of "web" are there */
struct lab *lab_up(void);  /* and it was started, and "web" is Initialized */
void lab_free(struct lab *lab);
void lab_start(struct lab *lab); /* it watches, and may act */
/* A discovery that has been read. */
struct kube_discovery *lab_discover(struct bench *bench, struct kube *kube);

/* Objects of namespace a. `more` goes into the container, or into the Canary's spec (", suspend: true"). */
#define TARGET(name, more)                                                     \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " name           \
    ", namespace: a}, spec: {replicas: 2, selector: {matchLabels: {app: " name \
    "}}, template: {metadata: {labels: {app: " name                            \
    "}}, spec: {containers: [{name: c, image: i" more "}]}}}}"
#define CANARY_OF(name, target, more)                                                           \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: " name                    \
    ", namespace: a}, spec: {provider: kubernetes, targetRef: {apiVersion: apps/v1, kind: "     \
    "Deployment, name: " target "}, service: {port: 80}, analysis: {interval: 10s, threshold: " \
    "2, iterations: 2}" more "}}"
#define CANARY(name, more) CANARY_OF(name, name, more)

/* Brings objects, in order; a lab_new that has them. */
void lab_put(struct lab *lab, const char *const *yaml);
#define LAB_PUT(lab, ...) lab_put(lab, (const char *const[]){ __VA_ARGS__, NULL })
struct lab *lab_with(const char *const *yaml);
#define LAB_WITH(...) lab_with((const char *const[]){ __VA_ARGS__, NULL })

/* Until it is so; fails the test when it is not in ten seconds. */
void lab_wait_phase(struct lab *lab, const char *name, const char *phase);
void lab_wait_logged(struct lab *lab, const char *text);
void lab_wait_len(struct lab *lab, size_t len); /* canaries known */
void lab_wait_requests(struct lab *lab, const char *part, size_t count);

const char *lab_phase(struct lab *lab, const char *name);
size_t lab_count_logged(struct lab *lab, const char *text);
size_t lab_count(struct lab *lab, const char *part); /* requests with this in their line */
int64_t lab_replicas(struct lab *lab, const char *name);
const char *lab_selector(struct lab *lab, const char *service);

#endif
