package dataplane

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"time"
)

// virtualService compiles networking.istio.io VirtualService: its HTTP rules; those for TCP and TLS are passed over.
func virtualService(namespace, name string, created time.Time, spec any) *routeSet {
	set := &routeSet{family: istio, namespace: namespace, name: name, created: created}
	gateways := texts(spec, "gateways")
	set.mesh = len(gateways) == 0
	for _, gateway := range gateways {
		if gateway == "mesh" {
			set.mesh = true
		} else {
			set.gateway = true
		}
	}
	for _, host := range texts(spec, "hosts") {
		set.hosts = append(set.hosts, strings.ToLower(host))
		if ns, service, ok := splitName(host, namespace); ok {
			set.services = append(set.services, ns+"/"+service)
		}
	}
	for i, one := range list(spec, "http") {
		set.rules = append(set.rules, istioRule(namespace, fmt.Sprintf("VirtualService/%s/%s/%d", namespace, name, i), one))
	}
	return set
}

func istioRule(namespace, key string, spec any) *rule {
	r := &rule{key: key, timeout: duration(spec, "timeout"), attempts: int(number(spec, 0, "retries", "attempts")),
		tryTimeout: duration(spec, "retries", "perTryTimeout"), retryOn: text(spec, "retries", "retryOn"),
		request: istioHeaders(sub(spec, "headers", "request")), response: istioHeaders(sub(spec, "headers", "response")),
		authority: text(spec, "rewrite", "authority")}
	if uri := text(spec, "rewrite", "uri"); uri != "" {
		r.path = &pathRewrite{to: uri, prefix: true}
	}
	for _, one := range list(spec, "match") {
		r.conditions = append(r.conditions, istioMatch(one))
	}
	routes := list(spec, "route")
	for _, one := range routes {
		to := istioDestination(namespace, sub(one, "destination"))
		to.weight = int(number(one, 0, "weight"))
		to.request, to.response = istioHeaders(sub(one, "headers", "request")), istioHeaders(sub(one, "headers", "response"))
		r.backends = append(r.backends, to)
	}
	if len(routes) == 1 { // all goes there, whatever its weight
		r.backends[0].weight = 100
	}
	if fields(spec, "mirror") != nil {
		percent := number(spec, 100, "mirrorPercentage", "value")
		if fields(spec, "mirrorPercentage") == nil {
			percent = number(spec, number(spec, 100, "mirror_percent"), "mirrorPercent")
		}
		r.mirrors = append(r.mirrors, mirror{istioDestination(namespace, sub(spec, "mirror")), percent})
	}
	for _, one := range list(spec, "mirrors") {
		r.mirrors = append(r.mirrors, mirror{istioDestination(namespace, sub(one, "destination")), number(one, 100, "percentage", "value")})
	}
	if delegate := text(spec, "delegate", "name"); delegate != "" {
		r.delegate = namespace + "/" + delegate
		if other := text(spec, "delegate", "namespace"); other != "" {
			r.delegate = other + "/" + delegate
		}
	}
	return r
}

func istioDestination(namespace string, spec any) backend {
	to := backend{namespace: namespace, port: int(number(spec, 0, "port", "number"))}
	if ns, service, ok := splitName(text(spec, "host"), namespace); ok {
		to.namespace, to.service = ns, service
	} else {
		to.service = text(spec, "host")
	}
	return to
}

func istioHeaders(spec any) (ops headerOps) {
	ops.set, ops.add = istioPairs(spec, "set"), istioPairs(spec, "add")
	ops.remove = texts(spec, "remove")
	return ops
}

func istioPairs(spec any, name string) (all []headerValue) {
	for key := range fields(spec, name) {
		all = append(all, headerValue{key, text(spec, name, key)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

func istioMatch(spec any) (c condition) {
	fold := sub(spec, "ignoreUriCase") == true
	if uri := fields(spec, "uri"); uri != nil {
		test := istioText(uri, fold)
		c.tests = append(c.tests, func(request *call) bool { return test(request.URL.Path, true) })
		c.prefix = text(uri, "prefix")
	}
	if method := fields(spec, "method"); method != nil {
		test := istioText(method, false)
		c.tests = append(c.tests, func(request *call) bool { return test(request.Method, true) })
	}
	if authority := fields(spec, "authority"); authority != nil {
		test := istioText(authority, false)
		c.tests = append(c.tests, func(request *call) bool { return test(request.host, true) || test(request.Host, true) })
	}
	if scheme := fields(spec, "scheme"); scheme != nil {
		test := istioText(scheme, false)
		c.tests = append(c.tests, func(request *call) bool { return test("http", true) })
	}
	if port := int(number(spec, 0, "port")); port != 0 {
		c.tests = append(c.tests, func(request *call) bool { return request.port == port })
	}
	for name := range fields(spec, "headers") {
		test := istioText(sub(spec, "headers", name), false)
		c.tests = append(c.tests, func(request *call) bool {
			values := request.Header.Values(name)
			return test(strings.Join(values, ","), len(values) > 0)
		})
	}
	for name := range fields(spec, "withoutHeaders") {
		test := istioText(sub(spec, "withoutHeaders", name), false)
		c.tests = append(c.tests, func(request *call) bool {
			values := request.Header.Values(name)
			return !test(strings.Join(values, ","), len(values) > 0)
		})
	}
	for name := range fields(spec, "queryParams") {
		test := istioText(sub(spec, "queryParams", name), false)
		c.tests = append(c.tests, func(request *call) bool {
			query := request.URL.Query()
			return test(query.Get(name), query.Has(name))
		})
	}
	if wanted := fields(spec, "sourceLabels"); len(wanted) > 0 {
		c.tests = append(c.tests, func(request *call) bool {
			for name := range wanted {
				if request.source == nil || request.source.Labels[name] != text(wanted, name) {
					return false
				}
			}
			return true
		})
	}
	if wanted := text(spec, "sourceNamespace"); wanted != "" {
		c.tests = append(c.tests, func(request *call) bool { return request.fromName == wanted })
	}
	return c
}

// istioText compiles {exact|prefix|regex: ...}; none of them asks only for presence.
func istioText(spec any, fold bool) func(value string, present bool) bool {
	kinds := fields(spec)
	lower := func(value string) string {
		if fold {
			return strings.ToLower(value)
		}
		return value
	}
	if _, given := kinds["exact"]; given {
		wanted := lower(text(kinds, "exact"))
		return func(value string, present bool) bool { return present && lower(value) == wanted }
	}
	if _, given := kinds["prefix"]; given {
		wanted := lower(text(kinds, "prefix"))
		return func(value string, present bool) bool { return present && strings.HasPrefix(lower(value), wanted) }
	}
	if _, given := kinds["regex"]; given {
		return expression(text(kinds, "regex"))
	}
	return func(_ string, present bool) bool { return present }
}

// expression matches the whole of a value that is there; one that does not compile matches nothing.
func expression(pattern string) func(value string, present bool) bool {
	var compiled *regexp.Regexp = whole(pattern)
	return func(value string, present bool) bool {
		return present && compiled != nil && compiled.MatchString(value)
	}
}
