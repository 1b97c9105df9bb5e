package dataplane

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	networking "k8s.io/api/networking/v1"
)

const nginxPrefix = "nginx.ingress.kubernetes.io/"

// ingresses compiles all networking.k8s.io Ingresses at once, since a canary of ingress-nginx is a second object: one annotated so,
// with the same host and path as another.
func ingresses(all []*networking.Ingress) map[string]*routeSet {
	canaries := map[string]*networking.Ingress{}
	for _, one := range all {
		if isCanary(one) {
			eachPath(one, func(host string, path networking.HTTPIngressPath) { canaries[placeOf(one, host, path)] = one })
		}
	}
	sets := map[string]*routeSet{}
	for _, one := range all {
		if isCanary(one) {
			continue
		}
		number := 0
		eachPath(one, func(host string, path networking.HTTPIngressPath) {
			key := one.Namespace + "/" + one.Name + "/" + host
			if sets[key] == nil {
				sets[key] = &routeSet{family: ingress, namespace: one.Namespace, name: one.Name, created: one.CreationTimestamp.Time,
					gateway: true, hosts: []string{host}}
			}
			set := sets[key]
			key = fmt.Sprintf("Ingress/%s/%s/%d", one.Namespace, one.Name, number)
			number++
			primary, ok := ingressBackend(one, host, path, "")
			if !ok {
				return
			}
			base := ingressCondition(path)
			if canary := canaries[placeOf(one, host, path)]; canary != nil {
				if path, found := pathAt(canary, host, path); found {
					if second, ok := ingressBackend(canary, host, path, one.Name); ok {
						set.rules = append(set.rules, canaryRules(key, base, primary, second, canary.Annotations)...)
						return
					}
				}
			}
			set.rules = append(set.rules, &rule{key: key, conditions: []condition{base}, backends: []backend{primary}})
		})
	}
	return sets
}

func isCanary(one *networking.Ingress) bool { return one.Annotations[nginxPrefix+"canary"] == "true" }

func eachPath(one *networking.Ingress, do func(host string, path networking.HTTPIngressPath)) {
	for _, rule := range one.Spec.Rules {
		host := strings.ToLower(rule.Host)
		if host == "" {
			host = "*"
		}
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			do(host, path)
		}
	}
	if of := one.Spec.DefaultBackend; of != nil {
		prefix := networking.PathTypePrefix
		do("*", networking.HTTPIngressPath{Path: "/", PathType: &prefix, Backend: *of})
	}
}

func placeOf(one *networking.Ingress, host string, path networking.HTTPIngressPath) string {
	return one.Namespace + " " + host + " " + path.Path
}

func pathAt(one *networking.Ingress, host string, like networking.HTTPIngressPath) (found networking.HTTPIngressPath, ok bool) {
	eachPath(one, func(at string, path networking.HTTPIngressPath) {
		if !ok && at == host && path.Path == like.Path {
			found, ok = path, true
		}
	})
	return found, ok
}

// ingressBackend also tells how the controller's metrics name it: a canary by the Ingress it belongs to, and by its backend.
func ingressBackend(one *networking.Ingress, host string, path networking.HTTPIngressPath, canaryOf string) (to backend, ok bool) {
	service := path.Backend.Service
	if service == nil {
		return to, false
	}
	to = backend{namespace: one.Namespace, service: service.Name, port: int(service.Port.Number), weight: 100,
		via: &ingressLabels{namespace: one.Namespace, ingress: one.Name, host: host, path: path.Path}}
	if service.Port.Name != "" {
		to.portName = service.Port.Name
	}
	if canaryOf != "" {
		to.via.ingress, to.via.canary = canaryOf, fmt.Sprintf("%s-%s-%s", one.Namespace, service.Name, portText(service.Port))
	}
	return to, true
}

func portText(port networking.ServiceBackendPort) string {
	if port.Name != "" {
		return port.Name
	}
	return strconv.Itoa(int(port.Number))
}

func ingressCondition(path networking.HTTPIngressPath) (c condition) {
	at := path.Path
	switch {
	case path.PathType != nil && *path.PathType == networking.PathTypeExact:
		c.tests = append(c.tests, func(request *call) bool { return request.URL.Path == at })
		c.rank[0] = math.MaxInt
	default:
		prefix := strings.TrimSuffix(at, "/")
		c.tests = append(c.tests, func(request *call) bool { return under(request.URL.Path, prefix) })
		c.rank[0] = len(at)
	}
	return c
}

// canaryRules are those of ingress-nginx, in its order: header, cookie, weight.
func canaryRules(key string, base condition, primary, second backend, annotations map[string]string) (all []*rule) {
	of := func(name string) string { return annotations[nginxPrefix+"canary-"+name] }
	only := func(to backend, test func(*call) bool) {
		one := base
		one.tests = append(append([]func(*call) bool{}, base.tests...), test)
		one.rank[1] = 9 - len(all) // an earlier one goes first
		all = append(all, &rule{key: fmt.Sprintf("%s/%d", key, len(all)), conditions: []condition{one}, backends: []backend{to}})
	}
	header := func(holds func(string) bool) func(*call) bool {
		return func(request *call) bool {
			values := request.Header.Values(of("by-header"))
			return len(values) > 0 && holds(values[0])
		}
	}
	is := func(wanted string) func(string) bool { return func(value string) bool { return value == wanted } }
	switch value, pattern := of("by-header-value"), of("by-header-pattern"); {
	case of("by-header") == "":
	case value != "":
		only(second, header(is(value)))
	case pattern != "":
		compiled, err := regexp.Compile(pattern)
		only(second, header(func(value string) bool { return err == nil && compiled.MatchString(value) }))
	default:
		only(second, header(is("always")))
		only(primary, header(is("never")))
	}
	if name := of("by-cookie"); name != "" {
		cookie := func(wanted string) func(*call) bool {
			return func(request *call) bool {
				found, err := request.Cookie(name)
				if err != nil {
					return false
				}
				value, err := url.QueryUnescape(found.Value)
				return err == nil && value == wanted
			}
		}
		only(second, cookie("always"))
		only(primary, cookie("never"))
	}
	weight, _ := strconv.Atoi(of("weight"))
	total, err := strconv.Atoi(of("weight-total"))
	if err != nil || total <= 0 {
		total = 100
	}
	second.weight = min(max(weight, 0), total)
	primary.weight = total - second.weight
	return append(all, &rule{key: key, conditions: []condition{base}, backends: []backend{primary, second}})
}
