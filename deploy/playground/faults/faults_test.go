package faults

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// world is a server that answers and sends events on demand, the proxy before it and a client of the proxy.
type world struct {
	t      *testing.T
	proxy  *Proxy
	url    string
	client *http.Client
	asked  atomic.Int32
	events chan string
	admin  *httptest.Server
}

func newWorld(t *testing.T, http1 bool) *world {
	w := &world{t: t, events: make(chan string, 100)}
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(w.answer))
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	target, _ := url.Parse(upstream.URL)
	roots := x509.NewCertPool()
	roots.AddCert(upstream.Certificate())
	certificate, authority, err := Certificate()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.proxy = New(Upstream{URL: target, TLS: &tls.Config{RootCAs: roots}, Token: "secret"}, listener, certificate, http1)
	go w.proxy.Serve()
	t.Cleanup(w.proxy.Close)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	w.url = "https://" + listener.Addr().String()
	w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true}}
	t.Cleanup(w.client.CloseIdleConnections)
	w.admin = httptest.NewServer(w.proxy.Admin())
	t.Cleanup(w.admin.Close)
	return w
}

func (w *world) answer(out http.ResponseWriter, r *http.Request) {
	w.asked.Add(1)
	if r.FormValue("watch") != "1" {
		body, _ := io.ReadAll(r.Body)
		out.Header().Set("X-Seen", r.Proto+" "+r.Header.Get("Authorization"))
		fmt.Fprintf(out, "%s %s %s", r.Method, r.URL.RequestURI(), body)
		return
	}
	out.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(out)
	flush.Flush()
	for {
		select {
		case event := <-w.events:
			io.WriteString(out, event+"\n")
			flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (w *world) do(method, path, body string) (*http.Response, string, error) {
	request, _ := http.NewRequest(method, w.url+path, strings.NewReader(body))
	answer, err := w.client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer, string(data), err
}

func (w *world) arm(name string, rule Rule) {
	w.t.Helper()
	data, _ := json.Marshal(rule)
	w.ask(http.MethodPut, "/rules/"+name, string(data), http.StatusNoContent)
}

func (w *world) ask(method, path, body string, want int) string {
	w.t.Helper()
	request, _ := http.NewRequest(method, w.admin.URL+path, strings.NewReader(body))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != want {
		w.t.Fatalf("%s %s: %s %s", method, path, answer.Status, data)
	}
	return string(data)
}

func (w *world) counts() (totals Totals) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.ask("GET", "/counts?list=1", "", 200)), &totals); err != nil {
		w.t.Fatal(err)
	}
	return totals
}

// watch opens a watch; lines come on the channel, which is closed when it ends.
func (w *world) watch() (lines chan string, cancel func()) {
	w.t.Helper()
	answer, err := w.client.Get(w.url + "/api/v1/pods?watch=1")
	if err != nil {
		w.t.Fatal(err)
	}
	lines = make(chan string, 100)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(answer.Body)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	w.t.Cleanup(func() { answer.Body.Close() })
	return lines, func() { answer.Body.Close() }
}

func (w *world) expect(lines chan string, want string) {
	w.t.Helper()
	select {
	case line, more := <-lines:
		if !more {
			line = "(end)"
		}
		if !strings.Contains(line, want) {
			w.t.Fatalf("got %q, not %q", line, want)
		}
	case <-time.After(5 * time.Second):
		w.t.Fatalf("waited for %q in vain", want)
	}
}

func (w *world) silence(lines chan string) {
	w.t.Helper()
	select {
	case line, more := <-lines:
		w.t.Fatalf("got %q (more: %v) where nothing was due", line, more)
	case <-time.After(150 * time.Millisecond):
	}
}

func TestRequestsPassUnchanged(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		w := newWorld(t, http1)
		answer, body, err := w.do("PATCH", "/api/v1/namespaces/a%2Fb/pods/p?x=%2F&y", "{}")
		if err != nil || body != "PATCH /api/v1/namespaces/a%2Fb/pods/p?x=%2F&y {}" {
			t.Fatalf("%v %q", err, body)
		}
		if want := map[bool]int{false: 2, true: 1}[http1]; answer.ProtoMajor != want {
			t.Errorf("client speaks HTTP/%d, not %d", answer.ProtoMajor, want)
		}
		if seen := answer.Header.Get("X-Seen"); seen != "HTTP/2.0 Bearer secret" {
			t.Errorf("the server saw %q", seen)
		}
	}
}

func TestAClientsOwnTokenIsKept(t *testing.T) {
	w := newWorld(t, false)
	request, _ := http.NewRequest("GET", w.url+"/version", nil)
	request.Header.Set("Authorization", "Bearer mine")
	answer, err := w.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if seen := answer.Header.Get("X-Seen"); seen != "HTTP/2.0 Bearer mine" {
		t.Errorf("the server saw %q", seen)
	}
}

func TestStatusIsAnsweredForTheServer(t *testing.T) {
	w := newWorld(t, false)
	w.arm("busy", Rule{Methods: []string{"PATCH"}, Path: "/pods/", Skip: 1, Count: 2, Action: Action{Status: 429, RetryAfter: "3"}})
	var codes []int
	for range 5 {
		answer, body, err := w.do("PATCH", "/api/v1/namespaces/a/pods/p", "{}")
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, answer.StatusCode)
		if answer.StatusCode == 429 && (answer.Header.Get("Retry-After") != "3" || !strings.Contains(body, `"reason":"TooManyRequests"`)) {
			t.Errorf("%v %s", answer.Header, body)
		}
	}
	if fmt.Sprint(codes) != "[200 429 429 200 200]" || w.asked.Load() != 3 {
		t.Errorf("%v, the server was asked %d times", codes, w.asked.Load())
	}
	if answer, _, _ := w.do("GET", "/api/v1/namespaces/a/pods/p", ""); answer.StatusCode != 200 {
		t.Errorf("a GET was hit too: %d", answer.StatusCode)
	}
	rules := w.ask("GET", "/rules", "", 200)
	if !strings.Contains(rules, `"matched":5,"hits":2`) {
		t.Error(rules)
	}
}

func TestLatencyComesBeforeTheRest(t *testing.T) {
	w := newWorld(t, false)
	w.arm("slow", Rule{Action: Action{LatencyMS: 120, Status: 503}})
	began := time.Now()
	answer, _, err := w.do("GET", "/version", "")
	if err != nil || answer.StatusCode != 503 || time.Since(began) < 120*time.Millisecond {
		t.Errorf("%v %v after %v", err, answer, time.Since(began))
	}
}

func TestProbabilityHitsSome(t *testing.T) {
	w := newWorld(t, false)
	w.arm("some", Rule{Probability: 0.5, Action: Action{Status: 500}})
	hit := 0
	for range 100 {
		if answer, _, err := w.do("GET", "/version", ""); err == nil && answer.StatusCode == 500 {
			hit++
		}
	}
	if hit < 15 || hit > 85 {
		t.Errorf("%d of 100 were hit", hit)
	}
}

func TestConnectionsAreCut(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		for when, asked := range map[string]int32{"before": 0, "after": 1} {
			w := newWorld(t, http1)
			w.arm("cut", Rule{Methods: []string{"POST"}, Count: 1, Action: Action{Cut: when}})
			if answer, body, err := w.do("POST", "/api/v1/namespaces", "{}"); err == nil {
				t.Errorf("cut %s: got %v %q", when, answer.Status, body)
			}
			if w.asked.Load() != asked {
				t.Errorf("cut %s: the server was asked %d times", when, w.asked.Load())
			}
			if _, _, err := w.do("POST", "/api/v1/namespaces", "{}"); err != nil {
				t.Errorf("cut %s: the next one fails too: %v", when, err)
			}
		}
	}
}

func TestAnAnswerIsCutInTheMiddle(t *testing.T) {
	w := newWorld(t, false)
	w.arm("cut", Rule{Action: Action{CutAfterBytes: 7}})
	_, body, err := w.do("GET", "/api/v1/namespaces", "")
	if err == nil || body != "GET /ap" {
		t.Errorf("%q %v", body, err)
	}
}

func TestHangLastsAsLongAsItsRule(t *testing.T) {
	w := newWorld(t, false)
	w.arm("hang", Rule{Action: Action{Hang: true}})
	answered := make(chan error, 1)
	go func() {
		_, _, err := w.do("GET", "/version", "")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("answered at once: %v", err)
	case <-time.After(150 * time.Millisecond):
	}
	w.ask("DELETE", "/rules/hang", "", 204)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

func TestWatchesStream(t *testing.T) {
	w := newWorld(t, false)
	lines, _ := w.watch()
	w.silence(lines)
	w.events <- "one"
	w.expect(lines, "one")
	w.events <- "two"
	w.expect(lines, "two")
}

func TestAnOpenWatchFallsSilentAndSpeaksAgain(t *testing.T) {
	w := newWorld(t, false)
	lines, _ := w.watch()
	w.events <- "one"
	w.expect(lines, "one")
	w.arm("silent", Rule{Verbs: []string{"watch"}, Action: Action{WatchSilent: true}})
	w.events <- "two"
	w.silence(lines)
	w.ask("DELETE", "/rules", "", 204)
	w.expect(lines, "two")
	w.events <- "three"
	w.expect(lines, "three")
}

func TestARuleForOpenWatchesLeavesNewOnesAlone(t *testing.T) {
	w := newWorld(t, false)
	first, _ := w.watch()
	w.events <- "one"
	w.expect(first, "one")
	w.arm("gone", Rule{Verbs: []string{"watch"}, OpenOnly: true, Action: Action{WatchGone: true}})
	w.expect(first, `"code":410`)
	w.expect(first, "(end)")
	second, _ := w.watch()
	w.silence(second)
	w.events <- "two"
	w.expect(second, "two")
}

func TestAWatchIsCutAfterEvents(t *testing.T) {
	w := newWorld(t, false)
	lines, _ := w.watch()
	w.arm("cut", Rule{Verbs: []string{"watch"}, Action: Action{WatchCutEvents: 2}})
	for _, event := range []string{"one", "two"} {
		w.events <- event
		w.expect(lines, event)
	}
	w.expect(lines, "(end)")
}

func TestACountedRuleTakesOneWatch(t *testing.T) {
	w := newWorld(t, false)
	w.arm("end", Rule{Verbs: []string{"watch"}, Count: 1, Action: Action{WatchEndMS: 50}})
	first, _ := w.watch()
	w.expect(first, "(end)")
	second, _ := w.watch()
	w.silence(second)
	w.events <- "one"
	w.expect(second, "one")
}

func TestAWatchIsToldThatItsVersionIsGone(t *testing.T) {
	w := newWorld(t, false)
	lines, _ := w.watch()
	w.events <- "one"
	w.expect(lines, "one")
	w.arm("gone", Rule{Verbs: []string{"watch"}, Action: Action{WatchGone: true}})
	w.expect(lines, `{"type":"ERROR","object":{"apiVersion":"v1","code":410,`)
	w.expect(lines, "(end)")
}

func TestTheServerIsGoneAndComesBack(t *testing.T) {
	w := newWorld(t, false)
	if _, _, err := w.do("GET", "/version", ""); err != nil {
		t.Fatal(err)
	}
	w.ask("PUT", "/gone", "refuse", 204)
	if _, _, err := w.do("GET", "/version", ""); err == nil {
		t.Error("answered while gone")
	}
	w.ask("DELETE", "/gone", "", 204)
	if _, _, err := w.do("GET", "/version", ""); err != nil {
		t.Error(err)
	}
	w.ask("PUT", "/gone", "hang", 204)
	w.client.Timeout = 200 * time.Millisecond
	if _, _, err := w.do("GET", "/version", ""); err == nil {
		t.Error("answered while hanging")
	}
	w.client.Timeout = 0
	w.ask("DELETE", "/gone", "", 204)
	w.client.CloseIdleConnections()
	if _, _, err := w.do("GET", "/version", ""); err != nil {
		t.Error(err)
	}
	w.ask("PUT", "/gone", "fishing", 400)
}

func TestRequestsAreCounted(t *testing.T) {
	w := newWorld(t, false)
	var all sync.WaitGroup
	w.arm("slow", Rule{Action: Action{LatencyMS: 100}})
	for range 3 {
		all.Add(1)
		go func() {
			defer all.Done()
			w.do("GET", "/apis/apps/v1/namespaces/a/deployments", "")
		}()
	}
	all.Wait()
	w.do("DELETE", "/api/v1/namespaces/a/configmaps/c", "")
	totals := w.counts()
	if totals.Requests != 4 || totals.ByKind["list deployments.apps"] != 3 || totals.ByKind["delete configmaps"] != 1 ||
		totals.ByStatus[200] != 4 || totals.MaxInFlight != 3 || len(totals.List) != 4 {
		t.Errorf("%+v", totals)
	}
	w.ask("DELETE", "/counts", "", 200)
	if totals := w.counts(); totals.Requests != 0 || len(totals.List) != 0 {
		t.Errorf("after a reset: %+v", totals)
	}
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	w := newWorld(t, false)
	for _, body := range []string{`{`, `{"path":"("}`, `{}`, `{"action":{"cut":"later"}}`} {
		w.ask("PUT", "/rules/x", body, 400)
	}
}

func TestKindsOfRequests(t *testing.T) {
	for _, one := range []struct{ method, uri, contentType, want string }{
		{"GET", "/api/v1/namespaces/a/pods/p", "", "get pods"},
		{"GET", "/api/v1/namespaces/a", "", "get namespaces"},
		{"GET", "/api/v1/namespaces", "", "list namespaces"},
		{"GET", "/api/v1/pods?watch=1", "", "watch pods"},
		{"GET", "/api/v1/namespaces/a/pods?watch=true", "", "watch pods"},
		{"PUT", "/api/v1/namespaces/a/finalize", "", "update namespaces/finalize"},
		{"PATCH", "/apis/apps/v1/namespaces/a/deployments/d?x=y", "application/apply-patch+yaml", "apply deployments.apps"},
		{"PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", "application/merge-patch+json", "patch deployments.apps/scale"},
		{"POST", "/apis/flagger.app/v1beta1/namespaces/a/canaries", "", "create canaries.flagger.app"},
		{"DELETE", "/api/v1/namespaces/a/secrets", "", "deletecollection secrets"},
		{"DELETE", "/api/v1/namespaces/a/secrets/s", "", "delete secrets"},
		{"GET", "/apis", "", "discovery apis"},
		{"GET", "/apis/apps/v1", "", "discovery apis"},
		{"GET", "/api/v1", "", "discovery api"},
		{"GET", "/version", "", "discovery version"},
		{"GET", "/readyz", "", "health readyz"},
	} {
		target, _ := url.Parse(one.uri)
		if got := Classify(one.method, target.Path, one.contentType, target.Query()).String(); got != one.want {
			t.Errorf("%s %s: %s, not %s", one.method, one.uri, got, one.want)
		}
	}
}
