package mock

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
)

const (
	defaultDimensions = 256
	maxDimensions     = 4096
)

// embeddings answers with one vector of unit length for each input. Texts that
// share words have similar vectors.
func embeddings(body []byte) reply {
	var req struct {
		Model          string          `json:"model"`
		Input          json.RawMessage `json:"input"`
		EncodingFormat string          `json:"encoding_format"`
		Dimensions     int             `json:"dimensions"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return errorReply(OpenAI, http.StatusBadRequest, err.Error(), 0)
	}
	if req.Dimensions == 0 {
		req.Dimensions = defaultDimensions
	}
	inputs, err := embeddingInputs(req.Input)
	if err != nil || req.Dimensions < 0 || req.Dimensions > maxDimensions {
		return errorReply(OpenAI, http.StatusBadRequest, "'input' or 'dimensions' is invalid.", 0)
	}
	var out bytes.Buffer
	used := 0
	out.WriteString(`{"object":"list","data":[`)
	for i, words := range inputs {
		if i > 0 {
			out.WriteByte(',')
		}
		used += len(words)
		fmt.Fprintf(&out, `{"object":"embedding","index":%d,"embedding":`, i)
		writeVector(&out, vector(words, req.Dimensions), req.EncodingFormat)
		out.WriteByte('}')
	}
	fmt.Fprintf(&out, `],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`, quote(req.Model), used, used)
	return unary(typeJSON, out.Bytes())
}

// embeddingInputs are the words of each input: a text, texts, a list of token
// ids or several such lists. A word or an id counts as one token.
func embeddingInputs(raw json.RawMessage) ([][]string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return [][]string{strings.Fields(text)}, nil
	}
	var ids []json.Number
	if bytes.IndexByte(raw, '"') < 0 && json.Unmarshal(raw, &ids) == nil {
		return [][]string{numbers(ids)}, nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil {
		inputs := make([][]string, len(texts))
		for i, text := range texts {
			inputs[i] = strings.Fields(text)
		}
		return inputs, nil
	}
	var lists [][]json.Number
	if err := json.Unmarshal(raw, &lists); err != nil {
		return nil, err
	}
	inputs := make([][]string, len(lists))
	for i, ids := range lists {
		inputs[i] = numbers(ids)
	}
	return inputs, nil
}

func numbers(ids []json.Number) []string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = id.String()
	}
	return words
}

// vector counts each word in the dimension that its hash picks.
func vector(words []string, dimensions int) []float32 {
	v := make([]float32, dimensions)
	v[0] = 0.01 // an empty input has a direction too
	for _, word := range words {
		h := fnv.New32a()
		h.Write([]byte(strings.ToLower(word)))
		v[h.Sum32()%uint32(dimensions)]++
	}
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// writeVector writes the numbers, or their little-endian bytes in base64.
func writeVector(out *bytes.Buffer, v []float32, format string) {
	if format == "base64" {
		raw := make([]byte, 0, 4*len(v))
		for _, x := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		out.WriteString(`"` + base64.StdEncoding.EncodeToString(raw) + `"`)
		return
	}
	sep := byte('[')
	for _, x := range v {
		out.WriteByte(sep)
		out.Write(strconv.AppendFloat(out.AvailableBuffer(), float64(x), 'g', -1, 32))
		sep = ','
	}
	out.WriteByte(']')
}
