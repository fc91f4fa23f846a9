package gemini

import (
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
)

// multiword are the members of several words that have a meaning here. Protocol
// buffers allow two spellings of them in JSON.
var multiword = []string{
	"systemInstruction", "generationConfig", "toolConfig", "safetySettings", "cachedContent", "serviceTier",
	"generateContentRequest", "taskType", "outputDimensionality",
	"inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
	"toolCall", "toolResponse", "thoughtSignature", "videoMetadata", "mediaResolution",
	"mimeType", "fileUri", "displayName",
	"functionDeclarations", "parametersJsonSchema", "responseJsonSchema", "responseSchema", "responseMimeType",
	"functionCallingConfig", "allowedFunctionNames",
	"topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "presencePenalty", "frequencyPenalty",
	"responseLogprobs", "thinkingConfig", "includeThoughts", "thinkingBudget", "thinkingLevel", "responseModalities",
	"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "anyOf", "propertyOrdering",
}

// spellings maps both spellings of the names to the first.
var spellings = func() map[string]string {
	m := map[string]string{}
	for _, name := range multiword {
		m[name], m[snake(name)] = name, name
	}
	return m
}()

// snake is the second spelling of a name, as system_instruction.
func snake(name string) string {
	var b strings.Builder
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// canonical is the first spelling of a name.
func canonical(name []byte) string {
	if first, ok := spellings[string(name)]; ok {
		return first
	}
	return string(name)
}

// object reads an object whose members may have either spelling, and refuses
// one that is there in both: who reads it next may take the other.
func (d *requestDecoder) object(fn func(name string) error) error {
	return d.Object(d.unique(fn))
}

func (d *requestDecoder) unique(fn func(name string) error) func([]byte) error {
	var seen []string
	return func(raw []byte) error {
		name, ok := spellings[string(raw)]
		if !ok {
			return fn(string(raw))
		}
		if slices.Contains(seen, name) {
			return d.Fail("is there twice, as %s and as %s", name, snake(name))
		}
		seen = append(seen, name)
		return fn(name)
	}
}

// shape is Shape in the first spelling.
func (d *requestDecoder) shape() string {
	names := strings.Split(d.Shape(), ".")
	for i, name := range names {
		bare := strings.TrimRight(name, "[]")
		names[i] = canonical([]byte(bare)) + name[len(bare):]
	}
	return strings.Join(names, ".")
}

// list reads a list. Where it has one element, protocol buffers let that stand
// alone.
func (d *requestDecoder) list(fn func(i int) error) error {
	if d.Kind() == jsonx.Object {
		return fn(0)
	}
	return d.Array(fn)
}
