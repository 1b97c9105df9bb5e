package dataplane

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	core "k8s.io/api/core/v1"
)

// isGateway has the Services (NAMESPACE/NAME) that the usual installations of gateways make: we are all of them.
var isGateway = map[string]bool{"istio-system/istio-gateway": true, "istio-system/istio-ingressgateway": true,
	"istio-ingress/gateway-istio": true, "projectcontour/envoy": true, "projectcontour/envoy-contour": true,
	"ingress-nginx/ingress-nginx-controller": true}

// proxy is how processes outside containers use names of the cluster (http_proxy=...). A user name in its address is the namespace
// that short names are of, a password the pod that calls.
func (p *Plane) proxy(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.tunnel(w, r)
		return
	case !r.URL.IsAbs() || r.URL.Scheme != "http":
		http.Error(w, "this is a proxy: ask it for http://NAME.NAMESPACE/... (curl -x, http_proxy)", http.StatusBadRequest)
		return
	}
	r.Host = r.URL.Host
	request := newCall(r, "proxy")
	if request.port == 0 {
		request.port = 80
	}
	var pod string
	request.fromName, pod = caller(r.Header.Get("Proxy-Authorization"))
	if pod != "" {
		request.source, _ = p.world.pods.Pods(request.fromName).Get(pod)
	}
	if namespace, name, _ := splitName(request.host, request.fromName); isGateway[namespace+"/"+name] {
		request.from = "gateway"
		p.lead(w, request)
		return
	}
	if ip := net.ParseIP(request.host); request.host == "localhost" || ip != nil && ip.IsLoopback() {
		p.pass(w, r, r.URL.Host)
		return
	}
	if pod := p.world.podAt(request.host); pod != nil {
		address := p.containers.listens(pod, request.port)
		if address == "" {
			http.Error(w, fmt.Sprintf("pod %s in namespace %s does not listen on port %d", pod.Name, pod.Namespace, request.port), http.StatusBadGateway)
			return
		}
		p.pass(w, r, address)
		return
	}
	request.service = p.world.service(request.host, request.fromName)
	if f := p.routes.find(request); request.service == nil && !f.claimed && !p.isOutside(request) {
		http.Error(w, p.unknown(request), http.StatusBadGateway)
		return
	}
	p.lead(w, request)
}

// isOutside tells whether a host is one of the gateway's, to which public DNS would lead; the call then comes from outside.
func (p *Plane) isOutside(request *call) bool {
	from := request.from
	request.from = "gateway"
	if p.routes.find(request).closely > 0 {
		return true
	}
	request.from = from
	return false
}

// proxyFor is the proxy's address for what runs in a pod.
func (p *Plane) proxyFor(pod *core.Pod) *url.URL {
	return &url.URL{Scheme: "http", User: url.UserPassword(pod.Namespace, pod.Name), Host: p.Proxy.Addr().String()}
}

func (p *Plane) unknown(request *call) string {
	if namespace, name, ok := splitName(request.host, request.fromName); ok {
		return fmt.Sprintf("no Service %s in namespace %s", name, namespace)
	}
	return fmt.Sprintf("%q is no Service: ask for NAME.NAMESPACE, or give the namespace as the proxy's user name", request.host)
}

func caller(authorization string) (namespace, pod string) {
	encoded, _ := strings.CutPrefix(authorization, "Basic ")
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", ""
	}
	namespace, pod, _ = strings.Cut(string(decoded), ":")
	return namespace, pod
}

// pass sends a request on to an address as it is; it is not counted.
func (p *Plane) pass(w http.ResponseWriter, r *http.Request, address string) {
	(&httputil.ReverseProxy{Transport: p.transport, FlushInterval: -1, ErrorLog: p.quiet,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = &url.URL{Scheme: "http", Host: address, Path: r.In.URL.Path, RawPath: r.In.URL.RawPath, RawQuery: r.In.URL.RawQuery}
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Proxy-Authorization")
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}).ServeHTTP(w, r)
}
