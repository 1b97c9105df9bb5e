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
	playground                   *prometheus.CounterVec
}

func newMeasures() *measures {
	istio := []string{"reporter", "source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload",
		"destination_service", "destination_service_name", "destination_service_namespace", "request_protocol", "response_code"}
	nginx := []string{"namespace", "ingress", "service", "canary", "host", "path", "method", "status"}
	m := &measures{registry: prometheus.NewRegistry(),
		istioRequests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "istio_requests_total", Help: "Requests in the mesh."}, istio),
		istioDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "istio_request_duration_milliseconds",
			Help: "Duration of requests in the mesh.", Buckets: []float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
				30_000, 60_000}}, istio),
		nginxRequests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nginx_ingress_controller_requests",
			Help: "Requests through Ingresses."}, nginx),
		nginxDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nginx_ingress_controller_response_duration_seconds",
			Help: "Duration of upstream answers of Ingresses.", Buckets: prometheus.DefBuckets}, nginx),
		playground: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "playground_requests_total",
			Help: "Requests by the way they came, the host they were for, and who answered."},
			[]string{"from", "host", "namespace", "workload", "code"})}
	m.registry.MustRegister(m.istioRequests, m.istioDuration, m.nginxRequests, m.nginxDuration, m.playground)
	return m
}

// outcome is one attempt at an answer, as the metrics tell it.
type outcome struct {
	from, host, method string
	source, target     workload // source is empty unless the caller said who it is; target when nobody was there to ask
	service            string
	serviceNamespace   string
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
