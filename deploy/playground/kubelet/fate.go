package kubelet

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a pod's containers do is told by annotations, since they may run in another process: "false" says that they answer no
// readiness probe, "NAME=3" that container NAME ended by itself so many times.
const (
	AnnotationReady    = "playground.serin.dev/ready"
	AnnotationRestarts = "playground.serin.dev/restarts"
)

// What a pod's images are called decides how it fares:
//
//	…never-ready…   runs, never becomes ready
//	…cannot-pull…   waits with ErrImagePull
//	…crashes…       waits with CrashLoopBackOff
//	…slow-5s…       becomes ready after so long (ms, s, m)
//	…flaps-5s…      ready and unready in turn, so long each
//	…dies-5s…       fails after so long (its controller makes another)
//	…lingers-5s…    takes so long to end when it is deleted
//	anything else   is ready at once, or succeeds when its restart policy is not Always
type fate struct {
	neverReady, succeeds       bool
	waiting                    string
	slow, flaps, dies, lingers time.Duration
}

// state is how a pod is at one moment.
type state struct {
	phase   core.PodPhase
	ready   bool
	waiting string // reason, of containers that wait
}

var timed = regexp.MustCompile(`(slow|flaps|dies|lingers)-(\d+(?:ms|s|m))`)

func foretell(pod *core.Pod) (f fate) {
	for _, container := range pod.Spec.Containers {
		image := container.Image
		f.neverReady = f.neverReady || strings.Contains(image, "never-ready")
		if strings.Contains(image, "cannot-pull") {
			f.waiting = "ErrImagePull"
		}
		if strings.Contains(image, "crashes") {
			f.waiting = "CrashLoopBackOff"
		}
		for _, found := range timed.FindAllStringSubmatch(image, -1) {
			length, _ := time.ParseDuration(found[2])
			switch found[1] {
			case "slow":
				f.slow = length
			case "flaps":
				f.flaps = length
			case "dies":
				f.dies = length
			case "lingers":
				f.lingers = length
			}
		}
	}
	f.succeeds = pod.Spec.RestartPolicy != core.RestartPolicyAlways
	return f
}

// at gives the state at an age and how long it lasts (0: for ever).
func (f fate) at(age time.Duration) (now state, next time.Duration) {
	soonest := func(d time.Duration) {
		if d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	if f.waiting != "" {
		return state{phase: core.PodPending, waiting: f.waiting}, 0
	}
	if f.dies > 0 {
		if age >= f.dies {
			return state{phase: core.PodFailed}, 0
		}
		soonest(f.dies - age)
	}
	now = state{phase: core.PodRunning, ready: !f.neverReady}
	if age < f.slow {
		now.ready = false
		soonest(f.slow - age)
		return now, next
	}
	if f.succeeds && now.ready {
		return state{phase: core.PodSucceeded}, 0
	}
	if f.flaps > 0 {
		now.ready = now.ready && ((age-f.slow)/f.flaps)%2 == 0
		soonest(f.flaps - (age-f.slow)%f.flaps)
	}
	return now, next
}

// describe writes a state as a pod's status; conditions keep their times while they do not change.
func describe(pod *core.Pod, now state, started meta.Time, address string) core.PodStatus {
	status := core.PodStatus{StartTime: &started, HostIP: "127.0.0.1", PodIP: address, PodIPs: []core.PodIP{{IP: address}},
		Phase: now.phase, QOSClass: pod.Status.QOSClass, HostIPs: pod.Status.HostIPs, ObservedGeneration: pod.Status.ObservedGeneration}
	changed := meta.NewTime(time.Now().Truncate(time.Second))
	for _, kind := range []core.PodConditionType{core.PodScheduled, core.PodInitialized, core.ContainersReady, core.PodReady} {
		value := core.ConditionTrue
		if (kind == core.ContainersReady || kind == core.PodReady) && !now.ready {
			value = core.ConditionFalse
		}
		condition := core.PodCondition{Type: kind, Status: value, LastTransitionTime: changed}
		for _, old := range pod.Status.Conditions {
			if old.Type == kind && old.Status == value {
				condition = old
			}
		}
		status.Conditions = append(status.Conditions, condition)
	}
	restarted, restarts := restartsOf(pod)
	for i, container := range pod.Spec.Containers {
		one := core.ContainerStatus{Name: container.Name, Image: container.Image, ImageID: "stand-in://" + container.Image, Ready: now.ready,
			State: containerState(now, started, changed)}
		if old := pod.Status.ContainerStatuses; i < len(old) && old[i].State.Terminated != nil && one.State.Terminated != nil {
			one.State = old[i].State
		}
		if container.Name == restarted && restarts > 0 {
			one.RestartCount = restarts
			one.LastTerminationState.Terminated = &core.ContainerStateTerminated{Reason: "Error", ExitCode: 255, StartedAt: started, FinishedAt: changed}
			if one.State.Running != nil {
				one.State.Running.StartedAt = changed
			}
			if old := pod.Status.ContainerStatuses; i < len(old) && old[i].RestartCount == restarts {
				one.State, one.LastTerminationState = old[i].State, old[i].LastTerminationState
			}
		}
		status.ContainerStatuses = append(status.ContainerStatuses, one)
	}
	return status
}

// restartsOf reads which container ended by itself and was started again, and how often.
func restartsOf(pod *core.Pod) (container string, times int32) {
	container, count, _ := strings.Cut(pod.Annotations[AnnotationRestarts], "=")
	number, _ := strconv.ParseInt(count, 10, 32)
	return container, int32(number)
}

func containerState(now state, started, changed meta.Time) core.ContainerState {
	switch {
	case now.waiting != "":
		return core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: now.waiting}}
	case now.phase == core.PodSucceeded:
		return core.ContainerState{Terminated: &core.ContainerStateTerminated{Reason: "Completed", StartedAt: started, FinishedAt: changed}}
	case now.phase == core.PodFailed:
		return core.ContainerState{Terminated: &core.ContainerStateTerminated{Reason: "Error", ExitCode: 1, StartedAt: started, FinishedAt: changed}}
	}
	return core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: started}}
}
