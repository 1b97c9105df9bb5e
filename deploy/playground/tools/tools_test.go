package tools

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSlackWritesALineForAMessage(t *testing.T) {
	var out strings.Builder
	handler := slackHandler(&out)
	for body, status := range map[string]int{
		`{"channel":"general","attachments":[{"color":"good","author_name":"podinfo.test","text":"New\nrevision","fields":[{"title":"Target","value":"x"}]}]}`: 200,
		`nothing`: 400,
	} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if recorder.Code != status {
			t.Errorf("%s: %d", body, recorder.Code)
		}
	}
	if !strings.HasSuffix(out.String(), " #general [good] podinfo.test: New revision; Target: x\n") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%q", out.String())
	}
}

func TestHeySendsAsManyAsAsked(t *testing.T) {
	seen := make(chan *http.Request, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen <- r }))
	defer server.Close()
	if err := Hey([]string{"-n", "6", "-c", "2", "-H", "Cookie: type=insider", "-host", "app.example.com", server.URL + "/x"}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 6 {
		t.Errorf("%d requests", len(seen))
	}
	if first := <-seen; first.Host != "app.example.com" || first.Header.Get("Cookie") != "type=insider" || first.URL.Path != "/x" {
		t.Errorf("%s %s %v", first.Host, first.URL, first.Header)
	}
	began := time.Now()
	if err := Hey([]string{"-z", "500ms", "-c", "1", "-q", "10", "-h2", server.URL}); err != nil {
		t.Fatal(err)
	}
	if sent := len(seen) - 5; sent < 1 || sent > 6 || time.Since(began) < 500*time.Millisecond {
		t.Errorf("%d requests in %s", sent, time.Since(began))
	}
	if Hey([]string{"-c", "0", server.URL}) == nil || Hey(nil) == nil {
		t.Error("bad arguments were taken")
	}
}
