// Package faults is a TLS reverse proxy before an API server that passes everything through, counts it, and on demand makes
// it fail the ways networks and servers do.
package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Upstream is the API server and how to reach it.
type Upstream struct {
	URL   *url.URL
	TLS   *tls.Config
	Token string // sent for requests that carry none
}

// Proxy is one proxy with its rules and counters.
type Proxy struct {
	Rules  *Rules
	Counts *Counts

	upstream  Upstream
	transport *http.Transport
	gate      *gate
	server    *http.Server
}

type connKey struct{}

// New makes a proxy on a listener; http1 keeps it from offering HTTP/2.
func New(upstream Upstream, listener net.Listener, certificate tls.Certificate, http1 bool) *Proxy {
	p := &Proxy{Rules: NewRules(), Counts: NewCounts(), upstream: upstream}
	p.gate = newGate(listener, p.Counts)
	p.transport = &http.Transport{TLSClientConfig: upstream.TLS, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: 70 * time.Second}
	protocols := []string{"h2", "http/1.1"}
	if http1 {
		protocols = protocols[1:]
	}
	p.server = &http.Server{Handler: p, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: protocols},
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ErrorLog: log.New(io.Discard, "", 0)}
	if http1 {
		p.server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	return p
}

// Serve runs until Close.
func (p *Proxy) Serve() error {
	err := p.server.ServeTLS(p.gate, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (p *Proxy) Close() { p.server.Close() }

// exchange is one request on its way.
type exchange struct {
	p       *Proxy
	w       http.ResponseWriter
	r       *http.Request
	kind    Kind
	uri     string
	rule    *Rule // that hit it, or nil
	request *Request
	began   time.Time
	sent    int64
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := Classify(r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.URL.Query())
	x := &exchange{p: p, w: w, r: r, kind: kind, uri: r.URL.RequestURI(), began: time.Now()}
	x.request = p.Counts.begin(r.Method, x.uri, kind)
	x.rule = p.Rules.Hit(r.Method, kind, x.uri)
	defer func() {
		name := ""
		if x.rule != nil {
			name = x.rule.Name
		}
		p.Counts.end(x.request, kind, x.began, name, x.sent)
	}()
	if x.rule == nil || x.before(x.rule.Action) {
		x.forward()
	}
}

// before does what comes before the API server is asked; false: that was all.
func (x *exchange) before(action Action) bool {
	if !x.sleep(action.latency()) {
		return false
	}
	switch {
	case action.Hang:
		for x.p.Rules.Armed(x.rule) {
			changed := x.p.Rules.Changed()
			if !x.p.Rules.Armed(x.rule) {
				break
			}
			select {
			case <-changed:
			case <-x.r.Context().Done():
				return false
			}
		}
		return true
	case action.Cut == "before":
		io.Copy(io.Discard, x.r.Body)
		x.cut()
		return false
	case action.Status != 0:
		io.Copy(io.Discard, x.r.Body)
		x.refuse(action)
		return false
	}
	return true
}

func (x *exchange) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-x.r.Context().Done():
		return false
	}
}

// refuse answers with a Status object, as an API server does.
func (x *exchange) refuse(action Action) {
	body := statusObject(action.Status, action.Reason, action.Message)
	x.w.Header().Set("Content-Type", "application/json")
	if action.RetryAfter != "" {
		x.w.Header().Set("Retry-After", action.RetryAfter)
	}
	x.p.Counts.answered(x.request, action.Status)
	x.w.WriteHeader(action.Status)
	n, _ := x.w.Write(body)
	x.sent += int64(n)
}

func statusObject(code int, reason, message string) []byte {
	usual := map[int]string{409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
	if reason == "" {
		reason = usual[code]
	}
	if message == "" {
		message = "fault injected by the playground's proxy"
	}
	body, _ := json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"message": message, "reason": reason, "code": code})
	return body
}

// cut ends the whole connection, and with HTTP/2 every request on it, without a word. What was sent before arrives.
func (x *exchange) cut() {
	if x.sent > 0 {
		http.NewResponseController(x.w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
	if conn, ok := x.r.Context().Value(connKey{}).(net.Conn); ok {
		if secure, ok := conn.(*tls.Conn); ok {
			conn = secure.NetConn()
		}
		reset(conn)
	}
	panic(http.ErrAbortHandler)
}

// forward asks the API server and passes its answer on.
func (x *exchange) forward() {
	body, err := io.ReadAll(io.LimitReader(x.r.Body, 64<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	target := *x.p.upstream.URL
	target.Path, target.RawPath, target.RawQuery = x.r.URL.Path, x.r.URL.RawPath, x.r.URL.RawQuery
	ask, err := http.NewRequestWithContext(x.r.Context(), x.r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		x.refuse(Action{Status: http.StatusBadRequest, Message: err.Error()})
		return
	}
	ask.Header = x.r.Header.Clone()
	for _, hop := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Upgrade", "Proxy-Connection"} {
		ask.Header.Del(hop)
	}
	if x.p.upstream.Token != "" && ask.Header.Get("Authorization") == "" {
		ask.Header.Set("Authorization", "Bearer "+x.p.upstream.Token)
	}
	answer, err := x.p.transport.RoundTrip(ask)
	if err != nil {
		if x.r.Context().Err() == nil {
			x.refuse(Action{Status: http.StatusBadGateway, Message: "the API server behind the proxy: " + err.Error()})
		}
		return
	}
	defer answer.Body.Close()
	if x.rule != nil && x.rule.Action.Cut == "after" {
		io.Copy(io.Discard, answer.Body)
		x.cut()
	}
	for key, values := range answer.Header {
		x.w.Header()[key] = values
	}
	x.p.Counts.answered(x.request, answer.StatusCode)
	x.w.WriteHeader(answer.StatusCode)
	if x.kind.Verb == "watch" && answer.StatusCode == http.StatusOK {
		x.watch(answer.Body)
		return
	}
	x.pass(answer.Body)
}

// pass copies an answer, all of it or up to where it is to be cut.
func (x *exchange) pass(body io.Reader) {
	limit := 0
	if x.rule != nil {
		limit = x.rule.Action.CutAfterBytes
	}
	if limit > 0 {
		x.sent, _ = io.Copy(x.w, io.LimitReader(body, int64(limit)))
		x.cut()
	}
	var err error
	if x.sent, err = io.Copy(x.w, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
