package dataplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"serin.dev/playground/kubelet"
	"serin.dev/playground/tools"
)

var (
	virtualServices = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1beta1", Resource: "virtualservices"}
	httpRoutes      = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	nextPod         atomic.Uint32
)

// lab is a plane before an API server of memory.
type lab struct {
	*testing.T
	plane   *Plane
	client  *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	watched sync.Map // by resource: what is made before its watch is there would not be seen, unlike with a real server
}

// watching makes the watches of a client known.
func (l *lab) watching(client *clienttesting.Fake, tracker clienttesting.ObjectTracker) {
	client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		watcher, err := tracker.Watch(action.GetResource(), action.GetNamespace())
		l.watched.Store(action.GetResource(), true)
		return true, watcher, err
	})
}

func (l *lab) untilWatched(resource schema.GroupVersionResource) {
	l.Helper()
	l.until("a watch of "+resource.Resource, func() bool { _, there := l.watched.Load(resource); return there })
}

func newLab(t *testing.T) *lab {
	ctx, cancel := context.WithCancel(context.Background())
	client := fake.NewClientset()
	others := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		definitions: "CustomResourceDefinitionList", virtualServices: "VirtualServiceList", httpRoutes: "HTTPRouteList"})
	l := &lab{T: t, client: client, dynamic: others}
	l.watching(&client.Fake, client.Tracker())
	l.watching(&others.Fake, others.Tracker())
	plane, err := start(ctx, client, others, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.plane = plane
	ended := make(chan error)
	go func() { ended <- plane.Serve() }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	l.untilWatched(definitions)
	for _, name := range []string{"pods", "services"} {
		l.untilWatched(core.SchemeGroupVersion.WithResource(name))
	}
	return l
}

func (l *lab) define(resource schema.GroupVersionResource) {
	l.Helper()
	object := &unstructured.Unstructured{Object: parse[object](l.T, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.%[1]s}
spec: {group: %[1]s, names: {plural: %[2]s}, versions: [{name: %[3]s, served: true}]}
status: {conditions: [{type: Established, status: "True"}]}`, resource.Group, resource.Resource, resource.Version))}
	if _, err := l.dynamic.Resource(definitions).Create(l.plane.ctx, object, meta.CreateOptions{}); err != nil {
		l.Fatal(err)
	}
	l.untilWatched(resource)
}

func (l *lab) put(resource schema.GroupVersionResource, source string) {
	l.Helper()
	object := &unstructured.Unstructured{Object: parse[object](l.T, source)}
	api := l.dynamic.Resource(resource).Namespace(object.GetNamespace())
	_, err := api.Update(l.plane.ctx, object, meta.UpdateOptions{})
	if err != nil {
		_, err = api.Create(l.plane.ctx, object, meta.CreateOptions{})
	}
	if err != nil {
		l.Fatal(err)
	}
}

// deploy makes a ready pod of a Deployment and a Service of the same name, and waits until it answers.
func (l *lab) deploy(name, image string, env ...core.EnvVar) *core.Pod {
	l.Helper()
	pod := l.pod(name, image, env...)
	l.service(name)
	l.until(name+" to answer", func() bool { status, _, _ := l.get("/version", name+".shop"); return status == 200 })
	return pod
}

func (l *lab) service(name string) {
	l.Helper()
	service := &core.Service{ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "shop"}, Spec: core.ServiceSpec{Selector: map[string]string{"app": name},
		ClusterIP: "10.0.0.9", Ports: []core.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}}}}
	if _, err := l.client.CoreV1().Services("shop").Create(l.plane.ctx, service, meta.CreateOptions{}); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) pod(name, image string, env ...core.EnvVar) *core.Pod {
	l.Helper()
	n, controls := nextPod.Add(1), true
	pod := &core.Pod{ObjectMeta: meta.ObjectMeta{Name: fmt.Sprintf("%s-abc-%d", name, n), Namespace: "shop", UID: types.UID(fmt.Sprint(n)),
		Labels:          map[string]string{"app": name, "pod-template-hash": "abc"},
		OwnerReferences: []meta.OwnerReference{{Kind: "ReplicaSet", Name: name + "-abc", Controller: &controls}}},
		Spec: core.PodSpec{Containers: []core.Container{{Name: "main", Image: image, Env: env, Ports: []core.ContainerPort{
			{Name: "http", ContainerPort: 9898}, {Name: "http-metrics", ContainerPort: 9797}, {Name: "grpc", ContainerPort: 9999}}}}},
		Status: core.PodStatus{Phase: core.PodRunning, PodIP: fmt.Sprintf("10.244.9.%d", n),
			Conditions: []core.PodCondition{{Type: core.PodReady, Status: core.ConditionTrue}}}}
	if _, err := l.client.CoreV1().Pods("shop").Create(l.plane.ctx, pod, meta.CreateOptions{}); err != nil {
		l.Fatal(err)
	}
	return pod
}

func (l *lab) until(what string, holds func() bool) {
	l.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			l.Fatalf("waited in vain for %s", what)
		}
	}
}

// get asks the gateway.
func (l *lab) get(path, host string, headers ...string) (int, string, http.Header) {
	l.Helper()
	request, _ := http.NewRequest("GET", "http://"+l.plane.Gateway.Addr().String()+path, nil)
	request.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return l.do(http.DefaultClient, request)
}

// through asks the proxy.
func (l *lab) through(user *url.Userinfo, method, address, body string) (int, string) {
	l.Helper()
	proxy := &url.URL{Scheme: "http", User: user, Host: l.plane.Proxy.Addr().String()}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	request, _ := http.NewRequest(method, address, strings.NewReader(body))
	status, text, _ := l.do(client, request)
	return status, text
}

func (l *lab) do(client *http.Client, request *http.Request) (int, string, http.Header) {
	l.Helper()
	answer, err := client.Do(request)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), answer.Header
}

func (l *lab) metrics() string {
	_, body, _ := l.do(http.DefaultClient, must(http.NewRequest("GET", "http://"+l.plane.Admin.Addr().String()+"/metrics", nil)))
	return body
}

func must[T any](value T, _ error) T { return value }

func (l *lab) expectMetric(line string) {
	l.Helper()
	l.until(line, func() bool { return strings.Contains(l.metrics(), line) })
}

const weighted = `
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart.example.com, cart]
  gateways: [public, mesh]
  http:
  - headers: {request: {add: {x-added: "yes"}}, response: {remove: [x-content-type-options]}}
    route:
    - {destination: {host: cart-primary}, weight: %d}
    - {destination: {host: cart-canary}, weight: %d, headers: {response: {add: {Set-Cookie: who=canary}}}}
    %s
`

func TestTrafficIsSplitAndCounted(t *testing.T) {
	l := newLab(t)
	l.deploy("cart-primary", "ghcr.io/stefanprodan/podinfo:6.0.0")
	l.deploy("cart-canary", "podinfo:6.0.1-errors-50")
	if status, body, _ := l.get("/", "cart.example.com"); status != 404 || !strings.Contains(body, `named "cart.example.com"`) {
		t.Errorf("before there is a route: %d %s", status, body)
	}
	l.define(virtualServices)
	l.put(virtualServices, fmt.Sprintf(weighted, 80, 20, ""))
	l.until("the route", func() bool { status, _, _ := l.get("/healthz", "cart.example.com"); return status == 200 })
	l.put(virtualServices, fmt.Sprintf(weighted, 90, 10, "")) // begins to count anew
	var canary, failed int
	l.until("ten in a hundred", func() bool {
		canary, failed = 0, 0
		for range 100 {
			status, _, header := l.get("/api/info", "cart.example.com")
			if header.Get("Set-Cookie") == "who=canary" {
				canary++
			}
			if status == 500 {
				failed++
			}
		}
		return canary == 10 && failed == 5
	})
	_, body, header := l.get("/headers", "cart.example.com")
	if !strings.Contains(body, `"X-Added": [`) || !strings.Contains(body, `"X-Forwarded-For"`) || header.Get("X-Content-Type-Options") != "" {
		t.Errorf("headers: %s %v", body, header)
	}
	metrics := l.metrics()
	for _, line := range []string{
		`destination_workload="cart-canary",destination_workload_namespace="shop",reporter="destination",request_protocol="http",response_code="500"`,
		`playground_requests_total{code="500",from="gateway",host="cart.example.com",namespace="shop",workload="cart-canary"}`,
		`http_request_duration_seconds_count{kubernetes_namespace="shop",kubernetes_pod_name="cart-canary-abc-`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in\n%s", line, metrics)
		}
	}
}

func TestMirrorsTakeTheirShare(t *testing.T) {
	l := newLab(t)
	l.deploy("cart-primary", "podinfo:6.0.0")
	l.deploy("cart-canary", "podinfo:6.0.1")
	l.service("cart") // of no pod: the route alone leads on
	l.define(virtualServices)
	l.put(virtualServices, fmt.Sprintf(weighted, 100, 0, "mirror: {host: cart-canary}\n    mirrorPercentage: {value: 20}"))
	l.until("the route", func() bool { status, _ := l.through(nil, "GET", "http://cart.shop/healthz", ""); return status == 200 })
	for range 50 {
		if _, body := l.through(nil, "POST", "http://cart.shop/echo", "abc"); body != "abc" {
			t.Fatalf("the caller got %q", body)
		}
	}
	l.expectMetric(`playground_requests_total{code="202",from="mirror",host="cart.shop",namespace="shop",workload="cart-canary"} 10`)
	l.expectMetric(`playground_requests_total{code="202",from="proxy",host="cart.shop",namespace="shop",workload="cart-primary"} 50`)
}

func TestNamesByTheProxy(t *testing.T) {
	l := newLab(t)
	pod := l.deploy("cart", "podinfo:6.0.0")
	for _, one := range []struct {
		user    *url.Userinfo
		method  string
		address string
		status  int
		has     string
	}{
		{nil, "GET", "http://cart.shop/version", 200, "6.0.0"},
		{nil, "GET", "http://cart.shop.svc.cluster.local:80/version", 200, "6.0.0"},
		{nil, "GET", "http://cart/version", 200, "6.0.0"}, // the only one of that name
		{url.User("shop"), "GET", "http://cart/version", 200, "6.0.0"},
		{url.User("other"), "GET", "http://cart/version", 502, "no Service cart in namespace other"},
		{nil, "GET", "http://10.0.0.9/version", 200, "6.0.0"},
		{nil, "GET", "http://" + pod.Status.PodIP + ":9898/version", 200, "6.0.0"},
		{nil, "GET", "http://" + pod.Status.PodIP + ":9797/metrics", 200, "http_requests_total"},
		{nil, "GET", "http://" + pod.Status.PodIP + ":1/", 502, "does not listen on port 1"},
		{nil, "GET", "http://nobody.shop/", 502, "no Service nobody in namespace shop"},
		{nil, "GET", "http://example.com.org.net/", 502, "is no Service"},
		{nil, "POST", "http://cart.shop/echo", 202, strings.Repeat("x", keepBody+5)},
	} {
		body := ""
		if one.method == "POST" {
			body = one.has
		}
		if len(body) > bodyLimit {
			one.status, one.has = 200, "invalid request body" // podinfo's limit, not ours
		}
		if status, text := l.through(one.user, one.method, one.address, body); status != one.status || !strings.Contains(text, one.has) {
			t.Errorf("%s %s: %d %.200s", one.method, one.address, status, text)
		}
	}
	if _, text := l.through(nil, "GET", "https://cart.shop/", ""); !strings.Contains(text, "Method Not Allowed") {
		t.Errorf("CONNECT: %s", text)
	}
	request := must(http.NewRequest("GET", "http://"+l.plane.Proxy.Addr().String()+"/version", nil))
	if status, text, _ := l.do(http.DefaultClient, request); status != 400 || !strings.Contains(text, "this is a proxy") {
		t.Errorf("no proxy's request: %d %s", status, text)
	}
}

func TestOnlyReadyPodsAreAsked(t *testing.T) {
	l := newLab(t)
	first := l.deploy("cart", "podinfo:6.0.0")
	second := l.pod("cart", "podinfo:6.0.0")
	names := func() map[string]int {
		seen := map[string]int{}
		for range 10 {
			_, body := l.through(nil, "GET", "http://cart.shop/api/info", "")
			for _, pod := range []*core.Pod{first, second} {
				if strings.Contains(body, `"`+pod.Name+`"`) {
					seen[pod.Name]++
				}
			}
		}
		return seen
	}
	l.until("both in turn", func() bool { seen := names(); return seen[first.Name] == 5 && seen[second.Name] == 5 })
	if status, _ := l.through(nil, "POST", "http://"+second.Status.PodIP+":9898/readyz/disable", ""); status != 202 {
		t.Fatalf("readyz/disable: %d", status)
	}
	told, err := l.client.CoreV1().Pods("shop").Get(l.plane.ctx, second.Name, meta.GetOptions{})
	if err != nil || told.Annotations[kubelet.AnnotationReady] != "false" {
		t.Fatalf("the cluster was not told: %v %v", told.Annotations, err)
	}
	told.Status.Conditions[0].Status = core.ConditionFalse // as the kubelet does
	if _, err := l.client.CoreV1().Pods("shop").UpdateStatus(l.plane.ctx, told, meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("the ready one alone", func() bool { return names()[first.Name] == 10 })
	if err := l.client.CoreV1().Pods("shop").Delete(l.plane.ctx, first.Name, meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("nobody", func() bool {
		status, text := l.through(nil, "GET", "http://cart.shop/", "")
		return status == 503 && strings.Contains(text, "no healthy upstream")
	})
	l.until("its port to be free", func() bool { return l.plane.containers.listens(first, 9898) == "" })
}

func TestPanicIsARestart(t *testing.T) {
	l := newLab(t)
	pod := l.deploy("cart", "podinfo:6.0.0")
	l.through(nil, "GET", "http://cart.shop/panic", "")
	l.until("the restart to be told", func() bool {
		told, err := l.client.CoreV1().Pods("shop").Get(l.plane.ctx, pod.Name, meta.GetOptions{})
		return err == nil && told.Annotations[kubelet.AnnotationRestarts] == "main=1"
	})
	l.until("it to answer again", func() bool { status, _ := l.through(nil, "GET", "http://cart.shop/version", ""); return status == 200 })
}

func TestAdminArmsFaults(t *testing.T) {
	l := newLab(t)
	l.deploy("cart", "podinfo:6.0.0")
	admin := "http://" + l.plane.Admin.Addr().String()
	put := func(body string) int {
		status, _, _ := l.do(http.DefaultClient, must(http.NewRequest("PUT", admin+"/faults", strings.NewReader(body))))
		return status
	}
	if status := put(`{"namespace": "shop", "workload": "cart", "error_percent": 100, "path": "/api"}`); status != 204 {
		t.Fatalf("PUT: %d", status)
	}
	for path, want := range map[string]int{"/api/info": 500, "/version": 200} {
		if status, _ := l.through(nil, "GET", "http://cart.shop"+path, ""); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, bad := range []string{`{`, `{"namespace": "shop"}`, `{"namespace": "shop", "workload": "cart", "errors": 1}`} {
		if status := put(bad); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
	l.do(http.DefaultClient, must(http.NewRequest("DELETE", admin+"/faults?namespace=shop", nil)))
	if status, _ := l.through(nil, "GET", "http://cart.shop/api/info", ""); status != 200 {
		t.Errorf("disarmed: %d", status)
	}
	if _, body, _ := l.do(http.DefaultClient, must(http.NewRequest("GET", admin+"/pods", nil))); !strings.Contains(body, `"workload": "cart"`) {
		t.Errorf("/pods: %s", body)
	}
}

func TestTimeoutsAndRetries(t *testing.T) {
	l := newLab(t)
	l.deploy("cart-primary", "podinfo:6.0.0-errors-50")
	l.deploy("cart-canary", "podinfo:6.0.1")
	l.define(virtualServices)
	l.put(virtualServices, fmt.Sprintf(weighted, 100, 0, "retries: {attempts: 1, retryOn: 5xx}\n    timeout: 1s"))
	l.until("the route", func() bool { status, _, _ := l.get("/healthz", "cart.example.com"); return status == 200 })
	for range 6 {
		if status, body, _ := l.get("/version", "cart.example.com"); status != 200 {
			t.Errorf("with a retry: %d %s", status, body)
		}
	}
	if status, body, _ := l.get("/chunked/3", "cart.example.com"); status == 200 && strings.Contains(body, "}") {
		t.Errorf("an answer after the timeout: %s", body)
	}
	began := time.Now()
	if status, body, _ := l.get("/delay/9", "cart.example.com"); status != 504 || time.Since(began) > 5*time.Second {
		t.Errorf("timeout: %d %s after %s", status, body, time.Since(began))
	}
}

func TestHTTPRoutesAreAccepted(t *testing.T) {
	l := newLab(t)
	l.deploy("cart-primary", "podinfo:6.0.0")
	l.define(httpRoutes)
	l.put(httpRoutes, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop, generation: 7}
spec:
  parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public, namespace: infra}]
  hostnames: [cart.example.com]
  rules: [{backendRefs: [{group: "", kind: Service, name: cart-primary, port: 80, weight: 100}]}]
status: {parents: [{controllerName: example.com/other, parentRef: {name: public}}]}
`)
	l.until("the status", func() bool {
		route, err := l.dynamic.Resource(httpRoutes).Namespace("shop").Get(l.plane.ctx, "cart", meta.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, parent := range list(route.Object, "status", "parents") {
			for _, condition := range list(parent, "conditions") {
				if text(parent, "controllerName") == controllerName && text(parent, "parentRef", "namespace") == "infra" &&
					text(condition, "type") == "Accepted" && number(condition, 0, "observedGeneration") == 7 {
					return len(list(route.Object, "status", "parents")) == 2
				}
			}
		}
		return false
	})
	if status, _, _ := l.get("/version", "cart.example.com"); status != 200 {
		t.Errorf("through it: %d", status)
	}
	definition := must(l.dynamic.Resource(definitions).Get(l.plane.ctx, "httproutes.gateway.networking.k8s.io", meta.GetOptions{}))
	if err := l.dynamic.Resource(definitions).Delete(l.plane.ctx, definition.GetName(), meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("the kind to be forgotten", func() bool { status, _, _ := l.get("/version", "cart.example.com"); return status == 404 })
}

func TestLoadtesterArguments(t *testing.T) {
	for line, want := range map[string]string{
		"./loadtester -port=8080 -log-level=info": "loadtester -log-level=info 8080",
		"loadtester --port 8081 -timeout 1h":      "loadtester -timeout 1h 8081",
		"serin loadtester":                        "loadtester 9090",
		"-port=80":                                "loadtester 80",
		"":                                        "loadtester 9090",
	} {
		args, port := loadtesterArgs(strings.Fields(line))
		if got := fmt.Sprint(strings.Join(args, " "), " ", port); got != want {
			t.Errorf("%q: %s", line, got)
		}
	}
}

func TestGatewayByNameAndForAnyHost(t *testing.T) {
	l := newLab(t)
	l.deploy("cart-primary", "podinfo:6.0.0")
	l.deploy("other", "podinfo:9.9.9")
	l.define(virtualServices)
	l.put(virtualServices, strings.Replace(fmt.Sprintf(weighted, 100, 0, ""), "[cart.example.com, cart]", `["*"]`, 1))
	for host, version := range map[string]string{"anything": "6.0.0", "other.shop": "9.9.9"} {
		l.until(host+" by the gateway", func() bool { _, body, _ := l.get("/version", host); return strings.Contains(body, version) })
	}
	l.until("the gateway by its name", func() bool {
		_, body := l.through(nil, "GET", "http://istio-ingressgateway.istio-system/version", "")
		return strings.Contains(body, "6.0.0")
	})
}

func TestGatewayOfOtherInstallations(t *testing.T) {
	l := newLab(t)
	l.pod("cart-primary", "podinfo:6.0.0-errors-100")
	l.service("cart-primary")
	l.define(httpRoutes)
	l.put(httpRoutes, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec:
  parentRefs: [{name: gateway, namespace: istio-ingress}]
  hostnames: [cart.example.com]
  rules: [{backendRefs: [{name: cart-primary, port: 80}]}]`)
	l.until("the route", func() bool { status, _, _ := l.get("/", "cart.example.com"); return status == 500 })
	if status, body := l.through(nil, "GET", "http://cart.example.com/", ""); status != 500 {
		t.Errorf("a host of the gateway, by the proxy: %d %s", status, body)
	}
	if status, body := l.through(nil, "GET", "http://envoy.projectcontour/", ""); status != 404 || !strings.Contains(body, "no route") {
		t.Errorf("the gateway by another name: %d %s", status, body)
	}
	l.expectMetric(`envoy_cluster_upstream_rq{envoy_cluster_name="shop_cart-primary_80",envoy_response_code="500"}`)
	l.expectMetric(`envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="shop_cart-primary_80",le="1000"}`)
	l.expectMetric(`response_total{classification="failure",deployment="cart-primary",direction="inbound",namespace="shop",status_code="500"}`)
	l.expectMetric(`response_latency_ms_bucket{deployment="cart-primary",direction="inbound",namespace="shop",status_code="500",le="1000"}`)
}

func TestHealthOverGRPC(t *testing.T) {
	l := newLab(t)
	l.deploy("cart", "podinfo:6.0.0")
	service := must(l.client.CoreV1().Services("shop").Get(l.plane.ctx, "cart", meta.GetOptions{}))
	service.Spec.Ports = append(service.Spec.Ports, core.ServicePort{Name: "grpc", Port: 9999, TargetPort: intstr.FromInt32(9999)})
	if _, err := l.client.CoreV1().Services("shop").Update(l.plane.ctx, service, meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("http_proxy", "http://shop@"+l.plane.Proxy.Addr().String())
	var last error
	l.until("health of the whole", func() bool {
		if last = tools.Probe([]string{"-addr=cart:9999"}); last != nil {
			l.Log(last)
		}
		return last == nil
	})
	for line, has := range map[string]string{"-connect-timeout=1s -addr=cart:9999 -service=podinfo": "", "-addr=cart:9999 -service=other": "unknown service",
		"-addr=cart:80": "Method Not Allowed", "-addr=cart:1": "Method Not Allowed", "-addr=nobody:9999": "Bad Gateway"} {
		if err := tools.Probe(strings.Fields(line)); (err == nil) != (has == "") || err != nil && !strings.Contains(err.Error(), has) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestFrontendsAskTheirBackends(t *testing.T) {
	l := newLab(t)
	l.deploy("backend", "podinfo:6.0.0")
	l.deploy("frontend", "podinfo:6.0.0", core.EnvVar{Name: "PODINFO_BACKEND_URL", Value: "http://backend/echo"})
	if status, body := l.through(nil, "POST", "http://frontend.shop/echo", "abc"); status != 200 || !strings.Contains(body, `"abc"`) {
		t.Errorf("echo: %d %s", status, body)
	}
	l.expectMetric(`source_workload="frontend",source_workload_namespace="shop"`)
}
