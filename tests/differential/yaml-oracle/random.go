package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
)

type random struct{ *rand.Rand }

func (r *random) of(words ...string) string { return words[r.Intn(len(words))] }

func (r *random) letters(alphabet string, most int) string {
	var b strings.Builder
	all := []rune(alphabet)
	for n := 1 + r.Intn(most); n > 0; n-- {
		b.WriteRune(all[r.Intn(len(all))])
	}
	return b.String()
}

// scalar is text that is likely to be mistaken for something else.
func (r *random) scalar() string {
	switch r.Intn(6) {
	case 0:
		return r.of("y", "Yes", "yEs", "ON", "off", "n", "null", "~", "", "true", "0x1F", "0o17", "017", "08", "1_000", "0b-1",
			"1.5", ".5", "1e3", "1e999", "-0.0", "9223372036854775808", "18446744073709551616", "1:30", "190:20:30.15",
			"2001-12-14", "2001-12-14T21:59:43Z", "<<", "=", "- a", "a: b", "a #b", "#a", "---", "it's", "\"q\"", " a", "a ",
			"a\nb", "a\n", "\n", "a\n\n", " a\nb", "a \nb", "a\tb", "\u00e9", "\u2028", "\u00a0", "\U0001F600", "\x1b[")
	case 1:
		return r.letters("0123456789._-+eE:xXbBoO_", 10)
	case 2:
		return r.letters("0123456789-T:Z. ", 22)
	case 3:
		return r.letters(" \n\t:#-'\"\\ab?,[]{}&*!|>%@`\u00e9\u2028\U0001F600", 12)
	case 4:
		words := make([]string, 8+r.Intn(30))
		for i := range words {
			words[i] = r.letters("abc'\"#:\u00e9", 14)
		}
		return strings.Join(words, " ")
	}
	return r.letters("abcdefghij-./", 12)
}

// Keys for which the natural order has no cycles: with others it depends on where the sorting begins.
func (r *random) key() string {
	return r.of("a", "b", "a1", "a2", "a10", "a01", "A", "a-b", "a_b", "a.b", "ab", "a/b", "x1y2", "x1y10", "Z", "_", "metadata",
		"kind", "spec", "a b", "y", "no", "null", strings.Repeat("k", 129), "k: v", "'k'")
}

func (r *random) value(depth int) any {
	switch k := r.Intn(10); {
	case depth > 0 && k < 2:
		list := make([]any, r.Intn(4))
		for i := range list {
			list[i] = r.value(depth - 1)
		}
		return list
	case depth > 0 && k < 5:
		m := map[string]any{}
		for n := r.Intn(5); n > 0; n-- {
			m[r.key()] = r.value(depth - 1)
		}
		return m
	case k == 5:
		return []any{nil, true, false, 0, -1, 1.5, 1e21, 1e-7, int64(1) << 62, uint64(1) << 63, 0.1}[r.Intn(11)]
	}
	return r.scalar()
}

const blocks = `base: &base {x: 1, y: [a, b]}
other:
  <<: *base
  x: "two"   # comment
list:
- plain
- 'quoted ''text'''
- |
  literal
    text

- >-
  folded
  text
- key: *base
  - odd
? complex
: value
`

func (r *random) mutated() string {
	text := []byte(blocks)
	for n := 1 + r.Intn(3); n > 0; n-- {
		i := r.Intn(len(text))
		if r.Intn(2) == 0 {
			text = append(text[:i], append([]byte(r.of(" ", "\n", "-", ":", "#", "'", "\"", "&b ", "*base", "|", "~", "a", "1")), text[i:]...)...)
		} else {
			text = append(text[:i], text[i+1:]...)
		}
	}
	return strings.Replace(string(text), "  - odd\n", "", 1)
}

func (r *random) document() string {
	switch r.Intn(3) {
	case 0:
		text, _ := json.Marshal(r.value(4))
		return string(text) // JSON is YAML
	case 1:
		return r.mutated()
	}
	tag := r.of("", "", "", "!!str ", "!!int ", "!!float ", "!!bool ", "!!null ", "! ", "!own ")
	scalar := strings.ReplaceAll(r.scalar(), "\n", " ")
	if r.Intn(4) == 0 {
		scalar = "'" + strings.ReplaceAll(scalar, "'", "''") + "'"
	}
	return fmt.Sprintf(r.of("a: %s\n", "%s: 1\n", "- %s\n", "%s\n", "? %s\n: x\n", "- a: %s\n  b: 2\n"), tag+scalar)
}
