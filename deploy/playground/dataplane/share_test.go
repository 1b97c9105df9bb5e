package dataplane

import (
	"fmt"
	"testing"
)

func TestSmallSamplesAreNearTheWeights(t *testing.T) {
	for _, weights := range [][]int{{95, 5}, {90, 10}, {50, 50}, {1, 99}, {0, 100}, {20, 30, 50}} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			var s splits
			got := make([]int, len(weights))
			for range 100 {
				got[s.pick("one", weights)]++
			}
			if fmt.Sprint(got) != fmt.Sprint(weights) {
				t.Errorf("100 choices went %v", got)
			}
		})
	}
}

func TestNoWeightIsNoChoice(t *testing.T) {
	var s splits
	if got := s.pick("one", []int{0, 0}); got != -1 {
		t.Errorf("chose %d of none", got)
	}
}

func TestChangedWeightsCountFromNow(t *testing.T) {
	var s splits
	for range 7 {
		s.pick("one", []int{100, 0})
	}
	got := 0
	for range 10 {
		got += s.pick("one", []int{50, 50})
	}
	if got != 5 {
		t.Errorf("%d of 10 went to the second", got)
	}
}

func TestShareIsSpreadEvenly(t *testing.T) {
	for _, percent := range []int{0, 1, 25, 50, 99, 100} {
		var s share
		yes := 0
		for range 200 {
			if s.next(percent) {
				yes++
			}
		}
		if yes != 2*percent {
			t.Errorf("%d%%: %d of 200", percent, yes)
		}
	}
}

func TestTagsForetell(t *testing.T) {
	for tag, want := range map[string]trouble{
		"6.0.1": {}, "6.0.1-errors-50": {errorPercent: 50}, "6.0.1-delay-700ms": {delay: 700e6},
		"6.0.1-delay-2s-errors-5": {errorPercent: 5, delay: 2e9}, "delay-3": {},
	} {
		if got := foretold(tag); got != want {
			t.Errorf("%s: %+v, not %+v", tag, got, want)
		}
	}
}

func TestFaultsAreChecked(t *testing.T) {
	var f faults
	for _, bad := range []Fault{{Namespace: "a"}, {Namespace: "a", Workload: "b", ErrorPercent: 101}, {Namespace: "a", Workload: "b", DelayMs: -1},
		{Namespace: "a", Workload: "b", Path: "x"}} {
		if f.arm(bad) == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := f.arm(Fault{Namespace: "a", Workload: "b", ErrorPercent: 7, Path: "/x"}); err != nil {
		t.Fatal(err)
	}
	own := trouble{errorPercent: 1}
	if got := f.of("a", "b", own); got.errorPercent != 7 || got.path != "/x" {
		t.Errorf("armed: %+v", got)
	}
	f.disarm("other", "")
	if got := f.of("a", "c", own); got != own {
		t.Errorf("another workload: %+v", got)
	}
	f.disarm("a", "")
	if got := f.of("a", "b", own); got != own {
		t.Errorf("disarmed: %+v", got)
	}
}
