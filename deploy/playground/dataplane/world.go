package dataplane

import (
	"net"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	listers "k8s.io/client-go/listers/core/v1"
)

const clusterDomain = ".cluster.local"

// world finds who answers for a name.
type world struct {
	services listers.ServiceLister
	pods     listers.PodLister
	listens  func(pod *core.Pod, port int) string // where that container port is listened on; "" if it is not
	turns    sync.Map                             // service and port -> *atomic.Uint64
}

// endpoint is a pod that may be asked.
type endpoint struct {
	pod     *core.Pod
	address string
}

// splitName takes a name of cluster DNS apart: NAME, NAME.NS, NAME.NS.svc, NAME.NS.svc.cluster.local.
func splitName(host, fromNamespace string) (namespace, name string, ok bool) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	short := strings.TrimSuffix(strings.TrimSuffix(host, clusterDomain), ".svc")
	if short == host && strings.HasSuffix(host, clusterDomain) {
		return "", "", false
	}
	switch parts := strings.Split(short, "."); {
	case parts[0] == "":
	case len(parts) == 2 && parts[1] != "":
		return parts[1], parts[0], true
	case len(parts) == 1 && short == host && fromNamespace != "":
		return fromNamespace, parts[0], true
	}
	return "", "", false
}

// service is the Service of a host: its DNS name, its cluster IP, or, for a caller of no namespace, the only one of that name.
func (w *world) service(host, fromNamespace string) *core.Service {
	if namespace, name, ok := splitName(host, fromNamespace); ok {
		found, _ := w.services.Services(namespace).Get(name)
		return found
	}
	all, _ := w.services.List(labels.Everything())
	var only *core.Service
	for _, one := range all {
		if net.ParseIP(host) != nil && one.Spec.ClusterIP == host {
			return one
		}
		if fromNamespace == "" && one.Name == strings.ToLower(host) {
			if only != nil {
				return nil
			}
			only = one
		}
	}
	return only
}

func (w *world) podAt(address string) *core.Pod {
	if !strings.HasPrefix(address, "10.244.") {
		return nil
	}
	all, _ := w.pods.List(labels.Everything())
	for _, pod := range all {
		if pod.Status.PodIP == address && pod.DeletionTimestamp == nil {
			return pod
		}
	}
	return nil
}

// servicePort chooses among the ports of a Service: the one of that number, else the only one or, unless it must be there, the first.
func servicePort(service *core.Service, port int, must bool) *core.ServicePort {
	ports := service.Spec.Ports
	for i := range ports {
		if int(ports[i].Port) == port {
			return &ports[i]
		}
	}
	if len(ports) == 0 || must {
		return nil
	}
	return &ports[0]
}

// targetOf gives the container port behind a port of a Service.
func targetOf(pod *core.Pod, port *core.ServicePort) int {
	if number := port.TargetPort.IntValue(); number > 0 {
		return number
	}
	if name := port.TargetPort.StrVal; name != "" {
		for _, container := range pod.Spec.Containers {
			for _, one := range container.Ports {
				if one.Name == name {
					return int(one.ContainerPort)
				}
			}
		}
		return 0
	}
	return int(port.Port)
}

// endpoints are the pods of a Service that are ready and do listen, the one whose turn it is first.
func (w *world) endpoints(service *core.Service, port *core.ServicePort) []endpoint {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	pods, _ := w.pods.Pods(service.Namespace).List(labels.SelectorFromSet(service.Spec.Selector))
	var found []endpoint
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || !(isReady(pod) || service.Spec.PublishNotReadyAddresses) {
			continue
		}
		if address := w.listens(pod, targetOf(pod, port)); address != "" {
			found = append(found, endpoint{pod, address})
		}
	}
	if len(found) < 2 {
		return found
	}
	sort.Slice(found, func(i, j int) bool { return found[i].pod.Name < found[j].pod.Name })
	turn, _ := w.turns.LoadOrStore(service.Namespace+"/"+service.Name+":"+strconv.Itoa(int(port.Port)), new(atomic.Uint64))
	first := int((turn.(*atomic.Uint64).Add(1) - 1) % uint64(len(found)))
	return append(found[first:len(found):len(found)], found[:first]...)
}

func isReady(pod *core.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == core.PodReady {
			return condition.Status == core.ConditionTrue
		}
	}
	return false
}

// workloadOf is the name of the Deployment, DaemonSet, ... that a pod is of.
func workloadOf(pod *core.Pod) workload {
	for _, owner := range pod.OwnerReferences {
		if owner.Controller == nil || !*owner.Controller {
			continue
		}
		name := owner.Name
		if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
			name = strings.TrimSuffix(name, "-"+hash)
		}
		return workload{pod.Namespace, name}
	}
	return workload{pod.Namespace, pod.Name}
}
