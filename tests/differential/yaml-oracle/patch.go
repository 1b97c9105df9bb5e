package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type object = map[string]any

var kinds = map[string]any{"Deployment": &apps.Deployment{}, "Service": &core.Service{}, "Pod": &core.Pod{}}

// list makes up to three maps with distinct keys.
func (r *random) list(key string, keys []any, fill func(object)) []any {
	out := []any{}
	for _, i := range r.Perm(len(keys))[:r.Intn(4)] {
		item := object{key: keys[i]}
		fill(item)
		out = append(out, item)
	}
	return out
}

func (r *random) maybe(o object, key string, value any) {
	if r.Intn(5) < 3 {
		o[key] = value
	}
}

var names = []any{"a", "b", "c", "d"}

func (r *random) containers() []any {
	return r.list("name", names, func(c object) {
		r.maybe(c, "image", r.of("x:1", "x:2"))
		r.maybe(c, "args", []any{r.of("a", "b")})
		r.maybe(c, "env", r.list("name", names, func(e object) { r.maybe(e, "value", r.of("1", "2")) }))
		r.maybe(c, "ports", r.list("containerPort", []any{80, 81, 82, 83}, func(p object) { r.maybe(p, "name", r.of("p", "q")) }))
		r.maybe(c, "volumeMounts", r.list("mountPath", []any{"/a", "/b", "/c"}, func(m object) { m["name"] = r.of("v", "w") }))
	})
}

func (r *random) pod() object {
	spec := object{"containers": r.containers()}
	r.maybe(spec, "initContainers", r.containers())
	r.maybe(spec, "volumes", r.list("name", names, func(v object) {
		v[r.of("emptyDir", "configMap", "secret")] = object{"x": r.of("1", "2")}
	}))
	r.maybe(spec, "tolerations", []any{object{"key": r.of("a", "b")}})
	r.maybe(spec, "imagePullSecrets", r.list("name", names, func(object) {}))
	r.maybe(spec, "nodeSelector", object{r.of("a", "b"): r.of("1", "2")})
	return spec
}

func (r *random) object(kind string) object {
	meta := object{"name": "x"}
	r.maybe(meta, "labels", object{r.of("a", "b"): r.of("1", "2")})
	r.maybe(meta, "finalizers", []any{[]any{"a"}, []any{"a", "b"}, []any{"b", "c"}}[r.Intn(3)])
	o := object{"kind": kind, "metadata": meta}
	switch kind {
	case "Pod":
		o["spec"] = r.pod()
	case "Service":
		o["spec"] = object{"ports": r.list("port", []any{80, 81, 82, 83}, func(p object) { r.maybe(p, "targetPort", r.of("a", "b")) })}
	default:
		spec := object{"replicas": r.Intn(3), "template": object{"metadata": meta, "spec": r.pod()}}
		r.maybe(spec, "strategy", []object{{"type": "Recreate"}, {"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": 1}}}[r.Intn(2)])
		o["spec"] = spec
	}
	return o
}

var mergeKeys = map[string]string{"containers": "name", "initContainers": "name", "env": "name", "ports": "containerPort",
	"volumes": "name", "volumeMounts": "mountPath"}

// direct puts directives into a patch.
func (r *random) direct(v any) {
	switch t := v.(type) {
	case object:
		for k, x := range t {
			key, list := mergeKeys[k], []any{}
			if l, ok := x.([]any); ok && key != "" && len(l) > 0 {
				list = l
			}
			switch {
			case len(list) > 0 && list[0].(object)[key] == nil: // the ports of a service
			case len(list) > 0 && r.Intn(6) == 0:
				list[0] = object{key: list[0].(object)[key], "$patch": "delete"}
			case len(list) > 0 && r.Intn(6) == 0:
				t[k] = append(list, object{"$patch": "replace"})
			case len(list) > 0 && r.Intn(4) == 0:
				var order []any
				for _, item := range list {
					order = append(order, object{key: item.(object)[key]})
				}
				t["$setElementOrder/"+k] = append(order, object{key: "other"})
			case k == "finalizers" && r.Intn(2) == 0:
				t["$deleteFromPrimitiveList/finalizers"] = x
				delete(t, k)
			case (k == "labels" || k == "nodeSelector") && r.Intn(4) == 0:
				x.(object)["$patch"] = r.of("replace", "delete")
			case k != "name" && k != "kind" && k != key && !strings.HasPrefix(k, "$") && r.Intn(30) == 0 && len(mergeKeys[k]) == 0 && k != "containerPort" && k != "port" && k != "mountPath":
				t[k] = nil
			default:
				if !strings.HasPrefix(k, "$") {
					r.direct(x)
				}
			}
		}
	case []any:
		for _, x := range t {
			r.direct(x)
		}
	}
}

func (r *random) patch() question {
	kind := r.of("Deployment", "Deployment", "Pod", "Service")
	from, _ := json.Marshal(r.object(kind))
	other := r.object(kind)
	apply := r.Intn(2) == 0
	if apply {
		text, _ := json.Marshal(other) // no shared parts
		_ = json.Unmarshal(text, &other)
		r.direct(other)
	}
	with, _ := json.Marshal(other)
	version := map[string]string{"Deployment": "apps/v1"}[kind]
	if version == "" {
		version = "v1"
	}
	return question{APIVersion: version, Kind: kind, Apply: apply, From: from, With: with}
}

// plain drops what the library leaves lying about in what it adds: directives, nulls, items that only delete.
func plain(v any) any {
	switch t := v.(type) {
	case object:
		out := object{}
		for k, x := range t {
			if m, ok := x.(object); x != nil && k[0] != '$' && !(ok && m["$patch"] != nil) {
				out[k] = plain(x)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, x := range t {
			if m, ok := x.(object); !ok || m["$patch"] == nil {
				out = append(out, plain(x))
			}
		}
		return out
	}
	return v
}

func checkPatch(q question, got answer) (string, string) {
	var text []byte
	var err error
	if q.Apply {
		text, err = strategicpatch.StrategicMergePatch(q.From, q.With, kinds[q.Kind])
	} else {
		text, err = strategicpatch.CreateTwoWayMergePatch(q.From, q.With, kinds[q.Kind])
	}
	if err != nil || got.Error != "" {
		if (err != nil) == (got.Error != "") {
			return "", ""
		}
		return "patch error", fmt.Sprint(err)
	}
	want, have := decode(text), decode(got.Value)
	if q.Apply {
		want, have = plain(want), plain(have)
	}
	if !reflect.DeepEqual(want, have) {
		return map[bool]string{true: "merged", false: "patch"}[q.Apply], string(text)
	}
	return "", ""
}
