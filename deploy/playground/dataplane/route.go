package dataplane

import (
	"net"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
)

// What VirtualServices, HTTPRoutes and Ingresses say is compiled into these.
type (
	// routeSet is one object's rules and the hosts that it claims.
	routeSet struct {
		family        family
		namespace     string
		name          string
		created       time.Time
		hosts         []string // as they come from outside: exact, *.suffix, *
		services      []string // NAMESPACE/NAME[:PORT] of the Services whose callers it catches
		gateway, mesh bool     // through which it is reached
		rules         []*rule
	}
	rule struct {
		key               string // names the object and the rule: whose turn it is among the backends goes by it
		conditions        []condition
		backends          []backend
		delegate          string // NAMESPACE/NAME of a VirtualService whose rules go on from here
		path              *pathRewrite
		authority         string
		timeout           time.Duration
		tryTimeout        time.Duration
		attempts          int
		retryOn           string
		request, response headerOps
		mirrors           []mirror
	}
	condition struct { // all of its tests
		tests  []func(*call) bool
		prefix string // the path's part that a rewrite replaces
		rank   [5]int // for Gateway API: who is more specific
	}
	pathRewrite struct {
		to     string
		prefix bool // replace what the condition matched, not the whole
	}
	backend struct {
		namespace, service string
		port, weight       int
		portName           string
		request, response  headerOps
		via                *ingressLabels
	}
	mirror struct {
		backend backend
		percent float64
	}
	headerOps struct {
		set, add []headerValue
		remove   []string
	}
	headerValue struct{ name, value string }
)

type family int

const (
	istio family = iota
	gatewayAPI
	ingress
	families
)

// call is one request on its way.
type call struct {
	*http.Request
	from     string // gateway or proxy
	host     string // asked for, without port, in lower case
	port     int    // asked for, 0 if none
	service  *core.Service
	source   *core.Pod // who calls, if it said so
	fromName string    // its namespace
}

func newCall(r *http.Request, from string) *call {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, ""
	}
	number, _ := strconv.Atoi(port)
	return &call{Request: r, from: from, host: strings.ToLower(strings.TrimSuffix(host, ".")), port: number}
}

func (o headerOps) apply(to http.Header) {
	for _, name := range o.remove {
		to.Del(name)
	}
	for _, one := range o.set {
		to.Set(one.name, one.value)
	}
	for _, one := range o.add {
		to.Add(one.name, one.value)
	}
}

func (c *condition) holds(request *call) bool {
	for _, test := range c.tests {
		if !test(request) {
			return false
		}
	}
	return true
}

// match gives the first condition that holds; a rule without any is for all.
func (r *rule) match(request *call) (*condition, bool) {
	if len(r.conditions) == 0 {
		return &condition{}, true
	}
	for i := range r.conditions {
		if r.conditions[i].holds(request) {
			return &r.conditions[i], true
		}
	}
	return nil, false
}

// claims tells how closely a set's hosts name the call's: -1 not at all, else the more the closer.
func (s *routeSet) claims(request *call) int {
	const exact = 1 << 16
	best := -1
	if request.service != nil && s.mesh {
		key := request.service.Namespace + "/" + request.service.Name
		for _, one := range s.services {
			if one, port, _ := strings.Cut(one, ":"); one == key && (port == "" || request.port == 0 || port == strconv.Itoa(request.port)) {
				return exact
			}
		}
	}
	if request.from == "gateway" && !s.gateway || request.from != "gateway" && !s.mesh {
		return best
	}
	for _, host := range s.hosts {
		switch {
		case host == request.host:
			best = exact
		case host == "*":
			best = max(best, 0)
		case strings.HasPrefix(host, "*.") && strings.HasSuffix(request.host, host[1:]):
			best = max(best, len(host))
		}
	}
	return best
}

// routes are all sets, by family and object.
type routes struct {
	mu   sync.RWMutex
	sets [families]map[string]*routeSet
}

func (t *routes) put(kind family, key string, set *routeSet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sets[kind] == nil {
		t.sets[kind] = map[string]*routeSet{}
	}
	if set == nil {
		delete(t.sets[kind], key)
	} else {
		t.sets[kind][key] = set
	}
}

func (t *routes) replace(kind family, sets map[string]*routeSet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sets[kind] = sets
}

// found is the rule for a call and the condition by which it was chosen; claimed alone says that no rule of the host's fits.
type found struct {
	rule      *rule
	condition *condition
	claimed   bool
	closely   int // how the host was claimed: 0 as any other
}

type claim struct {
	set     *routeSet
	closely int
}

// find goes from the closest claim of a host to the loosest, within it by family and age.
func (t *routes) find(request *call) (f found) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []claim
	for _, sets := range t.sets {
		for _, set := range sets {
			if closely := set.claims(request); closely >= 0 {
				all = append(all, claim{set, closely})
			}
		}
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		switch {
		case a.closely != b.closely:
			return a.closely > b.closely
		case a.set.family != b.set.family:
			return a.set.family < b.set.family
		case !a.set.created.Equal(b.set.created):
			return a.set.created.Before(b.set.created)
		}
		return a.set.namespace+"/"+a.set.name < b.set.namespace+"/"+b.set.name
	})
	for i := 0; i < len(all); {
		next := i
		for next < len(all) && all[next].closely == all[i].closely && all[next].set.family == all[i].set.family {
			next++
		}
		f = t.among(all[i:next], request)
		if f.rule != nil {
			f.closely = all[i].closely
			return f
		}
		i = next
	}
	if len(all) == 0 {
		return found{}
	}
	return found{claimed: true, closely: all[0].closely}
}

// among chooses in claims of one family: the first rule that fits, or for Gateway API and Ingress the one that fits most closely.
func (t *routes) among(claims []claim, request *call) (best found) {
	for _, one := range claims {
		for _, rule := range one.set.rules {
			for i := range rule.conditions {
				condition := &rule.conditions[i]
				if one.set.family == istio || best.rule != nil && !above(condition.rank, best.condition.rank) || !condition.holds(request) {
					continue
				}
				best = found{rule: rule, condition: condition, claimed: true}
			}
			if one.set.family != istio {
				continue
			}
			if condition, holds := rule.match(request); holds {
				if rule.delegate == "" {
					return found{rule: rule, condition: condition, claimed: true}
				}
				if deeper := t.delegated(rule.delegate, request); deeper.rule != nil {
					return deeper
				}
			}
		}
	}
	return best
}

// delegated goes on in the VirtualService that a rule hands its calls to; that one may not hand them on again.
func (t *routes) delegated(key string, request *call) found {
	set := t.sets[istio][key]
	if set == nil {
		return found{}
	}
	for _, rule := range set.rules {
		if condition, holds := rule.match(request); holds && rule.delegate == "" {
			return found{rule: rule, condition: condition, claimed: true}
		}
	}
	return found{}
}

func above(a, b [5]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return false
}

// rewrite gives the path that is asked for behind the rule.
func (r *rule) rewrite(path string, by *condition) string {
	if r.path == nil {
		return path
	}
	if !r.path.prefix || by.prefix == "" {
		return r.path.to
	}
	left := strings.TrimPrefix(path, by.prefix)
	switch {
	case left != "" && strings.HasSuffix(r.path.to, "/") && left[0] == '/':
		return r.path.to + left[1:]
	case r.path.to == "" && (left == "" || left[0] != '/'):
		return "/" + left
	}
	return r.path.to + left
}

// whole compiles an expression that must match all of a text, as Envoy's do.
func whole(expression string) *regexp.Regexp {
	compiled, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		return nil
	}
	return compiled
}
