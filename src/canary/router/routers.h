/* canary/router/routers.h - the traffic providers, for the table of router.c.
 * Effects:   none.
 * Ownership: constants. */
#ifndef SERIN_CANARY_ROUTER_ROUTERS_H
#define SERIN_CANARY_ROUTER_ROUTERS_H

#include "canary/router/router.h"

extern const struct router router_istio, router_istio_tcp;
extern const struct router router_kubernetes;
extern const struct router router_nginx;
extern const struct router router_gatewayapi_v1, router_gatewayapi_v1beta1;
extern const struct router router_smi_v1alpha1, router_smi_v1alpha2, router_smi_v1alpha3;
extern const struct router router_appmesh_v1beta1, router_appmesh_v1beta2;
extern const struct router router_contour, router_traefik, router_gloo;
extern const struct router router_skipper, router_kuma, router_apisix;
extern const struct router router_knative;

#endif
