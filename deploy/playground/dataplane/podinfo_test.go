package dataplane

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func newPodinfo() *podinfo {
	return &podinfo{hostname: "pod-1", version: "6.1.0", color: "red", message: "hi", env: []string{"A=b"}, secret: []byte("s"), measures: newPodMeasures(),
		troubles: func() trouble { return trouble{} }, onReady: func(bool) {}, onPanic: func() {}}
}

func askOf(t *testing.T, handler http.Handler, method, path, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	answer := recorder.Result()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), answer.Header
}

func TestPodinfoAnswers(t *testing.T) {
	handler := newPodinfo().handler(false)
	for _, one := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/", "", 200, `"version": "6.1.0"`},
		{"GET", "/api/info", "", 200, `"hostname": "pod-1"`},
		{"GET", "/version", "", 200, `"commit": "unknown"`},
		{"GET", "/status/503", "", 503, `"status": 503`},
		{"PUT", "/status/201", "", 201, `"status": 201`},
		{"GET", "/status/abc", "", 404, ""},
		{"GET", "/delay/0", "", 200, `"delay": 0`},
		{"GET", "/healthz", "", 200, `"status": "OK"`},
		{"GET", "/readyz", "", 200, `"status": "OK"`},
		{"GET", "/env", "", 200, `"A=b"`},
		{"GET", "/headers", "", 200, `"X-Api-Version"`},
		{"POST", "/echo", "abc", 202, "abc"},
		{"POST", "/api/echo", "abc", 202, "abc"},
		{"GET", "/chunked", "", 200, `"delay": 0`},
		{"GET", "/fault_injection/status", "", 200, "false"},
		{"GET", "/token/validate", "", 200, `"code": 401`},
		{"DELETE", "/version", "", 405, ""},
		{"GET", "/nothing", "", 404, ""},
	} {
		status, text, _ := askOf(t, handler, one.method, one.path, one.body)
		if status != one.status || !strings.Contains(text, one.has) {
			t.Errorf("%s %s: %d %s", one.method, one.path, status, text)
		}
	}
	_, text, header := askOf(t, handler, "GET", "/", "", "User-Agent", "Mozilla/5.0")
	if !strings.Contains(text, "<h1>hi</h1>") || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		t.Errorf("to a browser: %s", text)
	}
	_, text, _ = askOf(t, handler, "GET", "/metrics", "")
	for _, line := range []string{`http_requests_total{status="503"} 1`, `http_request_duration_seconds_count{method="GET",path="status",status="503"} 1`,
		`http_request_duration_seconds_count{method="GET",path="unknown",status="404"} 1`} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
}

func TestTokensAreOnesOwn(t *testing.T) {
	handler := newPodinfo().handler(false)
	_, text, _ := askOf(t, handler, "POST", "/token", "jane")
	var given struct{ Token string }
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		t.Fatal(err)
	}
	if _, text, _ = askOf(t, handler, "GET", "/token/validate", "", "Authorization", "Bearer "+given.Token); !strings.Contains(text, `"token_name": "jane"`) {
		t.Errorf("its own token: %s", text)
	}
	other := newPodinfo()
	other.secret = []byte("other")
	if _, text, _ = askOf(t, other.handler(false), "GET", "/token/validate", "", "Authorization", "Bearer "+given.Token); !strings.Contains(text, "401") {
		t.Errorf("another's token: %s", text)
	}
}

func TestPodinfoSuffers(t *testing.T) {
	app := newPodinfo()
	app.troubles = func() trouble { return trouble{errorPercent: 50, path: "/api"} }
	handler, failed := app.handler(false), 0
	for range 10 {
		if status, _, _ := askOf(t, handler, "GET", "/api/info", ""); status == 500 {
			failed++
		}
	}
	if failed != 5 {
		t.Errorf("%d of 10 failed", failed)
	}
	for _, path := range []string{"/version", "/healthz", "/metrics"} {
		if status, _, _ := askOf(t, handler, "GET", path, ""); status != 200 {
			t.Errorf("%s was not spared: %d", path, status)
		}
	}
	askOf(t, handler, "POST", "/fault_injection/enable", "")
	if status, text, _ := askOf(t, handler, "GET", "/version", ""); status != 500 || !strings.Contains(text, "fault injection enabled") {
		t.Errorf("with faults injected: %d %s", status, text)
	}
	askOf(t, handler, "POST", "/fault_injection/disable", "")
	if status, _, _ := askOf(t, handler, "GET", "/version", ""); status != 200 {
		t.Errorf("without them: %d", status)
	}
}

func TestReadinessIsTold(t *testing.T) {
	app, told := newPodinfo(), []bool{}
	app.onReady = func(ready bool) { told = append(told, ready) }
	handler := app.handler(false)
	askOf(t, handler, "POST", "/readyz/disable", "")
	if status, _, _ := askOf(t, handler, "GET", "/readyz", ""); status != 503 {
		t.Errorf("disabled: %d", status)
	}
	askOf(t, handler, "POST", "/readyz/enable", "")
	if status, _, _ := askOf(t, handler, "GET", "/readyz", ""); status != 200 || len(told) != 2 || told[0] || !told[1] {
		t.Errorf("enabled: %d, told %v", status, told)
	}
}

func TestMetricsPortHasNothingElse(t *testing.T) {
	handler := newPodinfo().handler(true)
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/": 404, "/version": 404} {
		if status, _, _ := askOf(t, handler, "GET", path, ""); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestLookup(t *testing.T) {
	args, env := []string{"./podinfo", "--ui-color=red"}, []string{"PODINFO_UI_COLOR=blue", "PODINFO_UI_MESSAGE=hi"}
	for flag, want := range map[string]string{"ui-color": "red", "ui-message": "hi", "ui-logo": "none"} {
		if got := lookup(args, env, flag, "none"); got != want {
			t.Errorf("%s: %s", flag, got)
		}
	}
}
