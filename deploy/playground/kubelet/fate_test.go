package kubelet

import (
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func podOf(image string, policy core.RestartPolicy) *core.Pod {
	return &core.Pod{Spec: core.PodSpec{RestartPolicy: policy, Containers: []core.Container{{Name: "one", Image: image}}}}
}

func TestFateOfImages(t *testing.T) {
	const always, never = core.RestartPolicyAlways, core.RestartPolicyNever
	running := func(ready bool) state { return state{phase: core.PodRunning, ready: ready} }
	for _, one := range []struct {
		name, image string
		policy      core.RestartPolicy
		age         time.Duration
		want        state
		next        time.Duration
	}{
		{"a plain pod is ready at once", "app:1", always, 0, running(true), 0},
		{"a plain job succeeds at once", "app:1", never, 0, state{phase: core.PodSucceeded}, 0},
		{"never-ready runs and is not ready", "never-ready:1", always, time.Hour, running(false), 0},
		{"a job that is never ready goes on", "never-ready:1", never, time.Hour, running(false), 0},
		{"cannot-pull waits", "cannot-pull:1", always, 0, state{phase: core.PodPending, waiting: "ErrImagePull"}, 0},
		{"crashes waits", "app:crashes", never, 0, state{phase: core.PodPending, waiting: "CrashLoopBackOff"}, 0},
		{"slow is not ready before its time", "app:slow-5s", always, 2 * time.Second, running(false), 3 * time.Second},
		{"slow is ready then", "app:slow-5s", always, 5 * time.Second, running(true), 0},
		{"a slow job succeeds after its time", "app:slow-300ms", never, time.Second, state{phase: core.PodSucceeded}, 0},
		{"flaps begins ready", "app:flaps-2s", always, 500 * time.Millisecond, running(true), 1500 * time.Millisecond},
		{"flaps is unready in its second turn", "app:flaps-2s", always, 3 * time.Second, running(false), time.Second},
		{"flaps waits for slow", "app:slow-1s-flaps-2s", always, 3500 * time.Millisecond, running(false), 1500 * time.Millisecond},
		{"dies lives until its time", "app:dies-3s", always, time.Second, running(true), 2 * time.Second},
		{"dies fails then", "app:dies-3s", always, 3 * time.Second, state{phase: core.PodFailed}, 0},
		{"the next change is the first one", "app:slow-9s-dies-3s", always, time.Second, running(false), 2 * time.Second},
	} {
		t.Run(one.name, func(t *testing.T) {
			got, next := foretell(podOf(one.image, one.policy)).at(one.age)
			if got != one.want || next != one.next {
				t.Errorf("%+v for %v, not %+v for %v", got, next, one.want, one.next)
			}
		})
	}
}

// A status described twice must come out the same, or every update would cause another.
func TestAStatusSettles(t *testing.T) {
	for _, image := range []string{"app:1", "never-ready:1", "cannot-pull:1", "dies-1s:1"} {
		pod := podOf(image, core.RestartPolicyAlways)
		started := meta.NewTime(time.Now().Add(-time.Minute).Truncate(time.Second))
		now, _ := foretell(pod).at(time.Minute)
		pod.Status = describe(pod, now, started, "10.244.0.1")
		time.Sleep(1100 * time.Millisecond)
		if again := describe(pod, now, started, "10.244.0.1"); !equality.Semantic.DeepEqual(pod.Status, again) {
			t.Errorf("%s: %+v became %+v", image, pod.Status, again)
		}
	}
}

func TestLingeringIsForetold(t *testing.T) {
	if got := foretell(podOf("app:lingers-4s", core.RestartPolicyAlways)).lingers; got != 4*time.Second {
		t.Errorf("lingers %v", got)
	}
}

func TestRestartsAreToldOnce(t *testing.T) {
	pod, running := podOf("app:1", core.RestartPolicyAlways), state{phase: core.PodRunning, ready: true}
	started := meta.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	pod.Status = describe(pod, running, started, "10.244.0.1")
	pod.Annotations = map[string]string{AnnotationRestarts: "one=2"}
	pod.Status = describe(pod, running, started, "10.244.0.1")
	got := pod.Status.ContainerStatuses[0]
	if got.RestartCount != 2 || got.LastTerminationState.Terminated == nil || !got.State.Running.StartedAt.After(started.Time) {
		t.Errorf("after two restarts: %+v", got)
	}
	time.Sleep(1100 * time.Millisecond) // times are whole seconds
	if again := describe(pod, running, started, "10.244.0.1").ContainerStatuses[0]; !equality.Semantic.DeepEqual(again, got) {
		t.Errorf("a second look tells another story:\n%+v\n%+v", again, got)
	}
	pod.Annotations[AnnotationRestarts] = "another=9"
	if other := describe(pod, running, started, "10.244.0.1").ContainerStatuses[0]; other.RestartCount != 0 {
		t.Errorf("another container's restarts: %+v", other)
	}
}
