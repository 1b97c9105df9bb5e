package dataplane

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin is:
//
//	GET    /metrics   everything, for Prometheus
//	PUT    /faults    what the pods of a workload are to suffer (JSON, see Fault)
//	GET    /faults    all of them                     DELETE /faults[?namespace=N[&workload=W]]   no longer
//	GET    /pods      those that answer, and where
func (p *Plane) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", p.metrics)
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		var fault Fault
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&fault)
		if err == nil {
			err = p.faults.arm(fault)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, p.faults.list()) })
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) {
		p.faults.disarm(r.FormValue("namespace"), r.FormValue("workload"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /pods", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, p.containers.table()) })
	return mux
}

func (p *Plane) metrics(w http.ResponseWriter, r *http.Request) {
	all := prometheus.Gatherers{p.measures.registry}
	for _, one := range p.containers.all() {
		if one.measures != nil {
			all = append(all, labelled{one.measures.registry, one.pod.Namespace, one.pod.Name})
		}
	}
	promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
}

type row struct {
	Namespace string   `json:"namespace"`
	Pod       string   `json:"pod"`
	Workload  string   `json:"workload"`
	Ready     bool     `json:"ready"`
	Ports     []string `json:"ports"`
}

func (c *containers) table() []row {
	rows := []row{}
	for _, one := range c.all() {
		next := row{Namespace: one.pod.Namespace, Pod: one.pod.Name, Workload: workloadOf(one.pod).name, Ready: !one.unready.Load()}
		one.mu.Lock()
		for port, address := range one.ports {
			next.Ports = append(next.Ports, fmt.Sprintf("%d at %s", port, address))
		}
		one.mu.Unlock()
		sort.Strings(next.Ports)
		rows = append(rows, next)
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].Namespace+"/"+rows[i].Pod < rows[j].Namespace+"/"+rows[j].Pod })
	return rows
}
