package dataplane

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const bodyLimit = 1 << 20

// podinfo answers as the podinfo of an image's tag does, as far as that needs no disk, no cache and no other protocol.
type podinfo struct {
	hostname, version string
	env               []string
	color, message    string
	secret            []byte
	service           string       // that it has over gRPC
	backends          []string     // whom /echo asks, none: nobody
	client            *http.Client // for that
	measures          *podMeasures
	troubles          func() trouble // what it is to suffer now, by its tag and by the admin's faults
	onReady           func(bool)
	onPanic           func()

	unhealthy, unready, injected atomic.Bool
	errors                       share
}

type page struct {
	pattern, name string
	serve         http.HandlerFunc
}

func (p *podinfo) pages() []page {
	return []page{
		{"GET /{$}", "root", p.info},
		{"GET /api/info", "api_info", p.info},
		{"GET /version", "version", func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusOK, map[string]string{"commit": "unknown", "version": p.version})
		}},
		{"GET /status/{code}", "status", status}, {"POST /status/{code}", "status", status}, {"PUT /status/{code}", "status", status},
		{"GET /delay/{seconds}", "delay", p.delay},
		{"POST /token", "token", p.token},
		{"GET /token/validate", "token_validate", p.validate},
		{"GET /healthz", "healthz", probe(&p.unhealthy)},
		{"GET /readyz", "readyz", probe(&p.unready)},
		{"POST /readyz/enable", "readyz_enable", p.turn(true)},
		{"POST /readyz/disable", "readyz_disable", p.turn(false)},
		{"GET /metrics", "metrics", p.measures.handler().ServeHTTP},
		{"GET /env", "env", p.environment}, {"POST /env", "env", p.environment},
		{"GET /headers", "headers", headers}, {"POST /headers", "headers", headers},
		{"/echo", "echo", p.echo}, {"/api/echo", "api_echo", p.echo},
		{"GET /panic", "panic", func(w http.ResponseWriter, r *http.Request) {
			p.onPanic()
			panic(http.ErrAbortHandler)
		}},
		{"/chunked", "chunked", chunked}, {"/chunked/{seconds}", "chunked", chunked},
		{"POST /fault_injection/enable", "fault_injection_enable", p.inject(true)},
		{"POST /fault_injection/disable", "fault_injection_disable", p.inject(false)},
		{"GET /fault_injection/status", "fault_injection_status", func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusOK, map[string]bool{"enabled": p.injected.Load()})
		}},
	}
}

// handler is everything; a port for metrics alone answers /metrics and /healthz.
func (p *podinfo) handler(metricsOnly bool) http.Handler {
	mux, names := http.NewServeMux(), map[string]string{}
	for _, page := range p.pages() {
		if metricsOnly && page.name != "metrics" && page.name != "healthz" {
			continue
		}
		mux.HandleFunc(page.pattern, page.serve)
		names[page.pattern] = page.name
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		began, counted := time.Now(), &countedWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { p.measures.count(r.Method, names[pattern], counted.status, time.Since(began)) }()
		r.Header.Set("X-Api-Version", p.version)
		r.Header.Set("X-Api-Revision", "unknown")
		if !p.suffer(counted, r) {
			mux.ServeHTTP(counted, r)
		}
	})
}

// suffer does what the tag or an admin foretold for a request that is not the cluster's own; true if that was the answer.
func (p *podinfo) suffer(w http.ResponseWriter, r *http.Request) bool {
	for _, spared := range []string{"/healthz", "/readyz", "/metrics", "/fault_injection", "/panic"} {
		if strings.HasPrefix(r.URL.Path, spared) {
			return false
		}
	}
	if p.injected.Load() {
		answer(w, http.StatusInternalServerError, map[string]string{"status": "fault injection enabled"})
		return true
	}
	trouble := p.troubles()
	if !strings.HasPrefix(r.URL.Path, trouble.path) {
		return false
	}
	if trouble.delay > 0 {
		pause(r, trouble.delay)
	}
	if p.errors.next(trouble.errorPercent) {
		answer(w, http.StatusInternalServerError, map[string]any{"code": http.StatusInternalServerError, "message": "an error as asked for"})
		return true
	}
	return false
}

func (p *podinfo) info(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && strings.HasPrefix(r.UserAgent(), "Mozilla") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE html><title>%s</title><body style=\"background:%s\"><h1>%s</h1><p>podinfo %s</p></body>\n",
			escape(p.hostname), escape(p.color), escape(p.message), escape(p.version))
		return
	}
	answer(w, http.StatusOK, map[string]string{"hostname": p.hostname, "version": p.version, "revision": "unknown", "color": p.color,
		"logo": "", "message": p.message, "goos": runtime.GOOS, "goarch": runtime.GOARCH, "runtime": runtime.Version(),
		"num_goroutine": strconv.Itoa(runtime.NumGoroutine()), "num_cpu": strconv.Itoa(runtime.NumCPU())})
}

func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if code < 100 || code > 999 {
		panic(http.ErrAbortHandler)
	}
	answer(w, code, map[string]int{"status": code})
}

func (p *podinfo) delay(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.PathValue("seconds"))
	if err != nil || seconds < 0 {
		http.NotFound(w, r)
		return
	}
	pause(r, time.Duration(seconds)*time.Second)
	answer(w, http.StatusOK, map[string]int{"delay": seconds})
}

func probe(fails *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if fails.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "OK"})
	}
}

func (p *podinfo) turn(ready bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.unready.Store(!ready)
		p.onReady(ready)
		w.WriteHeader(http.StatusAccepted)
	}
}

func (p *podinfo) inject(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.injected.Store(on)
		w.WriteHeader(http.StatusAccepted)
	}
}

func (p *podinfo) environment(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, append([]string{"HOSTNAME=" + p.hostname}, p.env...))
}

func headers(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, r.Header) }

func (p *podinfo) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"code": http.StatusBadRequest, "message": "invalid request body"})
		return
	}
	w.Header().Set("X-Color", p.color)
	if len(p.backends) == 0 {
		w.WriteHeader(http.StatusAccepted)
		w.Write(body)
		return
	}
	answers := make([]string, len(p.backends))
	var all sync.WaitGroup
	for i, backend := range p.backends {
		all.Add(1)
		go func() {
			defer all.Done()
			answers[i] = p.ask(r, backend, body)
		}()
	}
	all.Wait()
	answer(w, http.StatusOK, answers)
}

var traced = []string{"X-Request-Id", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags", "X-Ot-Span-Context",
	"X-Api-Version", "X-Api-Revision"}

// ask posts to a backend what came here, and gives its answer or why there is none.
func (p *podinfo) ask(r *http.Request, backend string, body []byte) string {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, backend, bytes.NewReader(body))
	if err != nil {
		return fmt.Sprintf("backend %s: %v", backend, err)
	}
	for _, name := range traced {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	got, err := p.client.Do(request)
	if err != nil {
		return fmt.Sprintf("backend %s call failed: %v", backend, err)
	}
	defer got.Body.Close()
	if got.StatusCode >= http.StatusBadRequest {
		return fmt.Sprintf("backend %s response status code %d", backend, got.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(got.Body, bodyLimit))
	if err != nil {
		return fmt.Sprintf("backend %s read failed: %v", backend, err)
	}
	return string(text)
}

func chunked(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.PathValue("seconds"))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprint(w, "{\n")
	http.NewResponseController(w).Flush()
	pause(r, time.Duration(seconds)*time.Second)
	fmt.Fprintf(w, "  \"delay\": %d\n}", seconds)
}

// answer writes JSON in podinfo's manner.
func answer(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	text, _ := json.MarshalIndent(value, "", "  ")
	w.Write(text)
}

func pause(r *http.Request, length time.Duration) {
	select {
	case <-time.After(length):
	case <-r.Context().Done():
	}
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;").Replace

// lookup finds a flag of the container's command line, else its environment variable, else the default.
func lookup(args, env []string, flag, otherwise string) string {
	for _, arg := range args {
		if value, found := strings.CutPrefix(arg, "--"+flag+"="); found {
			return value
		}
	}
	name := "PODINFO_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) + "="
	for _, one := range env {
		if value, found := strings.CutPrefix(one, name); found {
			return os.Expand(value, func(string) string { return "" })
		}
	}
	return otherwise
}
