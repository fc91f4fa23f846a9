package provider

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Whatever llm.Rules says can be overridden, under its name in small letters.
func TestEveryRuleHasAField(t *testing.T) {
	var want []string
	for i := range reflect.TypeFor[llm.Rules]().NumField() {
		want = append(want, strings.ToLower(reflect.TypeFor[llm.Rules]().Field(i).Name))
	}
	var got []string
	for _, name := range RuleFields() {
		got = append(got, strings.ReplaceAll(name, "_", ""))
	}
	if !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
}

// Each field is its own, and not its neighbour.
func TestRuleFieldPointsIntoTheRules(t *testing.T) {
	for i, name := range RuleFields() {
		var r llm.Rules
		if got, want := reflect.ValueOf(RuleField(&r, name)).Pointer(), reflect.ValueOf(&r).Elem().Field(i).Addr().Pointer(); got != want {
			t.Errorf("%s is another field", name)
		}
	}
	if RuleField(&llm.Rules{}, "nothing") != nil {
		t.Error("there is a field of the name nothing")
	}
}

func TestOverride(t *testing.T) {
	base := llm.Rules{Context: 1, NoSampling: true, Efforts: effortsO, SystemRole: "developer"}
	for _, c := range []struct {
		name, pattern, model string
		given                []string
		rules, want          llm.Rules
	}{
		{"nothing given", "*", "m", nil, llm.Rules{Context: 9}, base},
		{"another model", "gpt-*", "m", []string{"context"}, llm.Rules{Context: 9}, base},
		{"only what is given", "m*", "mm", []string{"context"}, llm.Rules{Context: 9, MaxOutput: 9},
			llm.Rules{Context: 9, NoSampling: true, Efforts: effortsO, SystemRole: "developer"}},
		{"taken back", "*", "vendor/m", []string{"no_sampling", "efforts", "system_role"}, llm.Rules{}, llm.Rules{Context: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := base
			Override{Model: c.pattern, Given: c.given, Rules: c.rules}.Apply(&got, c.model)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
