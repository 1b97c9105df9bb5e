package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"sync"
	"time"
)

// Action is what happens to a request that a rule matches. Several may be set: the latency comes first.
type Action struct {
	LatencyMS  int    `json:"latency_ms,omitempty"`
	Status     int    `json:"status,omitempty"`      // answer with this instead of asking the API server
	Reason     string `json:"reason,omitempty"`      // of the Status object that goes with it
	Message    string `json:"message,omitempty"`     //
	RetryAfter string `json:"retry_after,omitempty"` // header
	Hang       bool   `json:"hang,omitempty"`        // no answer until the rule goes or the client does

	Cut           string `json:"cut,omitempty"`             // "before" or "after" the API server saw it: the connection ends without an answer
	CutAfterBytes int    `json:"cut_after_bytes,omitempty"` // the connection ends after so many bytes of the answer's body

	// The rest is for watches; it also takes hold of those already open.
	WatchCutEvents int  `json:"watch_cut_events,omitempty"` // the connection ends after so many events since the rule
	WatchCutMS     int  `json:"watch_cut_ms,omitempty"`     // ... after so long
	WatchEndMS     int  `json:"watch_end_ms,omitempty"`     // the watch ends in good order after so long, as servers do
	WatchSilent    bool `json:"watch_silent,omitempty"`     // events and bookmarks are held back until the rule goes
	WatchGone      bool `json:"watch_gone,omitempty"`       // an ERROR event with a Status 410, then the end
}

// Rule says which requests an action befalls. Empty conditions match everything.
type Rule struct {
	Name        string   `json:"name"`
	Methods     []string `json:"methods,omitempty"`
	Verbs       []string `json:"verbs,omitempty"`       // see Kind
	Path        string   `json:"path,omitempty"`        // expression on path?query
	Skip        int      `json:"skip,omitempty"`        // the first so many matches pass
	Count       int      `json:"count,omitempty"`       // then so many are hit; 0: all
	Probability float64  `json:"probability,omitempty"` // each with this chance; 0: always
	OpenOnly    bool     `json:"open_only,omitempty"`   // no new request: only watches that are open when it is armed
	Action      Action   `json:"action"`

	Matched int `json:"matched"`
	Hits    int `json:"hits"`

	path    *regexp.Regexp
	id      int
	armedAt time.Time
}

// Rules are the armed rules. Change tells watches that are open.
type Rules struct {
	mu      sync.Mutex
	armed   map[string]*Rule
	changed chan struct{}
	lastID  int
}

func NewRules() *Rules {
	return &Rules{armed: map[string]*Rule{}, changed: make(chan struct{})}
}

// Arm adds a rule or replaces the one of its name.
func (r *Rules) Arm(data []byte, name string) error {
	rule := &Rule{}
	if err := json.Unmarshal(data, rule); err != nil {
		return err
	}
	var err error
	if rule.path, err = regexp.Compile(rule.Path); err != nil {
		return err
	}
	switch rule.Action.Cut {
	case "", "before", "after":
	default:
		return fmt.Errorf("cut is %q, not before or after", rule.Action.Cut)
	}
	if rule.Action == (Action{}) {
		return fmt.Errorf("rule %s has no action", name)
	}
	rule.Name, rule.Matched, rule.Hits, rule.armedAt = name, 0, 0, time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastID++
	rule.id = r.lastID
	r.armed[name] = rule
	r.tell()
	return nil
}

// Disarm removes one rule, or all with an empty name.
func (r *Rules) Disarm(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		clear(r.armed)
	}
	delete(r.armed, name)
	r.tell()
}

// tell wakes everyone who waits for a change.
func (r *Rules) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Changed is closed at the next change.
func (r *Rules) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// List gives copies, in order of arming.
func (r *Rules) List() []Rule {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []Rule{}
	for _, rule := range r.armed {
		found = append(found, *rule)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].id < found[j].id })
	return found
}

// Hit counts a new request and gives the first rule that befalls it, by order of arming; nil if none.
func (r *Rules) Hit(method string, kind Kind, uri string) *Rule {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.inOrder() {
		if rule.OpenOnly || !rule.matches(method, kind, uri) {
			continue
		}
		rule.Matched++
		if rule.Matched <= rule.Skip || (rule.Count > 0 && rule.Hits >= rule.Count) {
			continue
		}
		if rule.Probability > 0 && rand.Float64() >= rule.Probability {
			continue
		}
		rule.Hits++
		copied := *rule
		return &copied
	}
	return nil
}

// Find gives the rule that a watch opened at a time comes under, without counting.
func (r *Rules) Find(method string, kind Kind, uri string, opened time.Time) *Rule {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.inOrder() {
		if rule.Action.isForWatches() && rule.Count == 0 && rule.Probability == 0 &&
			(!rule.OpenOnly || opened.Before(rule.armedAt)) && rule.matches(method, kind, uri) {
			copied := *rule
			return &copied
		}
	}
	return nil
}

func (r *Rules) inOrder() []*Rule {
	found := make([]*Rule, 0, len(r.armed))
	for _, rule := range r.armed {
		found = append(found, rule)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].id < found[j].id })
	return found
}

// Armed says whether that very rule is still there.
func (r *Rules) Armed(rule *Rule) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.armed[rule.Name]
	return now != nil && now.id == rule.id
}

func (rule *Rule) matches(method string, kind Kind, uri string) bool {
	return (len(rule.Methods) == 0 || slices.Contains(rule.Methods, method)) &&
		(len(rule.Verbs) == 0 || slices.Contains(rule.Verbs, kind.Verb)) &&
		rule.path.MatchString(uri)
}

func (a Action) isForWatches() bool {
	return a.WatchCutEvents > 0 || a.WatchCutMS > 0 || a.WatchEndMS > 0 || a.WatchSilent || a.WatchGone
}

func (a Action) latency() time.Duration { return time.Duration(a.LatencyMS) * time.Millisecond }
