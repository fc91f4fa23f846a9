package wasm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// maxManifest bounds what a guest says about itself, in bytes.
const maxManifest = 64 << 10

// A manifest is what a guest says about itself. Members that are not here are for
// people.
type manifest struct {
	MaxMatchBytes int      `json:"max_match_bytes"` // the longest match it looks for; 0: not said
	Phases        []string `json:"phases"`          // in which it can be asked; nil: all
}

// phaseNames are those of a manifest.
var phaseNames = map[gateway.Phase]string{gateway.PhaseRequest: "request", gateway.PhaseResponse: "response", gateway.PhaseStream: "stream"}

// manifest asks a guest that has been configured.
func (i *instance) manifest(ctx context.Context) (m manifest, err error) {
	f := i.module.ExportedFunction(exportManifest)
	if f == nil {
		return m, nil
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	stop := context.AfterFunc(ctx, i.kill)
	b, err := i.call(f, 0, maxManifest)
	if !stop() {
		return m, fmt.Errorf("%s: %w", exportManifest, ctx.Err())
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err == nil && m.MaxMatchBytes < 0 {
		err = fmt.Errorf("max_match_bytes is %d", m.MaxMatchBytes)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", exportManifest, err)
	}
	return m, nil
}

// MaxMatch is the longest match that the guest says it looks for, in bytes; 0: it
// does not say.
func (g *Guard) MaxMatch() int { return g.manifest.MaxMatchBytes }

// Takes reports whether the guest says that it can be asked in a phase, or says
// nothing of phases.
func (g *Guard) Takes(p gateway.Phase) bool {
	return g.manifest.Phases == nil || slices.Contains(g.manifest.Phases, phaseNames[p])
}
