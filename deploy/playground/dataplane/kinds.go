package dataplane

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
)

const controllerName = "serin.dev/playground"

// kind is one that a cluster may have or not; versions are in the order in which we like them.
type kind struct {
	family   family
	crd      string
	versions []string
	compile  func(namespace, name string, created time.Time, spec any) *routeSet
}

var kinds = []kind{
	{istio, "virtualservices.networking.istio.io", []string{"v1beta1", "v1", "v1alpha3"}, virtualService},
	{gatewayAPI, "httproutes.gateway.networking.k8s.io", []string{"v1", "v1beta1"}, httpRoute},
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// following is one kind that is watched now.
type following struct {
	version string
	stop    context.CancelFunc
}

// watchKinds follows the definitions of kinds, and each kind while it is defined.
func (p *Plane) watchKinds() error {
	factory := dynamicinformer.NewDynamicSharedInformerFactory(p.dynamic, 0)
	informer := factory.ForResource(definitions).Informer()
	if err := informer.SetTransform(slim); err != nil {
		return err
	}
	var mu sync.Mutex
	now := map[string]*following{}
	see := func(value any, gone bool) {
		if last, ok := value.(cache.DeletedFinalStateUnknown); ok {
			value = last.Obj
		}
		definition, ok := value.(*unstructured.Unstructured)
		if !ok {
			return
		}
		for _, one := range kinds {
			if one.crd != definition.GetName() {
				continue
			}
			mu.Lock()
			p.follow(one, definition, gone, now)
			mu.Unlock()
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(value any) { see(value, false) },
		UpdateFunc: func(_, value any) { see(value, false) }, DeleteFunc: func(value any) { see(value, true) }}); err != nil {
		return err
	}
	factory.Start(p.ctx.Done())
	factory.WaitForCacheSync(p.ctx.Done())
	return p.ctx.Err()
}

// follow begins or ends the watch of a kind as its definition says.
func (p *Plane) follow(one kind, definition *unstructured.Unstructured, gone bool, now map[string]*following) {
	version := ""
	if !gone {
		version = servedVersion(definition.Object, one.versions)
	}
	if running := now[one.crd]; running != nil {
		if running.version == version {
			return
		}
		running.stop()
		delete(now, one.crd)
		p.routes.replace(one.family, nil)
	}
	if version == "" {
		return
	}
	ctx, stop := context.WithCancel(p.ctx)
	now[one.crd] = &following{version, stop}
	resource := schema.GroupVersionResource{Group: text(definition.Object, "spec", "group"), Version: version,
		Resource: text(definition.Object, "spec", "names", "plural")}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(p.dynamic, 0)
	informer := factory.ForResource(resource).Informer()
	informer.SetTransform(slim)
	informer.AddEventHandler(p.objectHandler(ctx, one, resource))
	factory.Start(ctx.Done())
	p.log("routes by %s %s", resource.Resource, resource.GroupVersion())
}

func servedVersion(definition object, liked []string) string {
	established := false
	for _, condition := range list(definition, "status", "conditions") {
		established = established || text(condition, "type") == "Established" && text(condition, "status") == "True"
	}
	for _, version := range liked {
		for _, one := range list(definition, "spec", "versions") {
			if established && text(one, "name") == version && sub(one, "served") == true {
				return version
			}
		}
	}
	return ""
}

func (p *Plane) objectHandler(ctx context.Context, one kind, resource schema.GroupVersionResource) cache.ResourceEventHandler {
	see := func(value any) {
		object, ok := value.(*unstructured.Unstructured)
		if !ok || ctx.Err() != nil {
			return
		}
		key := object.GetNamespace() + "/" + object.GetName()
		p.routes.put(one.family, key, one.compile(object.GetNamespace(), object.GetName(), object.GetCreationTimestamp().Time, object.Object["spec"]))
		if one.family == gatewayAPI {
			p.accept(ctx, resource, object)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, now any) { see(now) }, DeleteFunc: func(last any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(last); err == nil {
			p.routes.put(one.family, key, nil)
		}
	}}
}

// accept tells every parent of an HTTPRoute that this generation of it is in use, as a gateway's controller does.
func (p *Plane) accept(ctx context.Context, resource schema.GroupVersionResource, route *unstructured.Unstructured) {
	old, parents := list(route.Object, "status", "parents"), []any{}
	for _, one := range old {
		if text(one, "controllerName") != controllerName {
			parents = append(parents, one)
		}
	}
	for _, parent := range list(route.Object, "spec", "parentRefs") {
		before := any(nil)
		for _, one := range old {
			if text(one, "controllerName") == controllerName && equality.Semantic.DeepEqual(sub(one, "parentRef"), parent) {
				before = one
			}
		}
		parents = append(parents, object{"parentRef": parent, "controllerName": controllerName,
			"conditions": []any{acceptance(before, "Accepted", "Accepted", route.GetGeneration()),
				acceptance(before, "ResolvedRefs", "ResolvedRefs", route.GetGeneration())}})
	}
	if equality.Semantic.DeepEqual(old, parents) {
		return
	}
	patch, err := json.Marshal(object{"metadata": object{"resourceVersion": route.GetResourceVersion()}, "status": object{"parents": parents}})
	if err == nil {
		_, err = p.dynamic.Resource(resource).Namespace(route.GetNamespace()).Patch(ctx, route.GetName(), types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: "data-plane"}, "status")
	}
	if err != nil && ctx.Err() == nil { // a conflict: the change brings the route here again
		p.log("status of HTTPRoute %s/%s: %v", route.GetNamespace(), route.GetName(), err)
	}
}

func acceptance(before any, kind, reason string, generation int64) object {
	since := time.Now().UTC().Format(time.RFC3339)
	for _, condition := range list(before, "conditions") {
		if text(condition, "type") == kind && text(condition, "status") == "True" {
			since = text(condition, "lastTransitionTime")
		}
	}
	return object{"type": kind, "status": "True", "reason": reason, "message": "the playground's gateway leads by it",
		"observedGeneration": generation, "lastTransitionTime": since}
}
