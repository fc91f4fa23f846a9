package telemetry

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// other stands for all label values that have no series of their own.
const other = "other"

// maxLabel bounds a label's value, in bytes.
const maxLabel = 128

// labelOf makes a label's value of text that others wrote, which Prometheus takes
// as valid UTF-8 only.
func labelOf(text string) string {
	return strings.ToValidUTF8(strings.Clone(text[:min(len(text), maxLabel)]), "?")
}

// A family keeps the series of the keys that were counted before, so that
// counting is one look-up. It has at most limit of them, and those that keys are
// folded to when it is full, which must be few.
type family[K comparable, V any] struct {
	limit int
	fold  func(K) K // when it is full
	make  func(K) V

	mu    sync.RWMutex
	byKey map[K]V
}

func newFamily[K comparable, V any](limit int, fold func(K) K, make func(K) V) *family[K, V] {
	return &family[K, V]{limit: limit, fold: fold, make: make, byKey: map[K]V{}}
}

func (f *family[K, V]) get(k K) V {
	f.mu.RLock()
	v, ok := f.byKey[k]
	full := len(f.byKey) >= f.limit
	if !ok && full {
		k = f.fold(k)
		v, ok = f.byKey[k]
	}
	f.mu.RUnlock()
	if ok {
		return v
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, ok = f.byKey[k]; !ok {
		v = f.make(k)
		f.byKey[k] = v
	}
	return v
}

// maxTargets bounds the targets that have series: those of the configuration, and
// half as many others.
const maxTargets = 512

// A target is a model of a provider, as in labels.
type target struct{ provider, model string }

// targets says how targets are called in labels. Providers are the operator's;
// most models are whatever clients ask for.
type targets struct {
	mu         sync.RWMutex
	configured map[string]bool   // of the configuration in force, as provider/model
	named      map[string]target // those with series
}

// Configured says which targets the configuration names from now on, as
// provider/model.
func (m *Metrics) Configured(names []string) {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	m.targets.mu.Lock()
	defer m.targets.mu.Unlock()
	m.targets.configured = set
}

// label returns how a target is called. served says that it is a model which its
// provider has, for sure.
func (t *targets) label(name string, served bool) target {
	t.mu.RLock()
	found, ok := t.named[name]
	allowed := !ok && t.allows(name, served)
	t.mu.RUnlock()
	if ok {
		return found
	}
	provider, model, _ := strings.Cut(name, "/")
	if !allowed || len(model) > maxLabel || !utf8.ValidString(model) {
		return target{provider, other}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.allows(name, served) { // others were faster
		return target{provider, other}
	}
	found = target{strings.Clone(provider), strings.Clone(model)}
	t.named[strings.Clone(name)] = found
	return found
}

func (t *targets) allows(name string, served bool) bool {
	if t.configured[name] {
		return len(t.named) < maxTargets
	}
	return served && len(t.named) < maxTargets/2
}

// statusOf is a status as a label.
func statusOf(code int) string {
	switch {
	case code == 0:
		return "none"
	case code < 100 || code > 599:
		return other
	}
	return strconv.Itoa(code)
}
