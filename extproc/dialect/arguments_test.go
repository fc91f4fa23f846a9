package dialect

import "testing"

func TestArgumentsObject(t *testing.T) {
	for _, c := range []struct {
		args, want string
		ok         bool
	}{
		{"", "{}", true},
		{" \n", "{}", true},
		{`{"a": 1.0}`, `{"a": 1.0}`, true},
		{"{\n\"a\":\"x\\ny\"}", `{"a":"x\ny"}`, true},
		{`{"a":`, `{"arguments":"{\"a\":"}`, false},
		{`[1]`, `{"arguments":"[1]"}`, false},
		{`{} {}`, `{"arguments":"{} {}"}`, false},
	} {
		if got, ok := ArgumentsObject(c.args); string(got) != c.want || ok != c.ok {
			t.Errorf("%q: got %s, %v", c.args, got, ok)
		}
	}
}
