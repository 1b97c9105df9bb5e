package faults

import (
	"sync"
	"time"
)

const maxRequestsKept = 200_000

// Request is one line of what went through the proxy.
type Request struct {
	Method string `json:"method"`
	URI    string `json:"uri"`
	Kind   string `json:"kind"`
	Status int    `json:"status"` // 0: none was sent
	Bytes  int64  `json:"bytes"`  // of the answer's body
	Rule   string `json:"rule,omitempty"`
	AtMS   int64  `json:"at_ms"` // since the counters were set to zero
	TookMS int64  `json:"took_ms"`
}

// Counts are counters of requests since they were last set to zero.
type Counts struct {
	mu          sync.Mutex
	since       time.Time
	total       int
	byKind      map[string]int
	byStatus    map[int]int
	bytes       int64
	inFlight    int
	maxInFlight int
	connections int
	requests    []*Request
}

// Totals is what Take gives.
type Totals struct {
	Requests    int            `json:"requests"`
	ByKind      map[string]int `json:"by_kind"`
	ByStatus    map[int]int    `json:"by_status"`
	Bytes       int64          `json:"bytes"`
	MaxInFlight int            `json:"max_in_flight"` // watches aside
	Connections int            `json:"connections"`   // accepted
	Seconds     float64        `json:"seconds"`
	List        []Request      `json:"list,omitempty"`
}

func NewCounts() *Counts {
	c := &Counts{}
	c.reset()
	return c
}

func (c *Counts) reset() {
	c.since, c.total, c.bytes, c.requests, c.connections = time.Now(), 0, 0, nil, 0
	c.byKind, c.byStatus, c.maxInFlight = map[string]int{}, map[int]int{}, c.inFlight
}

// begin counts a request when it arrives; a watch is not "in flight".
func (c *Counts) begin(method, uri string, kind Kind) *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := &Request{Method: method, URI: uri, Kind: kind.String(), AtMS: time.Since(c.since).Milliseconds()}
	c.total++
	c.byKind[one.Kind]++
	if len(c.requests) < maxRequestsKept {
		c.requests = append(c.requests, one)
	}
	if kind.Verb != "watch" {
		c.inFlight++
		c.maxInFlight = max(c.maxInFlight, c.inFlight)
	}
	return one
}

// answered notes the status as soon as it is sent, so that open watches show it.
func (c *Counts) answered(one *Request, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one.Status = status
	c.byStatus[status]++
}

func (c *Counts) end(one *Request, kind Kind, began time.Time, rule string, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one.Bytes, one.Rule, one.TookMS = bytes, rule, time.Since(began).Milliseconds()
	c.bytes += bytes
	if kind.Verb != "watch" {
		c.inFlight--
	}
}

func (c *Counts) connected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections++
}

// Take gives the counters; with reset they start anew.
func (c *Counts) Take(list, reset bool) Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	totals := Totals{Requests: c.total, ByKind: map[string]int{}, ByStatus: map[int]int{}, Bytes: c.bytes,
		MaxInFlight: c.maxInFlight, Connections: c.connections, Seconds: time.Since(c.since).Seconds()}
	for kind, n := range c.byKind {
		totals.ByKind[kind] = n
	}
	for status, n := range c.byStatus {
		totals.ByStatus[status] = n
	}
	if list {
		for _, one := range c.requests {
			totals.List = append(totals.List, *one)
		}
	}
	if reset {
		c.reset()
	}
	return totals
}
