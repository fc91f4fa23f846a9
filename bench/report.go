package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A report is the result of a run.
type report struct {
	Machine    string   `json:"machine"`
	Rounds     int      `json:"rounds"`
	DurationMS int64    `json:"duration_ms"`
	Cells      []cell   `json:"cells"`
	Memory     []memory `json:"memory"`
	Policies   []policy `json:"policies"`
	Reload     *reload  `json:"reload"`
}

// A cell holds the medians of the samples of one variant in one scenario.
type cell struct {
	Scenario string        `json:"scenario"`
	Variant  string        `json:"variant"`
	CPU      time.Duration `json:"cpu_ns"`
	Server   time.Duration `json:"server_cpu_ns"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
}

func machine() string {
	return fmt.Sprintf("%s/%s, %d CPUs, Envoy %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), envoyVersion, runtime.Version())
}

// medians sums samples up, in the order in which their cells first occur.
func medians(samples []sample) (cells []cell) {
	type place struct{ scenario, variant string }
	groups := map[place][]sample{}
	var order []place
	for _, s := range samples {
		p := place{s.scenario, s.variant}
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], s)
	}
	for _, p := range order {
		g := groups[p]
		cells = append(cells, cell{
			Scenario: p.scenario, Variant: p.variant,
			CPU:    median(g, func(s sample) time.Duration { return s.cpu }),
			Server: median(g, func(s sample) time.Duration { return s.server }),
			P50:    median(g, func(s sample) time.Duration { return s.latency.P50 }),
			P99:    median(g, func(s sample) time.Duration { return s.latency.P99 }),
		})
	}
	return cells
}

func median[T any](samples []T, value func(T) time.Duration) time.Duration {
	all := make([]time.Duration, len(samples))
	for i, s := range samples {
		all[i] = value(s)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// find returns the cell at a place, nil if it was not measured.
func (r *report) find(scenario, variant string) *cell {
	i := slices.IndexFunc(r.Cells, func(c cell) bool { return c.Scenario == scenario && c.Variant == variant })
	if i < 0 {
		return nil
	}
	return &r.Cells[i]
}

// variants are the rows, in the order of the first scenario that has them.
func (r *report) variants() (names []string) {
	for _, c := range r.Cells {
		if !slices.Contains(names, c.Variant) {
			names = append(names, c.Variant)
		}
	}
	return names
}

// print writes the tables of README.md.
func (r *report) print(out io.Writer, chosen []scenario) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; medians of %d rounds of %d ms\n\n", r.Machine, r.Rounds, r.DurationMS)
	if len(chosen) > 0 {
		r.servers(&b, chosen)
	}
	if len(r.Policies) > 0 {
		r.decisions(&b)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// servers writes what requests cost.
func (r *report) servers(b *strings.Builder, chosen []scenario) {
	r.table(b, "CPU µs per request (and times the floor)", chosen, func(c, plain, floor *cell) string {
		s := fmt.Sprint(c.CPU.Microseconds())
		if floor != nil && c != floor && c != plain {
			s += fmt.Sprintf(" (%.2f)", float64(c.CPU)/float64(floor.CPU))
		}
		return s
	})
	r.table(b, "of which the server", chosen, func(c, _, _ *cell) string { return fmt.Sprint(c.Server.Microseconds()) })
	alone := slices.DeleteFunc(slices.Clone(chosen), func(s scenario) bool { return s.connections > 1 })
	if len(alone) > 0 {
		r.table(b, "Latency in ms, p50 / p99: of plain Envoy, and added to it", alone, func(c, plain, _ *cell) string {
			p50, p99 := c.P50, c.P99
			if c != plain && plain != nil {
				p50, p99 = p50-plain.P50, p99-plain.P99
			}
			return fmt.Sprintf("%.2f / %.2f", ms(p50), ms(p99))
		})
	}
	b.WriteString("| Memory | server, idle | server, open stream | Envoy, idle | Envoy, open stream |\n|---|--:|--:|--:|--:|\n")
	for _, m := range r.Memory {
		fmt.Fprintf(b, "| %s | %.0f MB | %.1f KB | %.0f MB | %.1f KB |\n", m.Server, mb(m.Idle), mb(m.PerStream)*1000, mb(m.Envoy), mb(m.EnvoyEach)*1000)
	}
	b.WriteString("\n")
}

// decisions writes what the policy costs.
func (r *report) decisions(b *strings.Builder) {
	b.WriteString("| Rules besides the shipped ones | CPU µs per decision | allocations | cached | allocations |\n|---|--:|--:|--:|--:|\n")
	for _, p := range r.Policies {
		fmt.Fprintf(b, "| %d | %.1f | %d | %.2f | %d |\n", p.Rules, us(p.CPU), p.Allocs, us(p.CachedCPU), p.CachedAllocs)
	}
	if l := r.Reload; l != nil {
		fmt.Fprintf(b, "\nReload of %d rules: %.0f ms of CPU. Beside decisions on the same processors it takes %.0f ms, and 99.9 %% of these less than %.0f µs.\n",
			l.Rules, ms(l.CPU), ms(l.Time), us(l.Slow))
	}
}

// table writes a row for each variant and a column for each scenario. text
// gets a cell with those of plain Envoy and of the floor in its column.
func (r *report) table(b *strings.Builder, title string, columns []scenario, text func(c, plain, floor *cell) string) {
	fmt.Fprintf(b, "| %s |", title)
	for _, s := range columns {
		fmt.Fprintf(b, " %s |", s.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(columns)) + "\n")
	for _, name := range r.variants() {
		fmt.Fprintf(b, "| %s |", name)
		for _, s := range columns {
			if c := r.find(s.name, name); c != nil {
				b.WriteString(" " + text(c, r.find(s.name, plainName), r.find(s.name, floorName)))
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }
