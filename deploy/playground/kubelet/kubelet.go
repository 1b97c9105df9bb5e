// Package kubelet stands in for scheduler and kubelet: it binds every pod to one node and reports it as its images foretell.
package kubelet

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const node = "node-1"

type kubelet struct {
	ctx    context.Context
	client kubernetes.Interface
	due    chan *core.Pod
	lastIP atomic.Uint32

	mu     sync.Mutex
	alarms map[types.UID]*time.Timer // one a pod at most
}

// Run makes the node and tends pods until the context ends.
func Run(ctx context.Context, client kubernetes.Interface) error {
	k := &kubelet{ctx: ctx, client: client, due: make(chan *core.Pod, 1<<16), alarms: map[types.UID]*time.Timer{}}
	if err := k.makeNode(); err != nil {
		return err
	}
	if err := k.learnAddresses(); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	see := func(object any) {
		if pod, ok := object.(*core.Pod); ok {
			k.due <- pod
		}
	}
	factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: see, UpdateFunc: func(_, now any) { see(now) }})
	factory.Start(ctx.Done())
	for range 8 {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case pod := <-k.due:
					k.tend(pod)
				}
			}
		}()
	}
	return nil
}

func (k *kubelet) makeNode() error {
	capacity := core.ResourceList{"cpu": resource.MustParse("1000"), "memory": resource.MustParse("1000Gi"), "pods": resource.MustParse("100000")}
	_, err := k.client.CoreV1().Nodes().Create(k.ctx, &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: node, Labels: map[string]string{"kubernetes.io/hostname": node}},
		Status: core.NodeStatus{Capacity: capacity, Allocatable: capacity,
			Conditions: []core.NodeCondition{{Type: core.NodeReady, Status: core.ConditionTrue, Reason: "KubeletReady"}}},
	}, meta.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	// Admission taints a new node as not ready and the controller that would clear it does not run; DaemonSets mind.
	_, err = k.client.CoreV1().Nodes().Patch(k.ctx, node, types.MergePatchType, []byte(`{"spec":{"taints":null}}`), meta.PatchOptions{})
	return err
}

// learnAddresses goes on after the highest address that pods of a kept cluster have.
func (k *kubelet) learnAddresses() error {
	pods, err := k.client.CoreV1().Pods("").List(k.ctx, meta.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil && address.Is4() {
			bytes := address.As4()
			k.lastIP.Store(max(k.lastIP.Load(), uint32(bytes[2])<<8|uint32(bytes[3])))
		}
	}
	return nil
}

// tend takes one pod one step further; the update it causes brings the pod back for the next.
func (k *kubelet) tend(pod *core.Pod) {
	api, fate := k.client.CoreV1().Pods(pod.Namespace), foretell(pod)
	switch {
	case pod.DeletionTimestamp != nil:
		if asked := pod.DeletionTimestamp.Add(-graceOf(pod)); time.Since(asked) < fate.lingers {
			k.again(pod, fate.lingers-time.Since(asked))
			return
		}
		now := int64(0)
		api.Delete(k.ctx, pod.Name, meta.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &pod.UID}})
	case pod.Spec.NodeName == "":
		api.Bind(k.ctx, &core.Binding{ObjectMeta: meta.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
			Target: core.ObjectReference{Kind: "Node", Name: node}}, meta.CreateOptions{})
	case pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed:
	default:
		k.report(pod, fate)
	}
}

func graceOf(pod *core.Pod) time.Duration {
	if pod.DeletionGracePeriodSeconds == nil {
		return 0
	}
	return time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
}

// report writes the pod's status of this moment if it is another, and looks again when fate has the next change.
func (k *kubelet) report(pod *core.Pod, fate fate) {
	started := meta.NewTime(time.Now().Truncate(time.Second))
	address := pod.Status.PodIP
	if pod.Status.StartTime != nil {
		started = *pod.Status.StartTime
	} else {
		next := k.lastIP.Add(1)
		address = fmt.Sprintf("10.244.%d.%d", next>>8&255, next&255)
	}
	state, next := fate.at(time.Since(started.Time))
	state.ready = state.ready && pod.Annotations[AnnotationReady] != "false"
	status := describe(pod, state, started, address)
	if !equality.Semantic.DeepEqual(status, pod.Status) {
		changed := pod.DeepCopy()
		changed.Status = status
		if _, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(k.ctx, changed, meta.UpdateOptions{}); err != nil {
			return // someone else wrote; their write brings the pod back
		}
	}
	if next > 0 {
		k.again(pod, next)
	}
}

// again looks at the pod, as it will be then, after a while.
func (k *kubelet) again(pod *core.Pod, after time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if earlier := k.alarms[pod.UID]; earlier != nil {
		earlier.Stop()
	}
	k.alarms[pod.UID] = time.AfterFunc(after+5*time.Millisecond, func() {
		k.mu.Lock()
		delete(k.alarms, pod.UID)
		k.mu.Unlock()
		now, err := k.client.CoreV1().Pods(pod.Namespace).Get(k.ctx, pod.Name, meta.GetOptions{ResourceVersion: "0"})
		if err != nil || now.UID != pod.UID {
			return
		}
		select {
		case k.due <- now:
		case <-k.ctx.Done():
		}
	})
}
