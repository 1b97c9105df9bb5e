package dataplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
)

const (
	keepBody      = 1 << 20 // a longer body is sent once: no retries, no mirror
	connectTries  = 3
	mirrorWithin  = 30 * time.Second
	mirrorsAtMost = 256
)

// way is where one call goes: a backend's Service and all that a rule says of it.
type way struct {
	call    *call
	rule    *rule
	backend backend
	service *core.Service
	port    *core.ServicePort
	host    string // label of the metrics
	from    string
	source  workload
	body    []byte
	whole   bool // body is all of it
}

type wayKey struct{}

// lead finds the way of a call and sends it there.
func (p *Plane) lead(w http.ResponseWriter, request *call) {
	out := &way{call: request, rule: &rule{}, host: request.host, from: request.from}
	if request.source != nil {
		out.source = workloadOf(request.source)
	}
	by := &condition{}
	f := p.routes.find(request)
	if request.from == "gateway" && request.service != nil && f.closely == 0 {
		f = found{} // a Service by its name goes before routes for any host
	}
	switch {
	case f.rule != nil:
		out.rule, by = f.rule, f.condition
		backend, err := p.choose(f.rule)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out.backend = backend
	case f.claimed:
		http.Error(w, fmt.Sprintf("no route of %s fits %s %s", request.host, request.Method, request.URL.Path), http.StatusNotFound)
		return
	case request.service != nil:
		out.backend = backend{namespace: request.service.Namespace, service: request.service.Name, port: request.port}
	default:
		http.Error(w, fmt.Sprintf("no route and no Service is named %q", request.host), http.StatusNotFound)
		return
	}
	if err := p.aim(out); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if err := out.keep(request.Request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	path := out.rule.rewrite(request.URL.Path, by)
	p.mirror(out, path)
	ctx := context.WithValue(request.Context(), wayKey{}, out)
	if out.rule.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, out.rule.timeout)
		defer cancel()
		ctx = limited
	}
	sent := request.WithContext(ctx)
	sent.URL = &url.URL{Scheme: "http", Host: "chosen.later", Path: path, RawQuery: request.URL.RawQuery}
	if path == request.URL.Path {
		sent.URL.RawPath = request.URL.RawPath
	}
	p.reverse.ServeHTTP(w, sent)
}

func (p *Plane) choose(of *rule) (backend, error) {
	weights := make([]int, len(of.backends))
	for i := range of.backends {
		weights[i] = max(0, of.backends[i].weight)
	}
	if i := p.splits.pick(of.key, weights); i >= 0 {
		return of.backends[i], nil
	}
	return backend{}, fmt.Errorf("%s has no backend with a weight above 0", of.key)
}

// aim finds the Service of the backend and its port.
func (p *Plane) aim(out *way) (err error) {
	to := &out.backend
	if out.service, _ = p.world.services.Services(to.namespace).Get(to.service); out.service == nil {
		return fmt.Errorf("no Service %s in namespace %s", to.service, to.namespace)
	}
	if to.portName != "" {
		for _, port := range out.service.Spec.Ports {
			if port.Name == to.portName {
				to.port = int(port.Port)
			}
		}
	}
	number := to.port
	if number == 0 {
		number = out.call.port
	}
	must := to.port != 0 && out.rule.key != ""
	if out.port = servicePort(out.service, number, must); out.port == nil {
		return fmt.Errorf("Service %s in namespace %s has no port %d", to.service, to.namespace, number)
	}
	return nil
}

// keep reads the body so that it can be sent again, unless it is long.
func (o *way) keep(request *http.Request) error {
	o.whole = true
	if request.Body == nil || request.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, keepBody+1))
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	o.body, o.whole = body, len(body) <= keepBody
	if !o.whole {
		request.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), request.Body), request.Body}
	}
	return nil
}

// newReverse makes what sends calls on; their way is in the context.
func (p *Plane) newReverse() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: p, FlushInterval: -1, ErrorLog: p.quiet,
		Rewrite: func(r *httputil.ProxyRequest) {
			out := r.In.Context().Value(wayKey{}).(*way)
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			r.Out.Header.Del("Proxy-Authorization")
			r.Out.Host = r.In.Host
			if out.rule.authority != "" {
				r.Out.Host = out.rule.authority
			}
			out.rule.request.apply(r.Out.Header)
			out.backend.request.apply(r.Out.Header)
		},
		ModifyResponse: func(answer *http.Response) error {
			out := answer.Request.Context().Value(wayKey{}).(*way)
			out.rule.response.apply(answer.Header)
			out.backend.response.apply(answer.Header)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			switch {
			case errors.Is(err, errNobody):
				http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
			case errors.Is(err, context.DeadlineExceeded):
				http.Error(w, "upstream request timeout", http.StatusGatewayTimeout)
			case errors.Is(err, context.Canceled):
			default:
				http.Error(w, "upstream connect error: "+err.Error(), http.StatusServiceUnavailable)
			}
		},
	}
}

var errNobody = errors.New("no endpoint is ready")

// RoundTrip asks one endpoint after the other as the rule's retries say; one that cannot be reached never counts as an attempt.
func (p *Plane) RoundTrip(request *http.Request) (*http.Response, error) {
	out := request.Context().Value(wayKey{}).(*way)
	unreached, failed := 0, 0
	for {
		ends := p.world.endpoints(out.service, out.port)
		if len(ends) == 0 {
			p.measures.count(out.outcome(request, workload{}, http.StatusServiceUnavailable, 0))
			return nil, errNobody
		}
		answer, err := p.ask(request, out, ends[0])
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" && request.Context().Err() == nil {
			if unreached++; unreached < connectTries && out.whole {
				continue
			}
			return nil, err
		}
		if failed >= out.rule.attempts || !out.whole || request.Context().Err() != nil || !retries(out.rule.retryOn, answer, err) {
			return answer, err
		}
		failed++
		if answer != nil {
			answer.Body.Close()
		}
	}
}

// retries tells whether an outcome is one that is tried again.
func retries(on string, answer *http.Response, err error) bool {
	if err != nil {
		return true
	}
	for _, kind := range strings.Split(on, ",") {
		code := answer.StatusCode
		switch kind = strings.TrimSpace(kind); kind {
		case "5xx":
			if code >= 500 {
				return true
			}
		case "gateway-error":
			if code >= 502 && code <= 504 {
				return true
			}
		case "retriable-4xx":
			if code == http.StatusConflict {
				return true
			}
		default:
			if kind == strconv.Itoa(code) {
				return true
			}
		}
	}
	return on == "" && answer.StatusCode == http.StatusServiceUnavailable
}

// ask makes one attempt; what came of it is counted when the answer has been read.
func (p *Plane) ask(request *http.Request, out *way, end endpoint) (*http.Response, error) {
	ctx, cancel := request.Context(), context.CancelFunc(func() {})
	if out.rule.tryTimeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, out.rule.tryTimeout)
	}
	attempt := request.Clone(ctx)
	attempt.URL.Host = end.address
	if out.whole && len(out.body) > 0 {
		attempt.Body = io.NopCloser(bytes.NewReader(out.body))
		attempt.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.body)), nil }
		attempt.ContentLength = int64(len(out.body))
	} else if out.whole {
		attempt.Body = http.NoBody
	}
	began, target := time.Now(), workloadOf(end.pod)
	answer, err := p.transport.RoundTrip(attempt)
	if err != nil {
		cancel()
		code := 0 // the caller went away, or its patience ended
		if ctx.Err() == nil {
			code = http.StatusServiceUnavailable
		}
		p.measures.count(out.outcome(request, target, code, time.Since(began)))
		return nil, err
	}
	answer.Request = request
	body := &counted{ReadCloser: answer.Body, end: func() {
		cancel()
		p.measures.count(out.outcome(request, target, answer.StatusCode, time.Since(began)))
	}}
	answer.Body = body
	if connection, ok := body.ReadCloser.(io.ReadWriteCloser); ok && answer.StatusCode == http.StatusSwitchingProtocols {
		answer.Body = struct {
			*counted
			io.Writer
		}{body, connection}
	}
	return answer, nil
}

func (o *way) outcome(request *http.Request, target workload, code int, took time.Duration) outcome {
	return outcome{from: o.from, host: o.host, method: request.Method, source: o.source, target: target, service: o.service.Name,
		serviceNamespace: o.service.Namespace, port: int(o.port.Port), via: o.backend.via, code: code, took: took}
}

// counted calls end once, when the body is read or left.
type counted struct {
	io.ReadCloser
	end func()
}

func (c *counted) Read(into []byte) (int, error) {
	n, err := c.ReadCloser.Read(into)
	if err != nil {
		c.finish()
	}
	return n, err
}

func (c *counted) Close() error {
	c.finish()
	return c.ReadCloser.Close()
}

func (c *counted) finish() {
	if c.end != nil {
		c.end()
		c.end = nil
	}
}

// mirror sends copies where the rule says; nobody waits for their answers.
func (p *Plane) mirror(out *way, path string) {
	for i, one := range out.rule.mirrors {
		key := fmt.Sprintf("%s/mirror/%d", out.rule.key, i)
		turn, _ := p.mirrored.LoadOrStore(key, new(share))
		if !out.whole || !turn.(*share).nextOf(one.percent) {
			continue
		}
		copied := &way{call: out.call, rule: &rule{key: key}, backend: one.backend, host: out.host, from: "mirror", source: out.source,
			body: out.body, whole: true}
		if p.aim(copied) != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithValue(p.ctx, wayKey{}, copied), mirrorWithin)
		request := out.call.Clone(ctx)
		request.URL = &url.URL{Scheme: "http", Host: "chosen.later", Path: path, RawQuery: out.call.URL.RawQuery}
		request.RequestURI, request.Host = "", out.call.Host+"-shadow"
		for _, name := range []string{"Connection", "Proxy-Connection", "Proxy-Authorization", "Upgrade"} {
			request.Header.Del(name)
		}
		out.rule.request.apply(request.Header)
		select {
		case p.mirrors <- struct{}{}:
		default: // too many are under way
			cancel()
			continue
		}
		go func() {
			defer func() { <-p.mirrors }()
			defer cancel()
			if answer, err := p.RoundTrip(request); err == nil {
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		}()
	}
}
