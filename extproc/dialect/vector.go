package dialect

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
)

// AppendVector appends an embedding's JSON as numbers or, packed, as OpenAI has
// it: a string, the base64 of as many 32-bit floats in little-endian order. What
// is in neither form stays as it is.
func AppendVector(dst []byte, text string, packed bool) []byte {
	if packed == PackedVector(text) {
		return append(dst, text...)
	}
	in := jsonx.NewReader([]byte(text))
	if !packed {
		return appendNumbers(dst, in, text)
	}
	if in.Kind() != jsonx.Array {
		return append(dst, text...)
	}
	var floats []byte
	err := in.Array(func(int) error {
		n, err := in.Float()
		floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(float32(n)))
		return err
	})
	if err != nil {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	return append(base64.StdEncoding.AppendEncode(dst, floats), '"')
}

// PackedVector reports whether an embedding's JSON is a string.
func PackedVector(text string) bool { return text != "" && text[0] == '"' }

func appendNumbers(dst []byte, in *jsonx.Reader, text string) []byte {
	packed, err := in.String()
	floats, broken := base64.StdEncoding.DecodeString(packed)
	if err != nil || broken != nil || len(floats)%4 != 0 {
		return append(dst, text...)
	}
	out := append(dst, '[')
	for i := 0; i < len(floats); i += 4 {
		n := float64(math.Float32frombits(binary.LittleEndian.Uint32(floats[i:])))
		if math.IsNaN(n) || math.IsInf(n, 0) { // no numbers in JSON
			return append(dst, text...)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, n, 'g', -1, 32)
	}
	return append(out, ']')
}
