package render

import (
	"strings"
	"testing"
)

func TestPrintYAML(t *testing.T) {
	long := `"` + strings.Repeat("a", 100) + `"`
	for _, c := range []struct{ json, want string }{
		{`{"a":1,"b":true,"c":null}`, "a: 1\nb: true\nc: null\n"},
		{`{"d":"2.5s","e":"1.5","f":"","g":"no","h":"a: b","i":"a#b","j":"@type","k":"<&>","l":"é\n"}`,
			"d: 2.5s\ne: \"1.5\"\nf: \"\"\ng: \"no\"\nh: \"a: b\"\ni: \"a#b\"\nj: \"@type\"\nk: \"<&>\"\nl: \"é\\n\"\n"},
		{`{"@type":{"x":[],"z":{}}}`, "\"@type\":\n  x: []\n  z: {}\n"},
		{`{"a":{"short":{"p":"/","q":[1,2]}}}`, "a:\n  short: {p: /, q: [1, 2]}\n"},
		{`{"a":[{"b":` + long + `,"c":` + long + `},{"d":[` + long + `,` + long + `]}]}`,
			"a:\n- b: " + long[1:len(long)-1] + "\n  c: " + long[1:len(long)-1] + "\n" +
				"- d:\n  - " + long[1:len(long)-1] + "\n  - " + long[1:len(long)-1] + "\n"},
	} {
		got, err := printYAML([]byte(c.json))
		if err != nil || string(got) != c.want {
			t.Errorf("%s\ngot %v\n%s\nwant\n%s", c.json, err, got, c.want)
		}
	}
	if _, err := printYAML([]byte(`{"a":`)); err == nil {
		t.Error("half a document is printed")
	}
}
