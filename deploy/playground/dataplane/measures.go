package dataplane

import (
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// podMeasures is what one pod exports of itself.
type podMeasures struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newPodMeasures() *podMeasures {
	m := &podMeasures{registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total",
			Help: "The total number of HTTP requests."}, []string{"status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds",
			Help: "Seconds spent serving HTTP requests.", Buckets: prometheus.DefBuckets}, []string{"method", "path", "status"})}
	m.registry.MustRegister(m.requests, m.duration)
	return m
}

func (m *podMeasures) count(method, path string, status int, took time.Duration) {
	code := strconv.Itoa(status)
	if path == "" {
		path = "unknown"
	}
	m.requests.WithLabelValues(code).Inc()
	m.duration.WithLabelValues(method, path, code).Observe(took.Seconds())
}

func (m *podMeasures) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// labelled gives a pod's metrics the labels that service discovery would.
type labelled struct {
	from            prometheus.Gatherer
	namespace, name string
}

func (l labelled) Gather() ([]*dto.MetricFamily, error) {
	families, err := l.from.Gather()
	for _, family := range families {
		for _, metric := range family.Metric {
			for _, pair := range [][2]string{{"kubernetes_namespace", l.namespace}, {"kubernetes_pod_name", l.name}} {
				metric.Label = append(metric.Label, &dto.LabelPair{Name: &pair[0], Value: &pair[1]})
			}
			sort.Slice(metric.Label, func(i, j int) bool { return metric.Label[i].GetName() < metric.Label[j].GetName() })
		}
	}
	return families, err
}

// measures is what the mesh, the ingress controller and the gateway export.
type measures struct {
	registry                     *prometheus.Registry
	istioRequests, nginxRequests *prometheus.CounterVec
	istioDuration, nginxDuration *prometheus.HistogramVec
	envoyRequests, linkerd       *prometheus.CounterVec
	envoyDuration, linkerdTook   *prometheus.HistogramVec
	playground                   *prometheus.CounterVec
}

var (
	istioLabels = []string{"reporter", "source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload",
		"destination_service", "destination_service_name", "destination_service_namespace", "request_protocol", "response_code"}
	nginxLabels = []string{"namespace", "ingress", "service", "canary", "host", "path", "method", "status"}
	inMs        = []float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000}
)

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func newMeasures() *measures {
	m := &measures{registry: prometheus.NewRegistry(),
		istioRequests: counter("istio_requests_total", "Requests in the mesh.", istioLabels...),
		istioDuration: histogram("istio_request_duration_milliseconds", "Duration of requests in the mesh.", inMs, istioLabels...),
		nginxRequests: counter("nginx_ingress_controller_requests", "Requests through Ingresses.", nginxLabels...),
		nginxDuration: histogram("nginx_ingress_controller_response_duration_seconds", "Duration of upstream answers of Ingresses.",
			prometheus.DefBuckets, nginxLabels...),
		envoyRequests: counter("envoy_cluster_upstream_rq", "Requests of the gateway, as Contour names clusters.", "envoy_cluster_name", "envoy_response_code"),
		envoyDuration: histogram("envoy_cluster_upstream_rq_time", "Milliseconds of the gateway's requests.", inMs, "envoy_cluster_name"),
		linkerd:       counter("response_total", "Answers in the mesh, as Linkerd tells them.", "direction", "namespace", "deployment", "classification", "status_code"),
		linkerdTook:   histogram("response_latency_ms", "Milliseconds until answers in the mesh.", inMs, "direction", "namespace", "deployment", "status_code"),
		playground: counter("playground_requests_total", "Requests by the way they came, the host they were for, and who answered.",
			"from", "host", "namespace", "workload", "code")}
	m.registry.MustRegister(m.istioRequests, m.istioDuration, m.nginxRequests, m.nginxDuration, m.envoyRequests, m.envoyDuration, m.linkerd,
		m.linkerdTook, m.playground)
	return m
}

// outcome is one attempt at an answer, as the metrics tell it.
type outcome struct {
	from, host, method string
	source, target     workload // source is empty unless the caller said who it is; target when nobody was there to ask
	service            string
	serviceNamespace   string
	port               int            // of the Service
	via                *ingressLabels // through which Ingress, if any
	code               int
	took               time.Duration
}

type workload struct{ namespace, name string }

type ingressLabels struct{ namespace, ingress, host, path, canary string }

func (m *measures) count(o outcome) {
	code := strconv.Itoa(o.code)
	source, target := o.source.or("unknown"), o.target.or("unknown")
	m.playground.WithLabelValues(o.from, o.host, target.namespace, target.name, code).Inc()
	full := fmt.Sprintf("%s.%s.svc.cluster.local", o.service, o.serviceNamespace)
	for _, reporter := range []string{"source", "destination"} {
		if reporter == "destination" && o.target.name == "" {
			continue
		}
		labels := []string{reporter, source.namespace, source.name, target.namespace, target.name, full, o.service, o.serviceNamespace, "http", code}
		m.istioRequests.WithLabelValues(labels...).Inc()
		m.istioDuration.WithLabelValues(labels...).Observe(float64(o.took) / float64(time.Millisecond))
	}
	if via := o.via; via != nil {
		labels := []string{via.namespace, via.ingress, o.service, via.canary, via.host, via.path, o.method, code}
		m.nginxRequests.WithLabelValues(labels...).Inc()
		m.nginxDuration.WithLabelValues(labels...).Observe(o.took.Seconds())
	}
	m.countOthers(o, code)
}

// countOthers has the names of Envoy before the mesh, and of Linkerd in it.
func (m *measures) countOthers(o outcome, code string) {
	took := float64(o.took) / float64(time.Millisecond)
	if o.from == "gateway" {
		cluster := fmt.Sprintf("%s_%s_%d", o.serviceNamespace, o.service, o.port)
		m.envoyRequests.WithLabelValues(cluster, code).Inc()
		m.envoyDuration.WithLabelValues(cluster).Observe(took)
	}
	classification := "success"
	if o.code == 0 || o.code >= 500 {
		classification = "failure"
	}
	for direction, one := range map[string]workload{"inbound": o.target, "outbound": o.source} {
		if one.name == "" {
			continue
		}
		m.linkerd.WithLabelValues(direction, one.namespace, one.name, classification, code).Inc()
		m.linkerdTook.WithLabelValues(direction, one.namespace, one.name, code).Observe(took)
	}
}

func (w workload) or(name string) workload {
	if w.name == "" {
		return workload{name, name}
	}
	return w
}

// countedWriter remembers the status that was written.
type countedWriter struct {
	http.ResponseWriter
	status int
}

func (c *countedWriter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *countedWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
