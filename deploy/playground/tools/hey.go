// Package tools has programs for canaries: what load tests call, and where alerts go.
package tools

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

const mostWorkers = 1000

type headerFlag http.Header

func (h headerFlag) String() string { return "" }

func (h headerFlag) Set(text string) error {
	name, value, found := strings.Cut(text, ":")
	if !found {
		return fmt.Errorf("%q is not NAME: VALUE", text)
	}
	http.Header(h).Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// load is what hey is asked for.
type load struct {
	url, method, body, host string
	headers                 http.Header
	number, workers         int
	length, timeout         time.Duration
	each                    float64 // requests a second of each worker, 0: as fast as can be
	mu                      sync.Mutex
	codes                   map[string]int
	took, slowest           time.Duration
	answered                int
}

// Hey sends requests as the load generator of that name does, for the flags that canaries' load tests use.
func Hey(args []string) error {
	flags := flag.NewFlagSet("hey", flag.ExitOnError)
	l := &load{headers: http.Header{}, codes: map[string]int{}}
	flags.DurationVar(&l.length, "z", 0, "how long, in place of -n")
	flags.IntVar(&l.number, "n", 200, "number of requests")
	flags.IntVar(&l.workers, "c", 50, "workers")
	flags.Float64Var(&l.each, "q", 0, "requests a second of each worker")
	flags.StringVar(&l.method, "m", http.MethodGet, "method")
	flags.StringVar(&l.body, "d", "", "body")
	flags.StringVar(&l.host, "host", "", "Host header")
	flags.Var(headerFlag(l.headers), "H", "header, NAME: VALUE (repeatable)")
	h2 := flags.Bool("h2", false, "HTTP/2 where the server offers it")
	seconds := flags.Int("t", 20, "timeout of each request in seconds")
	flags.Parse(args)
	l.url, l.timeout = flags.Arg(0), time.Duration(*seconds)*time.Second
	if flags.NArg() != 1 || l.workers < 1 || l.workers > mostWorkers {
		return fmt.Errorf("usage: hey [-z DURATION | -n NUMBER] [-c WORKERS] [-q RATE] [-m METHOD] [-H HEADER]... [-d BODY] [-host HOST] [-h2] URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if l.length > 0 {
		limited, cancel := context.WithTimeout(ctx, l.length)
		defer cancel()
		ctx, l.number = limited, 0
	}
	began := time.Now()
	l.run(ctx, *h2)
	l.report(time.Since(began))
	return nil
}

func (l *load) run(ctx context.Context, h2 bool) {
	var all sync.WaitGroup
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(h2)
	client := &http.Client{Timeout: l.timeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: l.workers, Protocols: protocols}}
	for range l.workers {
		all.Add(1)
		go func() {
			defer all.Done()
			pace := time.NewTicker(max(1, time.Duration(float64(time.Second)/max(l.each, 1e-3))))
			defer pace.Stop()
			for sent := 0; ctx.Err() == nil && (l.number == 0 || sent < l.number/l.workers); sent++ {
				if l.each > 0 {
					select {
					case <-pace.C:
					case <-ctx.Done():
						return
					}
				}
				l.send(ctx, client)
			}
		}()
	}
	all.Wait()
}

func (l *load) send(ctx context.Context, client *http.Client) {
	request, err := http.NewRequestWithContext(ctx, l.method, l.url, strings.NewReader(l.body))
	began, result := time.Now(), ""
	if err == nil {
		request.Header = l.headers.Clone()
		request.Host = l.host
		var answer *http.Response
		if answer, err = client.Do(request); err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			result = fmt.Sprintf("[%d]", answer.StatusCode)
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		result = err.Error()
	}
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes[result]++
	l.answered++
	l.took += took
	l.slowest = max(l.slowest, took)
}

func (l *load) report(total time.Duration) {
	fmt.Printf("\nSummary:\n  Total:\t%.4f secs\n  Slowest:\t%.4f secs\n  Average:\t%.4f secs\n  Requests/sec:\t%.4f\n\nStatus code distribution:\n",
		total.Seconds(), l.slowest.Seconds(), l.took.Seconds()/float64(max(1, l.answered)), float64(l.answered)/total.Seconds())
	results := make([]string, 0, len(l.codes))
	for result := range l.codes {
		results = append(results, result)
	}
	sort.Strings(results)
	for _, result := range results {
		fmt.Printf("  %s\t%d responses\n", result, l.codes[result])
	}
}
