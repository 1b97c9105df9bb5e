package dataplane

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// httpRoute compiles gateway.networking.k8s.io HTTPRoute.
func httpRoute(namespace, name string, created time.Time, spec any) *routeSet {
	set := &routeSet{family: gatewayAPI, namespace: namespace, name: name, created: created}
	for _, parent := range list(spec, "parentRefs") {
		if text(parent, "kind") != "Service" {
			set.gateway = true
			continue
		}
		set.mesh = true
		of := namespace
		if other := text(parent, "namespace"); other != "" {
			of = other
		}
		key := of + "/" + text(parent, "name")
		if port := int(number(parent, 0, "port")); port != 0 {
			key += fmt.Sprintf(":%d", port)
		}
		set.services = append(set.services, key)
	}
	for _, host := range texts(spec, "hostnames") {
		set.hosts = append(set.hosts, strings.ToLower(host))
	}
	if len(set.hosts) == 0 && set.gateway {
		set.hosts = []string{"*"}
	}
	for i, one := range list(spec, "rules") {
		set.rules = append(set.rules, httpRouteRule(namespace, fmt.Sprintf("HTTPRoute/%s/%s/%d", namespace, name, i), one))
	}
	return set
}

func httpRouteRule(namespace, key string, spec any) *rule {
	r := &rule{key: key, timeout: duration(spec, "timeouts", "request"), tryTimeout: duration(spec, "timeouts", "backendRequest")}
	matches := list(spec, "matches")
	if len(matches) == 0 {
		matches = []any{object{}}
	}
	for _, one := range matches {
		r.conditions = append(r.conditions, httpRouteMatch(one))
	}
	for _, filter := range list(spec, "filters") {
		r.filter(namespace, filter)
	}
	for _, one := range list(spec, "backendRefs") {
		to := httpRouteBackend(namespace, one)
		for _, filter := range list(one, "filters") {
			to.request.join(modifier(filter, "requestHeaderModifier"))
			to.response.join(modifier(filter, "responseHeaderModifier"))
		}
		r.backends = append(r.backends, to)
	}
	return r
}

func httpRouteBackend(namespace string, spec any) backend {
	to := backend{namespace: namespace, service: text(spec, "name"), port: int(number(spec, 0, "port")), weight: int(number(spec, 1, "weight"))}
	if other := text(spec, "namespace"); other != "" {
		to.namespace = other
	}
	return to
}

func (r *rule) filter(namespace string, spec any) {
	r.request.join(modifier(spec, "requestHeaderModifier"))
	r.response.join(modifier(spec, "responseHeaderModifier"))
	if rewrite := fields(spec, "urlRewrite"); rewrite != nil {
		r.authority = text(rewrite, "hostname")
		switch text(rewrite, "path", "type") {
		case "ReplaceFullPath":
			r.path = &pathRewrite{to: text(rewrite, "path", "replaceFullPath")}
		case "ReplacePrefixMatch":
			r.path = &pathRewrite{to: text(rewrite, "path", "replacePrefixMatch"), prefix: true}
		}
	}
	if to := sub(spec, "requestMirror", "backendRef"); to != nil {
		percent := number(spec, 100, "requestMirror", "percent")
		if fraction := sub(spec, "requestMirror", "fraction"); fraction != nil {
			percent = 100 * number(fraction, 0, "numerator") / max(1, number(fraction, 100, "denominator"))
		}
		r.mirrors = append(r.mirrors, mirror{httpRouteBackend(namespace, to), percent})
	}
}

func modifier(filter any, name string) (ops headerOps) {
	spec := sub(filter, name)
	for _, one := range list(spec, "set") {
		ops.set = append(ops.set, headerValue{text(one, "name"), text(one, "value")})
	}
	for _, one := range list(spec, "add") {
		ops.add = append(ops.add, headerValue{text(one, "name"), text(one, "value")})
	}
	ops.remove = texts(spec, "remove")
	return ops
}

func (o *headerOps) join(more headerOps) {
	o.set, o.add, o.remove = append(o.set, more.set...), append(o.add, more.add...), append(o.remove, more.remove...)
}

func httpRouteMatch(spec any) (c condition) {
	kind, value := text(spec, "path", "type"), text(spec, "path", "value")
	if value == "" {
		value = "/"
	}
	switch kind {
	case "Exact":
		c.tests = append(c.tests, func(request *call) bool { return request.URL.Path == value })
		c.rank[0] = math.MaxInt
	case "RegularExpression":
		test := expression(value)
		c.tests = append(c.tests, func(request *call) bool { return test(request.URL.Path, true) })
		c.rank[0] = len(value)
	default:
		c.prefix = strings.TrimSuffix(value, "/")
		c.tests = append(c.tests, func(request *call) bool { return under(request.URL.Path, c.prefix) })
		c.rank[0] = len(value)
	}
	if method := text(spec, "method"); method != "" {
		c.tests = append(c.tests, func(request *call) bool { return request.Method == method })
		c.rank[1] = 1
	}
	for _, one := range list(spec, "headers") {
		name, test := text(one, "name"), httpRouteText(one)
		c.tests = append(c.tests, func(request *call) bool {
			values := request.Header.Values(name)
			return test(strings.Join(values, ","), len(values) > 0)
		})
		c.rank[2]++
	}
	for _, one := range list(spec, "queryParams") {
		name, test := text(one, "name"), httpRouteText(one)
		c.tests = append(c.tests, func(request *call) bool {
			query := request.URL.Query()
			return test(query.Get(name), query.Has(name))
		})
		c.rank[3]++
	}
	return c
}

func httpRouteText(spec any) func(value string, present bool) bool {
	wanted := text(spec, "value")
	if text(spec, "type") == "RegularExpression" {
		return expression(wanted)
	}
	return func(value string, present bool) bool { return present && value == wanted }
}

// under tells whether a path is a prefix's, element by element: /a has /a and /a/b, not /ab.
func under(path, prefix string) bool {
	left, found := strings.CutPrefix(path, prefix)
	return found && (left == "" || left[0] == '/')
}
