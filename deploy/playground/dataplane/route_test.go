package dataplane

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func parse[T any](t *testing.T, source string) (value T) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(source), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// asked is a request from outside, or from inside to a Service.
type asked struct {
	method, host, path string
	headers            map[string]string
	service            string // of namespace shop, by the proxy
}

func (a asked) call() *call {
	method := a.method
	if method == "" {
		method = "GET"
	}
	path := a.path
	if path == "" {
		path = "/"
	}
	request := httptest.NewRequest(method, path, nil)
	request.Host = a.host
	for name, value := range a.headers {
		request.Header.Set(name, value)
	}
	from := "gateway"
	if a.service != "" {
		from = "proxy"
	}
	c := newCall(request, from)
	if a.service != "" {
		c.service = &core.Service{ObjectMeta: meta.ObjectMeta{Name: a.service, Namespace: "shop"}}
	}
	return c
}

// first is the rule's first backend with a weight, "" where no rule fits.
func first(f found) string {
	if f.rule == nil {
		return ""
	}
	for _, one := range f.rule.backends {
		if one.weight > 0 {
			return one.service
		}
	}
	return "none"
}

type want struct {
	what    string
	asked   asked
	backend string
	path    string // behind the rule, if it is another
}

func check(t *testing.T, table *routes, wants []want) {
	t.Helper()
	for _, one := range wants {
		call := one.asked.call()
		f := table.find(call)
		if got := first(f); got != one.backend {
			t.Errorf("%s: went to %q, not %q", one.what, got, one.backend)
			continue
		}
		if one.path != "" {
			if got := f.rule.rewrite(call.URL.Path, f.condition); got != one.path {
				t.Errorf("%s: path %q, not %q", one.what, got, one.path)
			}
		}
	}
}

func TestVirtualServiceMatches(t *testing.T) {
	var table routes
	spec := parse[any](t, `
hosts: [cart.example.com, "*.wild.example.com", cart]
gateways: [shop/public, mesh]
http:
- match:
  - {headers: {x-user: {exact: insider}}, uri: {prefix: /cart}}
  - {headers: {cookie: {regex: '^(.*?;)?(type=insider)(;.*)?$'}}}
  route: [{destination: {host: header}}]
- {match: [{uri: {regex: "/v[0-9]+/x"}}], route: [{destination: {host: regex}}]}
- {match: [{method: {exact: DELETE}}], route: [{destination: {host: method}}]}
- {match: [{queryParams: {user: {exact: me}}}], route: [{destination: {host: query}}]}
- {match: [{authority: {prefix: a.wild}}], route: [{destination: {host: authority}}]}
- {match: [{sourceLabels: {app: web}}], route: [{destination: {host: labels}}]}
- {match: [{withoutHeaders: {x-always: {}}, uri: {exact: /bare}}], route: [{destination: {host: without}}]}
- {match: [{uri: {prefix: /api/}}], rewrite: {uri: /}, route: [{destination: {host: rewritten}}]}
- {match: [{uri: {prefix: /api}}], rewrite: {uri: /new}, route: [{destination: {host: second}}]}
- {match: [{uri: {prefix: /shop}}], route: [{destination: {host: one}, weight: 0}, {destination: {host: two.other}, weight: 100}]}
`)
	table.put(istio, "shop/cart", virtualService("shop", "cart", time.Time{}, spec))
	at := func(path string, headers ...string) asked {
		a := asked{host: "cart.example.com:8080", path: path, headers: map[string]string{}}
		for i := 0; i+1 < len(headers); i += 2 {
			a.headers[headers[i]] = headers[i+1]
		}
		return a
	}
	check(t, &table, []want{
		{"header and prefix", at("/cart/1", "X-User", "insider"), "header", ""},
		{"header without the prefix", at("/other", "X-User", "insider"), "", ""},
		{"another header value", at("/cart", "X-User", "insiders"), "", ""},
		{"cookie among others", at("/", "Cookie", "a=b;type=insider;c=d"), "header", ""},
		{"cookie of another value", at("/", "Cookie", "type=insiders"), "", ""},
		{"expression on the path", at("/v12/x"), "regex", ""},
		{"expression matches the whole", at("/v12/xy"), "", ""},
		{"method", asked{method: "DELETE", host: "cart.example.com"}, "method", ""},
		{"query", at("/?user=me"), "query", ""},
		{"authority, by a wildcard host", asked{host: "a.wild.example.com"}, "authority", ""},
		{"absent header", at("/bare"), "without", ""},
		{"present header", at("/bare", "X-Always", ""), "", ""},
		{"prefix with its slash", at("/api/x"), "rewritten", "/x"},
		{"prefix alone", at("/api"), "second", "/new"},
		{"one that goes on", at("/apix"), "second", "/newx"},
		{"weight nought is no choice", at("/shop"), "two", ""},
		{"a Service, in the mesh", asked{host: "cart", service: "cart", path: "/shop"}, "two", ""},
		{"a host that nobody claims", asked{host: "other.example.com", path: "/shop"}, "", ""},
		{"another Service", asked{host: "tills", service: "tills", path: "/shop"}, "", ""},
	})
	inside := asked{host: "cart", service: "cart"}.call()
	inside.source = &core.Pod{ObjectMeta: meta.ObjectMeta{Labels: map[string]string{"app": "web"}}}
	if got := first(table.find(inside)); got != "labels" {
		t.Errorf("labels of the caller: %q", got)
	}
	if f := table.find(asked{host: "cart.example.com"}.call()); f.rule != nil || !f.claimed {
		t.Errorf("a host without a fitting rule: %+v", f)
	}
}

func TestVirtualServiceIsForItsGateways(t *testing.T) {
	var table routes
	route := "http: [{route: [{destination: {host: cart-primary}}]}]\n"
	table.put(istio, "shop/mesh", virtualService("shop", "mesh", time.Time{}, parse[any](t, "hosts: [cart, a.example.com]\ngateways: [mesh]\n"+route)))
	table.put(istio, "shop/edge", virtualService("shop", "edge", time.Time{}, parse[any](t, "hosts: [tills, b.example.com]\ngateways: [public]\n"+route)))
	check(t, &table, []want{
		{"the mesh's host at the gateway", asked{host: "a.example.com"}, "", ""},
		{"the mesh's Service in it", asked{host: "cart", service: "cart"}, "cart-primary", ""},
		{"the gateway's host there", asked{host: "b.example.com"}, "cart-primary", ""},
		{"the gateway's Service in the mesh", asked{host: "tills", service: "tills"}, "", ""},
	})
}

func TestDelegation(t *testing.T) {
	var table routes
	table.put(istio, "edge/root", virtualService("edge", "root", time.Time{}, parse[any](t, `
hosts: [shop.example.com]
gateways: [public]
http:
- {match: [{uri: {prefix: /cart}}], delegate: {name: cart, namespace: shop}}
- {match: [{uri: {prefix: /lost}}], delegate: {name: lost}}
- route: [{destination: {host: rest}}]
`)))
	table.put(istio, "shop/cart", virtualService("shop", "cart", time.Time{}, parse[any](t, "hosts: []\nhttp: [{route: [{destination: {host: cart-primary}}]}]")))
	check(t, &table, []want{
		{"delegated", asked{host: "shop.example.com", path: "/cart/1"}, "cart-primary", ""},
		{"delegated to nobody", asked{host: "shop.example.com", path: "/lost"}, "rest", ""},
		{"the rest", asked{host: "shop.example.com"}, "rest", ""},
	})
}

func TestHTTPRouteIsChosenByCloseness(t *testing.T) {
	var table routes
	table.put(gatewayAPI, "shop/cart", httpRoute("shop", "cart", time.Time{}, parse[any](t, `
parentRefs: [{kind: Gateway, name: public}]
hostnames: [cart.example.com]
rules:
- {matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: root, port: 80}]}
- {matches: [{path: {type: PathPrefix, value: /a}}], backendRefs: [{name: a, port: 80}],
   filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]}
- {matches: [{path: {type: Exact, value: /a}}], backendRefs: [{name: exact, port: 80}],
   filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /full}}}]}
- {matches: [{headers: [{name: x-canary, value: insider}]}], backendRefs: [{name: header, port: 80}]}
- {matches: [{headers: [{name: Cookie, type: RegularExpression, value: ".*ck.*xyz.*"}, {name: x-canary, value: insider}]}], backendRefs: [{name: both, port: 80}]}
- {matches: [{queryParams: [{name: q, value: "1"}]}], backendRefs: [{name: query, port: 80}]}
- {matches: [{method: POST}], backendRefs: [{name: method, port: 80}]}
- {matches: [{path: {type: RegularExpression, value: "/re[0-9]+"}}], backendRefs: [{name: regex, port: 80, weight: 0}, {name: regex-canary, port: 80, weight: 7}]}
`)))
	table.put(gatewayAPI, "shop/any", httpRoute("shop", "any", time.Time{}, parse[any](t, `
parentRefs: [{name: public}]
rules: [{backendRefs: [{name: any, port: 80}]}]`)))
	table.put(gatewayAPI, "shop/inside", httpRoute("shop", "inside", time.Time{}, parse[any](t, `
parentRefs: [{kind: Service, group: core, name: cart, port: 80}]
rules: [{backendRefs: [{name: cart-primary, port: 80, weight: 1}]}]`)))
	at := func(path string, headers map[string]string) asked {
		return asked{host: "cart.example.com", path: path, headers: headers}
	}
	check(t, &table, []want{
		{"root", at("/x", nil), "root", ""},
		{"longest prefix", at("/a/b", nil), "a", "/new/b"},
		{"prefix by elements", at("/ab", nil), "root", ""},
		{"exact", at("/a", nil), "exact", "/full"},
		{"header", at("/", map[string]string{"X-Canary": "insider"}), "header", ""},
		{"two headers", at("/", map[string]string{"X-Canary": "insider", "Cookie": "ck=xyz"}), "both", ""},
		{"query", at("/?q=1", nil), "query", ""},
		{"method", asked{method: "POST", host: "cart.example.com"}, "method", ""},
		{"expression", at("/re5", nil), "regex-canary", ""},
		{"any host", asked{host: "else.example.com"}, "any", ""},
		{"a Service as parent", asked{host: "cart", service: "cart"}, "cart-primary", ""},
		{"its port", asked{host: "cart:80", service: "cart"}, "cart-primary", ""},
		{"another port of it", asked{host: "cart:9898", service: "cart"}, "", ""},
	})
}

func TestIngressCanaries(t *testing.T) {
	const paths = `
spec:
  rules:
  - host: cart.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}]}
`
	ingressOf := func(annotations map[string]string, service string) *networking.Ingress {
		one := parse[*networking.Ingress](t, fmt.Sprintf(paths, service))
		one.Namespace, one.Name, one.Annotations = "shop", "cart", map[string]string{}
		if annotations != nil {
			one.Name = "cart-canary"
			one.Annotations[nginxPrefix+"canary"] = "true"
		}
		for name, value := range annotations {
			one.Annotations[nginxPrefix+"canary-"+name] = value
		}
		return one
	}
	at := func(headers map[string]string) asked { return asked{host: "cart.example.com", headers: headers} }
	for _, one := range []struct {
		name        string
		annotations map[string]string
		wants       []want
	}{
		{"weight nought", map[string]string{"weight": "0"}, []want{{"plain", at(nil), "cart", ""}}},
		{"weight of all", map[string]string{"weight": "100"}, []want{{"plain", at(nil), "cart-canary", ""}}},
		{"a header", map[string]string{"weight": "100", "by-header": "x-c"}, []want{
			{"always", at(map[string]string{"X-C": "always"}), "cart-canary", ""}, {"never", at(map[string]string{"X-C": "never"}), "cart", ""},
			{"another value", at(map[string]string{"X-C": "x"}), "cart-canary", ""}}},
		{"a header's value", map[string]string{"weight": "0", "by-header": "x-c", "by-header-value": "insider"}, []want{
			{"it", at(map[string]string{"X-C": "insider"}), "cart-canary", ""}, {"always means nothing now", at(map[string]string{"X-C": "always"}), "cart", ""}}},
		{"a header's pattern", map[string]string{"weight": "0", "by-header": "x-c", "by-header-pattern": "^in"}, []want{
			{"it", at(map[string]string{"X-C": "insider"}), "cart-canary", ""}, {"none", at(map[string]string{"X-C": "x-in"}), "cart", ""}}},
		{"a cookie", map[string]string{"weight": "0", "by-cookie": "ck"}, []want{
			{"always", at(map[string]string{"Cookie": "a=b; ck=always"}), "cart-canary", ""}, {"another", at(map[string]string{"Cookie": "ck=yes"}), "cart", ""}}},
		{"header before cookie", map[string]string{"weight": "0", "by-header": "x-c", "by-cookie": "ck"}, []want{
			{"never wins", at(map[string]string{"X-C": "never", "Cookie": "ck=always"}), "cart", ""}}},
	} {
		t.Run(one.name, func(t *testing.T) {
			var table routes
			table.replace(ingress, ingresses([]*networking.Ingress{ingressOf(one.annotations, "cart-canary"), ingressOf(nil, "cart")}))
			check(t, &table, one.wants)
			for _, rule := range table.find(at(nil).call()).rule.backends {
				if via := rule.via; via.ingress != "cart" || (via.canary != "") != (rule.service == "cart-canary") {
					t.Errorf("labels of %s: %+v", rule.service, via)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, one := range []struct{ host, from, namespace, name string }{
		{"cart", "shop", "shop", "cart"}, {"cart", "", "", ""}, {"cart.other", "shop", "other", "cart"}, {"cart.shop.svc", "", "shop", "cart"},
		{"Cart.Shop.svc.cluster.local.", "", "shop", "cart"}, {"cart.svc", "shop", "", ""}, {"a.b.c", "shop", "", ""}, {"", "shop", "", ""},
		{"cart.cluster.local", "shop", "", ""},
	} {
		namespace, name, _ := splitName(one.host, one.from)
		if namespace != one.namespace || name != one.name {
			t.Errorf("%q from %q: %s/%s", one.host, one.from, namespace, name)
		}
	}
}
