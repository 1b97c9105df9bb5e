package faults

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxHeld bounds what a silent watch keeps back; past it the watch is cut, as a full socket buffer ends in a time-out.
const maxHeld = 8 << 20

// watch passes events on one by one under whatever rule holds at the moment.
func (x *exchange) watch(body io.Reader) {
	out := http.NewResponseController(x.w)
	out.Flush()
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		reader := bufio.NewReaderSize(body, 64<<10)
		for {
			line, err := reader.ReadBytes('\n')
			if len(line) > 0 {
				select {
				case lines <- line:
				case <-x.r.Context().Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	stream := &stream{exchange: x, out: out}
	for {
		changed := x.p.Rules.Changed()
		ended, wait := stream.heed()
		if ended {
			return
		}
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case line, more := <-lines:
			if !more || !stream.event(line) {
				return
			}
		case <-timer:
		case <-changed:
		case <-x.r.Context().Done():
			return
		}
	}
}

// stream is an open watch and what the rules have done to it.
type stream struct {
	*exchange
	out    *http.ResponseController
	under  int       // id of the rule it is under, 0: none
	since  time.Time // since when
	events int       // passed on since then
	held   []byte
}

// heed looks at the rules: false and how long until they say more, or true when they ended the watch.
func (s *stream) heed() (ended bool, wait time.Duration) {
	rule := s.p.Rules.Find(s.r.Method, s.kind, s.uri, s.began)
	if rule == nil && s.rule != nil && s.rule.Action.isForWatches() && s.p.Rules.Armed(s.rule) {
		rule = s.rule // one that counts: it hit this watch when it began
	}
	if rule == nil {
		s.under = 0
		return !s.release(), 0
	}
	if rule.id != s.under {
		s.under, s.since, s.events = rule.id, time.Now(), 0
	}
	s.rule = rule
	action, age := rule.Action, time.Since(s.since)
	switch {
	case action.WatchGone:
		s.write(fmt.Appendf(nil, "{\"type\":\"ERROR\",\"object\":%s}\n",
			statusObject(http.StatusGone, "Expired", "too old resource version: injected by the playground's proxy")))
		return true, 0
	case action.WatchCutEvents > 0 && s.events >= action.WatchCutEvents:
		s.cut()
	case action.WatchCutMS > 0 && age >= ms(action.WatchCutMS):
		s.cut()
	case action.WatchEndMS > 0 && age >= ms(action.WatchEndMS):
		return true, 0
	case action.WatchCutMS > 0:
		wait = ms(action.WatchCutMS) - age
	case action.WatchEndMS > 0:
		wait = ms(action.WatchEndMS) - age
	}
	if !action.WatchSilent {
		return !s.release(), wait
	}
	return false, wait
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// event passes one line on, or keeps it while the watch is silent.
func (s *stream) event(line []byte) bool {
	if rule := s.p.Rules.Find(s.r.Method, s.kind, s.uri, s.began); rule != nil && rule.Action.WatchSilent ||
		s.under != 0 && s.rule != nil && s.rule.Action.WatchSilent && s.p.Rules.Armed(s.rule) {
		s.held = append(s.held, line...)
		if len(s.held) > maxHeld {
			s.cut()
		}
		return true
	}
	if !s.release() || !s.write(line) {
		return false
	}
	s.events++
	return true
}

// release sends what was held back.
func (s *stream) release() bool {
	held := s.held
	s.held = nil
	return len(held) == 0 || s.write(held)
}

func (s *stream) write(data []byte) bool {
	n, err := s.w.Write(data)
	s.sent += int64(n)
	if err == nil {
		err = s.out.Flush()
	}
	return err == nil
}
