package jsonx

import "testing"

func TestPieces(t *testing.T) {
	for text, want := range map[string]bool{
		``: false, `{`: false, `{}`: true, ` {"a":[1]} `: true, `{"a":"}"`: false, `{"a":"\"}"`: false, `{"a":"\\"}`: true, `[{}`: false, `"a}`: false,
	} {
		var whole, bytes Pieces
		whole.Add(text)
		for i := range text {
			bytes.Add(text[i : i+1])
		}
		if whole.Complete() != want || bytes.Complete() != want {
			t.Errorf("%s: got %v, %v", text, whole.Complete(), bytes.Complete())
		}
	}
}
