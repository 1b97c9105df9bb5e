// Compares how serin reads and writes YAML, and makes and applies strategic merge patches, with the libraries that
// kubectl and Flux use, on random documents. See ../README.md.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"

	goyaml "gopkg.in/yaml.v2"
	"sigs.k8s.io/yaml"
)

type question struct {
	YAML       string          `json:"yaml,omitempty"`
	APIVersion string          `json:"apiVersion,omitempty"`
	Kind       string          `json:"kind,omitempty"`
	Apply      bool            `json:"apply,omitempty"`
	From       json.RawMessage `json:"from,omitempty"`
	With       json.RawMessage `json:"with,omitempty"`
}

type answer struct {
	Error string          `json:"error"`
	Value json.RawMessage `json:"value"`
	YAML  string          `json:"yaml"`
}

// decode keeps integers as integers, as the writer of YAML wants them.
func decode(text []byte) any {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return numbers(v)
}

func numbers(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, x := range t {
			t[k] = numbers(x)
		}
	case []any:
		for i, x := range t {
			t[i] = numbers(x)
		}
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(t.String(), 10, 64); err == nil {
			return u
		}
		f, _ := t.Float64()
		return f
	}
	return v
}

// verdict of one question: "" if both agree, "syntax" if only one refuses, else what differs.
func checkYAML(q question, got answer) (string, string) {
	text, err := yaml.YAMLToJSON([]byte(q.YAML))
	if err != nil || got.Error != "" {
		if (err != nil) == (got.Error != "") || strings.Contains(got.Error, "already set in map") {
			return "", ""
		}
		return "syntax", fmt.Sprint(err)
	}
	if !reflect.DeepEqual(decode(text), decode(got.Value)) {
		return "value", string(text)
	}
	// Written from the value, or from what the parser had: there 1e6 still is a float.
	fromValue, _ := goyaml.Marshal(decode(text))
	var direct any
	_ = goyaml.Unmarshal([]byte(q.YAML), &direct)
	fromText, _ := goyaml.Marshal(direct)
	if got.YAML != string(fromValue) && got.YAML != string(fromText) {
		return "yaml", string(fromValue)
	}
	return "", ""
}

func main() {
	driver := flag.String("driver", "", "the program yaml_oracle_driver")
	seed := flag.Int64("seed", 1, "of the random documents")
	count := flag.Int("count", 20000, "how many of each sort")
	show := flag.Int("show", 3, "how many differences of each sort to print")
	flag.Parse()
	r := &random{rand.New(rand.NewSource(*seed))}
	var questions []question
	for i := 0; i < *count; i++ {
		questions = append(questions, question{YAML: r.document()}, r.patch())
	}
	answers := ask(*driver, questions)
	seen := map[string]int{}
	for i, q := range questions {
		check := checkPatch
		if q.YAML != "" {
			check = checkYAML
		}
		sort, expected := check(q, answers[i])
		if sort == "" {
			continue
		}
		seen[sort]++
		if seen[sort] <= *show {
			asked, _ := json.Marshal(q)
			got, _ := json.Marshal(answers[i])
			fmt.Printf("%s\n  asked    %s\n  expected %q\n  got      %s\n", sort, asked, expected, got)
		}
	}
	fmt.Printf("%d questions, differences: %v\n", len(questions), seen)
	delete(seen, "syntax") // see ../README.md
	if len(seen) > 0 {
		os.Exit(1)
	}
}

func ask(driver string, questions []question) []answer {
	cmd := exec.Command(driver)
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	go func() {
		w := bufio.NewWriter(in)
		for _, q := range questions {
			line, _ := json.Marshal(q)
			w.Write(append(line, '\n'))
		}
		w.Flush()
		in.Close()
	}()
	var answers []answer
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			panic(err)
		}
		answers = append(answers, a)
	}
	if err := cmd.Wait(); err != nil || len(answers) != len(questions) {
		panic(fmt.Sprintf("driver: %d answers, %v", len(answers), err))
	}
	return answers
}
