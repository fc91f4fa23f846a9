package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A pattern is a guard that looks for a regular expression.
type pattern struct {
	*regexp.Regexp
	name   string
	action Action
	asks   *int
}

func (p pattern) Name() string { return p.name }

func (p pattern) Check(_ context.Context, t *Text) (Verdict, error) {
	if p.asks != nil {
		*p.asks++
	}
	v := Verdict{Action: ActionAllow}
	for i, s := range t.Segments {
		for _, at := range p.FindAllStringIndex(s.Text, -1) {
			v.Action, v.Code = p.action, "found"
			v.Findings = append(v.Findings, Finding{Segment: i, Start: at[0], End: at[1], Label: p.name})
		}
	}
	return v, nil
}

func finds(name, expression string) pattern {
	return pattern{Regexp: regexp.MustCompile(expression), name: name, action: ActionRedact}
}

// Secrets of up to 40 bytes, which are not told from their beginnings.
var secret = finds("secret", `sk-[a-z0-9]{4,20}|[0-9]{4}( [0-9]{4}){3}|é😀+!`)

// through sends events in frames of one event each through guards and returns
// what came out.
func through(t testing.TB, guards []OutputGuard, stream bool, events []llm.Event) (out []llm.Event, g *guarding, err error) {
	t.Helper()
	x := &Exchange{gw: &Gateway{maxResponse: 1 << 20, now: func() time.Time { return start }}}
	all := make([]*OutputGuard, len(guards))
	for i := range guards {
		all[i] = &guards[i]
	}
	g = x.newGuarding(all, "m", stream, func(p *passage) error {
		out = append(out, p.events...)
		return nil
	})
	for _, e := range events {
		if err := g.take(dialect.Frame{Raw: []byte("x"), Events: []llm.Event{e}}); err != nil {
			return out, g, err
		}
	}
	return out, g, g.flush()
}

// said joins what events of a kind say.
func said(events []llm.Event, kind llm.Kind, choice, tool int) string {
	var b strings.Builder
	for _, e := range events {
		if e.Kind == kind && e.Choice == choice && e.Tool == tool {
			b.WriteString(e.Text)
		}
	}
	return b.String()
}

// cut takes a text apart, anywhere but inside a character: not even providers do
// that.
func cut(r *rand.Rand, text string, most int) (parts []string) {
	runes := []rune(text)
	for len(runes) > 0 {
		n := min(1+r.IntN(most), len(runes))
		parts = append(parts, string(runes[:n]))
		runes = runes[n:]
	}
	return parts
}

var filler = strings.Fields("the quarterly report shows 12 risks 4111 sk- sk-ab é 😀 é😀 and 4111 1111 then 2026 x")

// someOutput is text with secrets among what looks like their beginnings.
func someOutput(r *rand.Rand, words int) string {
	var b strings.Builder
	for range words {
		switch r.IntN(12) {
		case 0:
			fmt.Fprintf(&b, "sk-%0*d", 4+r.IntN(16), r.IntN(10000))
		case 1:
			b.WriteString("4111 1111 1111 " + []string{"1111", "111", "11112"}[r.IntN(3)])
		case 2:
			b.WriteString("é😀😀!")
		default:
			b.WriteString(filler[r.IntN(len(filler))])
		}
		b.WriteString([]string{" ", " ", ", ", ""}[r.IntN(4)])
	}
	return b.String()
}

func redactedWhole(text string, guards ...pattern) string {
	for _, g := range guards {
		text = g.ReplaceAllString(text, "["+strings.ToUpper(g.name)+"]")
	}
	return text
}

// TestWindow: however a stream is cut, the client reads what a redaction of the
// whole text gives, and at no time anything of a match.
func TestWindow(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := someOutput(r, 1+r.IntN(200))
		want := redactedWhole(text, secret)
		parts := cut(r, text, 1+r.IntN(40))
		var events []llm.Event
		for _, p := range parts {
			events = append(events, llm.Event{Kind: llm.EventText, Text: p})
		}
		for _, g := range []OutputGuard{{Guard: secret, Hold: 40}, {Guard: secret}, {Guard: secret, Full: true}} {
			out, g, err := through(t, []OutputGuard{g}, true, append(events, llm.Event{Kind: llm.EventEnd}))
			if got := said(out, llm.EventText, 0, 0); got != want || err != nil {
				t.Fatalf("seed %d, hold %d: %v\n got %q\nwant %q\nof %q", seed, g.windows[0].guard.Hold, err, got, want, parts)
			}
			if g.altered != (want != text) {
				t.Fatalf("seed %d: altered is %t", seed, g.altered)
			}
		}
	}
}

// TestWindowHalves: halves of a surrogate pair in different events are a
// character to guards.
func TestWindowHalves(t *testing.T) {
	halves := []llm.Event{{Text: "a é\xed\xa0\xbd"}, {Text: "\xed\xb8\x80"}, {Text: "\xed\xa0\xbd"}, {Text: "\xed\xb8\x80! b \xed\xa0\xbd"}}
	for i := range halves {
		halves[i].Kind = llm.EventText
	}
	out, _, err := through(t, []OutputGuard{{Guard: secret, Hold: 1}}, true, halves)
	if got := said(out, llm.EventText, 0, 0); got != "a [SECRET] b \xed\xa0\xbd" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestWindowNeverShowsAMatch: what is out after each event is a beginning of the
// redacted text.
func TestWindowNeverShowsAMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		text := someOutput(r, 60)
		want := redactedWhole(text, secret)
		x := &Exchange{gw: &Gateway{now: func() time.Time { return start }}}
		got := ""
		g := x.newGuarding([]*OutputGuard{{Guard: secret, Hold: 40}}, "m", true, func(p *passage) error {
			got += said(p.events, llm.EventText, 0, 0)
			return nil
		})
		for _, part := range cut(r, text, 9) {
			if err := g.take(dialect.Frame{Events: []llm.Event{{Kind: llm.EventText, Text: part}}}); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(want, got) {
				t.Fatalf("out is %q\nof %q", got, want)
			}
		}
		if len(got) < len(want)/2 {
			t.Errorf("of %d bytes only %d went out before the end", len(want), len(got))
		}
	}
}

// TestWindowLongMatch: of a match that is longer than what is held back, the end is
// redacted with what is still there.
func TestWindowLongMatch(t *testing.T) {
	mail := finds("mail", `[a-z]+@[a-z]+`)
	local := strings.Repeat("a", 200)
	r := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		var events []llm.Event
		for _, p := range cut(r, "To "+local+"@example and on", 9) {
			events = append(events, llm.Event{Kind: llm.EventText, Text: p})
		}
		out, _, err := through(t, []OutputGuard{{Guard: mail, Hold: 16}}, true, events)
		got, ok := strings.CutSuffix(said(out, llm.EventText, 0, 0), "[MAIL] and on")
		if shown, prefix := strings.CutPrefix(got, "To "); !ok || !prefix || !strings.HasPrefix(local, shown) || len(shown) > len(local)-8 || err != nil {
			t.Fatalf("got %q, %v", said(out, llm.EventText, 0, 0), err)
		}
	}
}

// TestWindowsInOrder: a later guard sees what an earlier one left.
func TestWindowsInOrder(t *testing.T) {
	second := finds("second", `\[SECRET\]|report`)
	r := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		text := someOutput(r, 80)
		var events []llm.Event
		for _, p := range cut(r, text, 12) {
			events = append(events, llm.Event{Kind: llm.EventText, Text: p})
		}
		want := redactedWhole(text, secret, second)
		out, _, err := through(t, []OutputGuard{{Guard: secret, Hold: 40}, {Guard: second, Hold: 16}}, true, events)
		if got := said(out, llm.EventText, 0, 0); got != want || err != nil {
			t.Fatalf("%v\n got %q\nwant %q", err, got, want)
		}
	}
}

// TestWindowChannels: choices, reasoning and each tool call are texts of their
// own, and their events stay in order.
func TestWindowChannels(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	arguments := func() string {
		quoted, err := json.Marshal(map[string]string{"q": someOutput(r, 30), "é": "4111"})
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	for range 100 {
		reasoning, text, other, first, second := someOutput(r, 20), someOutput(r, 30), someOutput(r, 30), arguments(), arguments()
		events := []llm.Event{{Kind: llm.EventStart}}
		add := func(kind llm.Kind, choice, tool int, text string) {
			for _, p := range cut(r, text, 9) {
				events = append(events, llm.Event{Kind: kind, Choice: choice, Tool: tool, Text: p})
			}
		}
		add(llm.EventReasoning, 0, 0, reasoning)
		begin := len(events)
		add(llm.EventText, 0, 0, text)
		add(llm.EventText, 1, 0, other)
		shuffle(r, events[begin:])
		events = append(events, llm.Event{Kind: llm.EventToolStart, Tool: 0}, llm.Event{Kind: llm.EventToolStart, Tool: 1})
		begin = len(events)
		add(llm.EventToolArgs, 0, 0, first)
		add(llm.EventToolArgs, 0, 1, second)
		shuffle(r, events[begin:])
		events = append(events, llm.Event{Kind: llm.EventFinish}, llm.Event{Kind: llm.EventFinish, Choice: 1}, llm.Event{Kind: llm.EventUsage}, llm.Event{Kind: llm.EventEnd})
		for _, stream := range []bool{true, false} {
			out, _, err := through(t, []OutputGuard{{Guard: secret, Hold: 40}}, stream, slices.Clone(events))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				kind         llm.Kind
				choice, tool int
				text         string
			}{
				{llm.EventReasoning, 0, 0, reasoning}, {llm.EventText, 0, 0, text}, {llm.EventText, 1, 0, other},
				{llm.EventToolArgs, 0, 0, first}, {llm.EventToolArgs, 0, 1, second},
			} {
				got := said(out, c.kind, c.choice, c.tool)
				if want := redactedWhole(c.text, secret); got != want {
					t.Fatalf("stream %t, kind %d: got %q\nwant %q", stream, c.kind, got, want)
				}
				if c.kind == llm.EventToolArgs && !json.Valid([]byte(got)) {
					t.Fatalf("no JSON: %s", got)
				}
			}
			if out[0].Kind != llm.EventStart || out[len(out)-1].Kind != llm.EventEnd || !slices.IsSortedFunc(out, func(a, b llm.Event) int { return rank(a.Kind) - rank(b.Kind) }) {
				t.Fatalf("the order is %v", kinds(out))
			}
		}
	}
}

func rank(k llm.Kind) int {
	return map[llm.Kind]int{llm.EventStart: 0, llm.EventReasoning: 1, llm.EventText: 2, llm.EventToolStart: 3, llm.EventToolArgs: 4, llm.EventFinish: 5, llm.EventUsage: 6, llm.EventEnd: 7}[k]
}

func kinds(events []llm.Event) (ks []llm.Kind) {
	for _, e := range events {
		ks = append(ks, e.Kind)
	}
	return ks
}

// shuffle mixes events, those of one text in their order.
func shuffle(r *rand.Rand, events []llm.Event) {
	apart := map[channel][]llm.Event{}
	var order []channel
	for _, e := range events {
		at := channel{e.Choice, e.Kind, e.Tool}
		apart[at] = append(apart[at], e)
		order = append(order, at)
	}
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for i, at := range order {
		events[i], apart[at] = apart[at][0], apart[at][1:]
	}
}

// TestWindowArguments: a redaction that would break the JSON of a tool call ends
// the response.
func TestWindowArguments(t *testing.T) {
	digits := finds("digits", `[0-9]{6,}`)
	quote := finds("quote", `secret`)
	for _, tt := range []struct {
		name, arguments, want string
		guard                 pattern
	}{
		{"in a string", `{"a":"1234567","b":[1]}`, `{"a":"[DIGITS]","b":[1]}`, digits},
		{"in a name", `{"1234567":1}`, `{"[DIGITS]":1}`, digits},
		{"a number", `{"a":1234567}`, "", digits},
		{"behind an escaped quote", `{"a":"\"1234567\\"}`, `{"a":"\"[DIGITS]\\"}`, digits},
		{"of an escape", `{"a":"\u00e9secret"}`, `{"a":"\u00e9[QUOTE]"}`, quote},
		{"inside an escape", `{"a":"\u001234567"}`, "", digits},
		{"from string to string", `{"a":"sec","b":"ret"}`, "", finds("x", `sec","b":"ret`)},
		{"with a quote", `{"a":"secret"}`, `{"a":"\"x\\"}`, finds("q", `secret`)},
	} {
		var events []llm.Event
		for _, c := range tt.arguments {
			events = append(events, llm.Event{Kind: llm.EventToolArgs, Text: string(c)})
		}
		g := OutputGuard{Guard: tt.guard, Hold: 16}
		if tt.name == "with a quote" {
			g.Guard = replacing{tt.guard}
		}
		for _, stream := range []bool{true, false} {
			out, guards, err := through(t, []OutputGuard{g}, stream, events)
			got := said(out, llm.EventToolArgs, 0, 0)
			if tt.want == "" {
				var e *llm.Error
				if !errors.As(err, &e) || e.Code != llm.CodeGuardError || strings.Contains(err.Error(), "1234567") || !guards.altered {
					t.Errorf("%s: got %q, %v", tt.name, got, err)
				}
			} else if got != tt.want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
			}
		}
	}
}

// replacing gives findings a replacement that JSON has to escape.
type replacing struct{ pattern }

func (r replacing) Check(ctx context.Context, t *Text) (Verdict, error) {
	v, err := r.pattern.Check(ctx, t)
	for i := range v.Findings {
		v.Findings[i].Replacement = `"x\`
	}
	return v, err
}

// TestWindowBlocks: a verdict to block ends the response once the match is
// certain, and not a byte of it is out.
func TestWindowBlocks(t *testing.T) {
	block := secret
	block.action = ActionBlock
	for _, tt := range []struct {
		text, before string
		blocks       bool
	}{
		{"all is well, and goes on being well " + strings.Repeat("x", 100), "", false},
		{"the key is sk-12345678, and more " + strings.Repeat("x", 100), "the key is ", true},
		{"the key is sk-12345678", "the key is ", true},
		{"4111 1111 1111 111 is no card " + strings.Repeat("x", 100), "", false},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			var events []llm.Event
			for _, p := range cut(r, tt.text, 5) {
				events = append(events, llm.Event{Kind: llm.EventText, Text: p})
			}
			out, g, err := through(t, []OutputGuard{{Guard: block, Hold: 40}}, true, append(events, llm.Event{Kind: llm.EventEnd}))
			got := said(out, llm.EventText, 0, 0)
			var e *llm.Error
			switch {
			case !tt.blocks && (got != tt.text || err != nil):
				t.Fatalf("%q: got %q, %v", tt.text, got, err)
			case tt.blocks && (!strings.HasPrefix(tt.before, got) || !errors.As(err, &e) || e.Code != llm.CodeGuardBlocked || e.Status != 403 || !g.altered):
				t.Fatalf("%q: got %q, %v", tt.text, got, err)
			case tt.blocks && g.windows[0].said.Action != ActionBlock, !tt.blocks && g.windows[0].said.Action != ActionAllow:
				t.Fatalf("%q: the guard said %+v", tt.text, g.windows[0].said)
			}
		}
	}
}

// TestWindowAsides: what names places, tokens or signatures of text that was
// redacted does not go out, and texts beside the model's own are looked at.
func TestWindowAsides(t *testing.T) {
	events := []llm.Event{
		{Kind: llm.EventReasoning, Text: "sk-12345 "},
		{Kind: llm.EventSignature, Text: "of the redacted"},
		{Kind: llm.EventBlockEnd},
		{Kind: llm.EventReasoning, Text: "clean"},
		{Kind: llm.EventSignature, Text: "of the clean"},
		{Kind: llm.EventBlockEnd},
		{Kind: llm.EventText, Text: "clean"},
		{Kind: llm.EventLogprobs, Logprobs: &llm.Logprobs{Tokens: []llm.Logprob{{Token: "clean"}}}},
		{Kind: llm.EventCitation, Citation: &llm.Citation{Quote: "it says sk-abcdef", Title: "t"}, Raw: &llm.Raw{Dialect: "d", JSON: []byte(`{"q":"it says sk-abcdef"}`)}},
		{Kind: llm.EventText, Text: " sk-12345 "},
		{Kind: llm.EventLogprobs, Logprobs: &llm.Logprobs{Tokens: []llm.Logprob{{Token: "sk-12345"}}}},
		{Kind: llm.EventCitation, Citation: &llm.Citation{Start: 7}},
		{Kind: llm.EventBlockEnd},
		{Kind: llm.EventOther, Text: "result", Raw: &llm.Raw{Dialect: "d", JSON: []byte(`{"r":["sk-98765"]}`)}},
		{Kind: llm.EventFinish, Text: "because of sk-55555"},
		{Kind: llm.EventEnd},
	}
	for _, stream := range []bool{true, false} {
		out, g, err := through(t, []OutputGuard{{Guard: secret}}, stream, slices.Clone(events))
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, e := range out {
			all += e.Text + ";"
			if e.Citation != nil {
				all += "quote " + e.Citation.Quote + ";"
			}
			if e.Logprobs != nil {
				all += "token " + e.Logprobs.Tokens[0].Token + ";"
			}
			if e.Raw != nil {
				all += string(e.Raw.JSON) + ";"
			}
		}
		want := "[SECRET] ;;clean;of the clean;;clean;;token clean;;quote it says [SECRET]; [SECRET] ;;result;{\"r\":[\"[SECRET]\"]};because of [SECRET];;"
		if all != want {
			t.Errorf("stream %t:\n got %s\nwant %s", stream, all, want)
		}
		if lost := strings.Join(g.windows[0].lost, ", "); lost != "the signature of reasoning, logprobs, citations" {
			t.Errorf("lost %s", lost)
		}
		if v := g.windows[0].said; v.Action != ActionRedact || len(v.Findings) != 5 {
			t.Errorf("the guard said %+v", v)
		}
	}
}

// TestWindowBounds: what waits is bounded.
func TestWindowBounds(t *testing.T) {
	x := &Exchange{gw: &Gateway{maxResponse: 1000, now: func() time.Time { return start }}}
	g := x.newGuarding([]*OutputGuard{{Guard: secret, Full: true}}, "m", true, func(*passage) error { return nil })
	f := dialect.Frame{Raw: bytes.Repeat([]byte("x"), 100), Events: []llm.Event{{Kind: llm.EventText, Text: "x"}}}
	for i := range 11 {
		if err := g.take(f); (err != nil) != (i == 10) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

// TestWindowHold: a guard that knows that nothing is pending can say so.
func TestWindowHold(t *testing.T) {
	eager := eagerGuard{}
	out, _, _ := through(t, []OutputGuard{{Guard: eager}}, true, []llm.Event{{Kind: llm.EventText, Text: strings.Repeat("x", 70)}, {Kind: llm.EventText, Text: strings.Repeat("y", 60)}})
	if len(out) != 2 {
		t.Fatalf("out is %v", out)
	}
	x := &Exchange{gw: &Gateway{now: func() time.Time { return start }}}
	n := 0
	g := x.newGuarding([]*OutputGuard{{Guard: eager}}, "m", true, func(*passage) error { n++; return nil })
	for _, text := range []string{"x", strings.Repeat("y", 70)} {
		if err := g.take(dialect.Frame{Events: []llm.Event{{Kind: llm.EventText, Text: text}}}); err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Errorf("%d frames are out, want 2", n)
	}
}

type eagerGuard struct{}

func (eagerGuard) Name() string { return "eager" }
func (eagerGuard) Check(context.Context, *Text) (Verdict, error) {
	return Verdict{Action: ActionAllow, Holds: true}, nil
}

// TestWindowPings: who waits for a response that is held is told that it is
// coming.
func TestWindowPings(t *testing.T) {
	x := &Exchange{gw: &Gateway{now: func() time.Time { return start }}}
	var out []llm.Kind
	g := x.newGuarding([]*OutputGuard{{Guard: secret, Full: true}}, "m", true, func(p *passage) error { out = append(out, kinds(p.events)...); return nil })
	g.windows[0].pings = true
	for _, e := range []llm.Event{{Kind: llm.EventStart}, {Kind: llm.EventText, Text: "x"}, {Kind: llm.EventPing}, {Kind: llm.EventEnd}} {
		if err := g.take(dialect.Frame{Events: []llm.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []llm.Kind{llm.EventStart, llm.EventPing, llm.EventText, llm.EventEnd}; !slices.Equal(out, want) {
		t.Errorf("the order is %v, want %v", out, want)
	}
}

// TestWindowFails: a guard that fails ends the response, unless its failure is
// allowed; the record knows.
func TestWindowFails(t *testing.T) {
	fails := failingGuard{}
	events := []llm.Event{{Kind: llm.EventText, Text: strings.Repeat("x", 200)}, {Kind: llm.EventText, Text: "y"}, {Kind: llm.EventEnd}}
	for _, stream := range []bool{true, false} {
		out, g, err := through(t, []OutputGuard{{Guard: fails}}, stream, events)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeGuardError || said(out, llm.EventText, 0, 0) != "" || g.windows[0].said.Action != ActionFailed {
			t.Errorf("got %v, %v", out, err)
		}
		out, g, err = through(t, []OutputGuard{{Guard: fails, AllowOnError: true}}, stream, events)
		if err != nil || len(out) != 3 || g.windows[0].said.Action != ActionFailed || g.altered {
			t.Errorf("got %v, %v, %+v", out, err, g.windows[0].said)
		}
	}
}

// TestWindowMisplaced: a finding that is nowhere in the text ends the response.
func TestWindowMisplaced(t *testing.T) {
	for _, f := range []Finding{{Segment: 1, End: 3}, {Segment: -1, End: 3}, {Start: 2, End: 1}, {Start: -1, End: 3}, {End: 99}} {
		g := guardFunc(func(*Text) (Verdict, error) { return Verdict{Action: ActionRedact, Findings: []Finding{f}}, nil })
		for _, stream := range []bool{false, true} {
			out, _, err := through(t, []OutputGuard{{Guard: g}}, stream, []llm.Event{{Kind: llm.EventText, Text: "some text"}, {Kind: llm.EventEnd}})
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != llm.CodeGuardError || len(out) > 0 {
				t.Errorf("%+v, stream %t: %v, %v", f, stream, out, err)
			}
		}
	}
}

type failingGuard struct{}

func (failingGuard) Name() string { return "fails" }
func (failingGuard) Check(context.Context, *Text) (Verdict, error) {
	return Verdict{}, errors.New("trap")
}

// TestVerdictsAreBounded: a guard that never ends talking fills no memory.
func TestVerdictsAreBounded(t *testing.T) {
	w := &window{}
	for i := range 400 {
		w.hear(&Verdict{Labels: []string{fmt.Sprint(i)}, Scores: map[string]float64{fmt.Sprint(i): 0.1, "same": float64(i)}}, ActionRedact, 100)
	}
	if len(w.said.Labels) != maxSaid || len(w.said.Scores) != maxSaid || len(w.said.Findings) != maxFindings || w.said.Scores["same"] != 399 {
		t.Errorf("%d labels, %d scores, %d findings, %v", len(w.said.Labels), len(w.said.Scores), len(w.said.Findings), w.said.Scores["same"])
	}
}

// FuzzWindow cuts a text as the fuzzer says.
func FuzzWindow(f *testing.F) {
	f.Add("the key is sk-12345678, the card 4111 1111 1111 1111", []byte{1, 2, 3}, true)
	f.Add(`{"a":"sk-12345678 \u00e9\"","b":"4111 1111 1111 1111"}`, []byte{9}, false)
	f.Fuzz(func(t *testing.T, text string, cuts []byte, words bool) {
		if len(cuts) == 0 || len(text) > 4096 {
			return
		}
		text = strings.ToValidUTF8(text, "?")
		kind, want := llm.EventText, redactedWhole(text, secret)
		if !words {
			if kind = llm.EventToolArgs; !json.Valid([]byte(text)) || !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}") {
				return
			}
		}
		var events []llm.Event
		runes := []rune(text)
		for i := 0; len(runes) > 0; i++ {
			n := min(1+int(cuts[i%len(cuts)]), len(runes))
			events = append(events, llm.Event{Kind: kind, Text: string(runes[:n])})
			runes = runes[n:]
		}
		out, _, err := through(t, []OutputGuard{{Guard: secret, Hold: 60}}, true, events)
		got := said(out, kind, 0, 0)
		if err != nil && kind == llm.EventToolArgs {
			return
		}
		if strings.Count(text, "😀") > 10 { // a match that is longer than what is held back
			return
		}
		if err != nil || got != want {
			t.Fatalf("%v\n got %q\nwant %q\nof %v", err, got, want, events)
		}
		if !words && !json.Valid([]byte(got)) {
			t.Fatalf("no JSON: %s", got)
		}
	})
}

// BenchmarkWindow is a stream of 4 KB in events of 4 bytes, with a guard that
// costs nothing.
func BenchmarkWindow(b *testing.B) {
	text := strings.Repeat("the quarterly report shows risks ", 125)
	var events []llm.Event
	for i := 0; i+4 <= len(text); i += 4 {
		events = append(events, llm.Event{Kind: llm.EventText, Text: text[i : i+4]})
	}
	raw := bytes.Repeat([]byte("x"), 160)
	asks := 0
	guard := &OutputGuard{Guard: tally{&asks}}
	b.ReportAllocs()
	for b.Loop() {
		x := &Exchange{gw: &Gateway{now: func() time.Time { return start }}}
		g := x.newGuarding([]*OutputGuard{guard}, "m", true, func(*passage) error { return nil })
		for i := range events {
			if err := g.take(dialect.Frame{Raw: raw, Events: events[i : i+1]}); err != nil {
				b.Fatal(err)
			}
		}
		if err := g.flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
	b.ReportMetric(float64(asks)/float64(b.N), "checks/op")
}

type tally struct{ n *int }

func (tally) Name() string { return "tally" }
func (c tally) Check(context.Context, *Text) (Verdict, error) {
	*c.n++
	return Verdict{Action: ActionAllow}, nil
}
