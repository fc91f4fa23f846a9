package provider

import (
	"path"
	"slices"
	"testing"
)

// A name that is listed can be asked for: one of the kind's APIs serves it.
func TestKnownModelsAreServed(t *testing.T) {
	for kind, names := range known {
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				t.Errorf("%s: %s is there twice", kind, name)
			}
			served := slices.ContainsFunc(presets, func(p Preset) bool {
				return p.Kind == kind && slices.ContainsFunc(p.Models, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok })
			})
			if !served {
				t.Errorf("%s serves no model named %s", kind, name)
			}
		}
	}
	if len(Known("openai")) == 0 || Known("azure") != nil {
		t.Error("OpenAI's models have no names, or Azure's deployments have")
	}
}
