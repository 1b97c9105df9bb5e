// bare sends server-side apply patches and does nothing else: what a sync costs at least.
//
//	bare --server URL --ca FILE --token TOKEN --in-flight N < patches
//
// A patch is a line of JSON: {"wave": 0, "path": "/api/v1/...", "body": {...}}. A wave begins when the one before it is answered.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type patch struct {
	Wave int             `json:"wave"`
	Path string          `json:"path"`
	Body json.RawMessage `json:"body"`
}

func main() {
	server := flag.String("server", "", "base URL of the API server")
	authority := flag.String("ca", "", "file with its CA")
	token := flag.String("token", "", "bearer token")
	inFlight := flag.Int("in-flight", 8, "requests at a time")
	flag.Parse()
	if err := run(*server, *authority, *token, *inFlight); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(server, authority, token string, inFlight int) error {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	waves, err := read(os.Stdin)
	if err != nil {
		return err
	}
	began, sent := time.Now(), 0
	var refused atomic.Int64
	for _, wave := range waves {
		work := make(chan patch)
		var all sync.WaitGroup
		for range inFlight {
			all.Add(1)
			go func() {
				defer all.Done()
				for one := range work {
					if err := send(client, server, token, one); err != nil {
						refused.Add(1)
						fmt.Fprintln(os.Stderr, "bare:", err)
					}
				}
			}()
		}
		for _, one := range wave {
			work <- one
		}
		close(work)
		all.Wait()
		sent += len(wave)
	}
	fmt.Printf("{\"seconds\": %.3f, \"sent\": %d, \"refused\": %d}\n", time.Since(began).Seconds(), sent, refused.Load())
	if refused.Load() > 0 {
		return fmt.Errorf("%d patches were refused", refused.Load())
	}
	return nil
}

func read(from io.Reader) (waves [][]patch, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var one patch
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, err
		}
		for len(waves) <= one.Wave {
			waves = append(waves, nil)
		}
		waves[one.Wave] = append(waves[one.Wave], one)
	}
	return waves, lines.Err()
}

func send(client *http.Client, server, token string, one patch) error {
	request, err := http.NewRequest(http.MethodPatch, server+one.Path+"?fieldManager=bare&force=true", bytes.NewReader(one.Body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	request.Header.Set("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	request.Header.Set("User-Agent", "bare")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s %s", one.Path, answer.Status, text)
	}
	return err
}
