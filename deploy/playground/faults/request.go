package faults

import (
	"net/http"
	"strings"
)

// Kind is what a request asks of the API server: a verb and what it is about.
type Kind struct {
	Verb     string // get list watch create update patch apply delete deletecollection; discovery, health, other
	Resource string // plural.group ("deployments.apps", "configmaps"), with /subresource; of the rest the first path segment
}

func (k Kind) String() string { return k.Verb + " " + k.Resource }

// Classify reads a request as the API server's own request info does.
func Classify(method, path, contentType string, query map[string][]string) Kind {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	group, rest, ok := splitGroup(parts)
	if !ok {
		switch parts[0] {
		case "api", "apis", "openapi", "version":
			return Kind{"discovery", parts[0]}
		case "healthz", "readyz", "livez", "metrics":
			return Kind{"health", parts[0]}
		}
		return Kind{"other", parts[0]}
	}
	if rest[0] == "namespaces" && len(rest) > 2 && rest[2] != "status" && rest[2] != "finalize" {
		rest = rest[2:]
	}
	resource, named := rest[0], len(rest) > 1
	if group != "" {
		resource += "." + group
	}
	if len(rest) > 2 {
		resource += "/" + rest[2]
	}
	return Kind{verb(method, contentType, named, isTrue(query["watch"])), resource}
}

// splitGroup cuts /api/V/... and /apis/G/V/...; false for paths that name no resource.
func splitGroup(parts []string) (group string, rest []string, ok bool) {
	switch {
	case parts[0] == "api" && len(parts) > 2:
		return "", parts[2:], true
	case parts[0] == "apis" && len(parts) > 3:
		return parts[1], parts[3:], true
	}
	return "", nil, false
}

func verb(method, contentType string, named, watch bool) string {
	switch method {
	case http.MethodGet, http.MethodHead:
		switch {
		case watch:
			return "watch"
		case named:
			return "get"
		}
		return "list"
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		if strings.HasPrefix(contentType, "application/apply-patch") {
			return "apply"
		}
		return "patch"
	case http.MethodDelete:
		if named {
			return "delete"
		}
		return "deletecollection"
	}
	return "other"
}

func isTrue(values []string) bool {
	return len(values) > 0 && (values[0] == "true" || values[0] == "1")
}
