package dataplane

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// trouble is what befalls a pod's answers.
type trouble struct {
	errorPercent int
	delay        time.Duration
	path         string // prefix of the paths it befalls
}

// Fault is a trouble that an admin sends to every pod of a workload, in place of what its tag foretells.
type Fault struct {
	Namespace    string `json:"namespace"`
	Workload     string `json:"workload"`
	ErrorPercent int    `json:"error_percent"`
	DelayMs      int    `json:"delay_ms"`
	Path         string `json:"path,omitempty"`
}

func (f Fault) check() error {
	switch {
	case f.Namespace == "" || f.Workload == "":
		return fmt.Errorf("namespace and workload (the name of a Deployment or DaemonSet) are required")
	case f.ErrorPercent < 0 || f.ErrorPercent > 100:
		return fmt.Errorf("error_percent is %d; it goes from 0 to 100", f.ErrorPercent)
	case f.DelayMs < 0 || f.DelayMs > 60_000:
		return fmt.Errorf("delay_ms is %d; it goes from 0 to 60000", f.DelayMs)
	case f.Path != "" && f.Path[0] != '/':
		return fmt.Errorf("path is %q; it begins with /", f.Path)
	}
	return nil
}

var inTag = regexp.MustCompile(`(errors|delay)-(\d+)(ms|s|m)?`)

// foretold reads a tag: 6.0.1-errors-50 fails half of the requests, 6.0.1-delay-700ms takes its time.
func foretold(tag string) (t trouble) {
	for _, found := range inTag.FindAllStringSubmatch(tag, -1) {
		if found[1] == "errors" {
			t.errorPercent, _ = strconv.Atoi(found[2])
		} else {
			t.delay, _ = time.ParseDuration(found[2] + found[3])
		}
	}
	return t
}

// faults are those that are armed, one a workload.
type faults struct {
	mu    sync.Mutex
	armed map[string]Fault
}

func (f *faults) arm(one Fault) error {
	if err := one.check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.armed == nil {
		f.armed = map[string]Fault{}
	}
	f.armed[one.Namespace+"/"+one.Workload] = one
	return nil
}

// disarm ends those of a workload, of a namespace (workload empty), or all.
func (f *faults) disarm(namespace, workload string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, one := range f.armed {
		if (namespace == "" || one.Namespace == namespace) && (workload == "" || one.Workload == workload) {
			delete(f.armed, key)
		}
	}
}

func (f *faults) list() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Fault, 0, len(f.armed))
	for _, one := range f.armed {
		all = append(all, one)
	}
	return all
}

func (f *faults) of(namespace, workload string, otherwise trouble) trouble {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, found := f.armed[namespace+"/"+workload]; found {
		return trouble{errorPercent: one.ErrorPercent, delay: time.Duration(one.DelayMs) * time.Millisecond, path: one.Path}
	}
	return otherwise
}
