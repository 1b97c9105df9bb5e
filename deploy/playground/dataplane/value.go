package dataplane

import (
	"strconv"
	"time"
)

// Objects of kinds that we have no types for come as JSON values; these read them and take what is missing or of another type for empty.

type object = map[string]any

func sub(of any, path ...string) any {
	for _, name := range path {
		fields, _ := of.(object)
		of = fields[name]
	}
	return of
}

func text(of any, path ...string) string {
	value, _ := sub(of, path...).(string)
	return value
}

func list(of any, path ...string) []any {
	value, _ := sub(of, path...).([]any)
	return value
}

func fields(of any, path ...string) object {
	value, _ := sub(of, path...).(object)
	return value
}

func texts(of any, path ...string) (all []string) {
	for _, one := range list(of, path...) {
		if value, ok := one.(string); ok {
			all = append(all, value)
		}
	}
	return all
}

func number(of any, otherwise float64, path ...string) float64 {
	switch value := sub(of, path...).(type) {
	case int64:
		return float64(value)
	case float64:
		return value
	case string:
		if parsed, err := strconv.ParseFloat(value, 64); err == nil {
			return parsed
		}
	}
	return otherwise
}

func duration(of any, path ...string) time.Duration {
	value, err := time.ParseDuration(text(of, path...))
	if err != nil || value < 0 {
		return 0
	}
	return value
}
