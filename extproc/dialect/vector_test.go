package dialect_test

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
)

func TestAppendVector(t *testing.T) {
	for _, tt := range []struct {
		text   string
		packed bool
		want   string
	}{
		{`[1, -2.5]`, true, `"AACAPwAAIMA="`},
		{`"AACAPwAAIMA="`, false, `[1,-2.5]`},
		{`[1, -2.5]`, false, `[1, -2.5]`},
		{`"AACAPwAAIMA="`, true, `"AACAPwAAIMA="`},
		{`[]`, true, `""`},
		{`""`, false, `[]`},
		{`"zczMPQ=="`, false, `[0.1]`},
		{`[0.1]`, true, `"zczMPQ=="`},
		{`["x"]`, true, `["x"]`},
		{`null`, true, `null`},
		{``, false, ``},
		{`"AACA"`, false, `"AACA"`},
		{`"AADAfw=="`, false, `"AADAfw=="`},
		{`"?"`, false, `"?"`},
	} {
		if got := string(dialect.AppendVector([]byte("x"), tt.text, tt.packed)); got != "x"+tt.want {
			t.Errorf("%s, %v: got %s", tt.text, tt.packed, got)
		}
	}
}
