package wasm

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/gateway"
)

func TestVerdictRefused(t *testing.T) {
	segments := text("héllo", "world").Segments
	redact := func(spans string) string { return `{"action":"redact","spans":[` + spans + `]}` }
	tests := []struct{ name, verdict, want string }{
		{"not JSON", `allow`, "invalid character 'a'"},
		{"not an object", `"allow"`, "must be an object, not a string"},
		{"two values", `{"action":"allow"} {}`, "data after the value"},
		{"no action", `{}`, "action is missing"},
		{"unknown action", `{"action":"drop"}`, "action: must be allow, block or redact"},
		{"action in capitals", `{"action":"Allow"}`, "action: must be allow, block or redact"},
		{"action null", `{"action":null}`, "action: must be a string, not null"},
		{"action twice", `{"action":"block","action":"allow"}`, "action"},
		{"unknown member", `{"action":"allow","spam":[]}`, "spam: unknown member"},
		{"redact nothing", `{"action":"redact"}`, "redact without spans"},
		{"unknown segment", redact(`[2,0,1,"l"]`), "no segment 2"},
		{"negative segment", redact(`[-1,0,1,"l"]`), "is out of range"},
		{"outside its segment", redact(`[1,0,6,"l"]`), "ends outside its segment"},
		{"huge end", redact(`[1,0,4294967297,"l"]`), "is out of range"},
		{"fraction", redact(`[1,0,1.5,"l"]`), "must be a whole number"},
		{"empty", redact(`[1,2,2,"l"]`), "is empty or backwards"},
		{"backwards", redact(`[1,3,2,"l"]`), "is empty or backwards"},
		{"starts in a rune", redact(`[0,2,4,"l"]`), "cuts a character"},
		{"ends in a rune", redact(`[0,0,2,"l"]`), "cuts a character"},
		{"overlap", redact(`[1,0,3,"l"],[1,2,4,"l"]`), "is out of order or overlaps"},
		{"unsorted", redact(`[1,3,4,"l"],[1,0,1,"l"]`), "is out of order or overlaps"},
		{"segments unsorted", redact(`[1,0,1,"l"],[0,0,1,"l"]`), "is out of order or overlaps"},
		{"three entries", redact(`[1,0,1]`), "must have four or five entries"},
		{"six entries", redact(`[1,0,1,"l","r",0]`), "more than five entries"},
		{"label with a space", redact(`[1,0,1,"a b"]`), "is not a name"},
		{"no label", redact(`[1,0,1,""]`), "is not a name"},
		{"long label", redact(`[1,0,1,"` + strings.Repeat("l", maxName+1) + `"]`), "is not a name"},
		{"half a surrogate pair", redact(`[1,0,1,"l","\ud83d"]`), "not UTF-8"},
		{"long message", `{"action":"block","message":"` + strings.Repeat("m", maxMessage+1) + `"}`, "is longer than 1024 bytes"},
		{"code is no name", `{"action":"block","code":"<script>"}`, "is not a name"},
		{"too many labels", `{"action":"allow","labels":["l"` + strings.Repeat(`,"l"`, maxLabels) + `]}`, "more than 64 labels"},
		{"score is no number", `{"action":"allow","scores":{"s":"1"}}`, "must be a number, not a string"},
		{"infinite score", `{"action":"allow","scores":{"s":1e999}}`, "number is out of range"},
		{"negative hold", `{"action":"allow","hold":-1}`, "is out of range"},
	}
	var r verdictReader
	for _, test := range tests {
		v, err := r.read([]byte(test.verdict), segments)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if v.Action != "" || v.Findings != nil || v.Labels != nil {
			t.Errorf("%s: half applied: %+v", test.name, v)
		}
	}
}

func FuzzVerdict(f *testing.F) {
	f.Add(allow)
	f.Add(`{"action":"redact","code":"c","spans":[[0,1,3,"a","b"],[1,0,5,"b"]],"labels":["x"],"scores":{"y":1e3},"hold":4}`)
	f.Add(`{"action":"block","message":"\ud83d\ude00"}`)
	f.Add(`{"action":"redact","spans":[[0,2,3,"a"]]}`)
	segments := text("héllo", "world", "").Segments
	f.Fuzz(func(t *testing.T, b string) {
		var r verdictReader
		v, err := r.read([]byte(b), segments)
		if err != nil {
			return
		}
		at := gateway.Finding{}
		for _, s := range v.Findings {
			text := segments[s.Segment].Text
			if s.Segment < at.Segment || s.Segment == at.Segment && s.Start < at.End {
				t.Fatalf("finding %+v after %+v", s, at)
			}
			if !utf8.ValidString(text[:s.Start]) || !utf8.ValidString(text[s.Start:s.End]) || s.Start == s.End {
				t.Fatalf("finding %+v cuts a character", s)
			}
			at = s
		}
		for name, score := range v.Scores {
			if math.IsInf(score, 0) || math.IsNaN(score) || !isName([]byte(name)) {
				t.Fatalf("score %q %v", name, score)
			}
		}
		if !utf8.ValidString(v.Message) || v.Action == "" {
			t.Fatalf("%+v", v)
		}
	})
}
