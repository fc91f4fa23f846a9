package rego

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestTest: each test has its result, and the lines that none of them ran are
// named.
func TestTest(t *testing.T) {
	o := Options{Default: Allow, Deadline: time.Minute, FS: fstest.MapFS{
		"a.rego": {Data: []byte("package attache.request\n\nimport rego.v2\n\ndeny contains {} if input.user == \"a\"\n\ndeny contains {} if input.user == \"b\"\n")},
		"a_test.rego": {Data: []byte(`package attache.request_test

import data.attache.request

test_good if count(request.deny) == 1 with input as {"user": "a"}

test_bad if count(request.deny) == 1 with input as {"user": "c"}

test_broken if to_number("x") == 1
`)},
	}}
	r, err := Test(t.Context(), o, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range r.Tests {
		if one.TookNS <= 0 {
			t.Errorf("%+v took no time", one)
		}
		problem, _, _ := strings.Cut(one.Problem, ":")
		got = append(got, one.Place+" "+one.Name+" "+problem)
	}
	want := []string{
		"a_test.rego:5 attache.request_test.test_good ",
		"a_test.rego:7 attache.request_test.test_bad failed",
		"a_test.rego:9 attache.request_test.test_broken a_test.rego",
	}
	if !reflect.DeepEqual(got, want) || r.Failed() != 2 {
		t.Errorf("%d failed:\n%s\nwant\n%s", r.Failed(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r.Covered <= 0 || r.Covered >= 100 || !reflect.DeepEqual(r.Missing, []string{"a.rego:7"}) {
		t.Errorf("covered %v, not %v", r.Covered, r.Missing)
	}
	if r, err = Test(t.Context(), o, false); err != nil || r.Covered != 0 || len(r.Tests) != 3 {
		t.Errorf("without coverage: %+v, %v", r, err)
	}
	o.FS = fstest.MapFS{"a.rego": {Data: []byte("package x y")}}
	if _, err := Test(t.Context(), o, true); err == nil || !strings.Contains(err.Error(), "a.rego:1") {
		t.Errorf("error %v", err)
	}
}
