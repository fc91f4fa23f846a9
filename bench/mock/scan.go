package mock

import (
	"bytes"
	"encoding/json"
)

// The scanner finds values in JSON text without decoding it: the cost of a
// large prompt is that of finding the ends of its strings. It does not
// validate; of invalid text it reports some facts or none.

// facts are what the rules need to know of a request.
type facts struct {
	model     string
	stream    bool
	usage     bool // stream_options.include_usage
	thinking  bool // a thought is to come first
	maxTokens bool // max_tokens is present
	messages  bool // messages, or what stands for them, is present
	tool      string
	useTool   bool // the last message is the user's and says "use tool"
	schema    bool // the answer is to be JSON by a schema
	images    int
	input     int // tokens, by tokens
}

// tokens estimates what n bytes of text cost.
func tokens(n int) int { return n/4 + 1 }

func scan(body []byte) facts {
	var f facts
	members(body, func(key, value []byte) {
		switch string(key) {
		case "model":
			f.model = text(value)
		case "stream":
			f.stream = string(value) == "true"
		case "stream_options":
			f.usage = string(member(value, "include_usage")) == "true"
		case "max_tokens":
			f.maxTokens = true
		case "thinking":
			f.scanThinking(value)
		case "additionalModelRequestFields": // Bedrock
			f.scanThinking(member(value, "thinking"))
			f.schema = f.schema || member(member(value, "output_config"), "format") != nil // as Claude has it
		case "reasoning": // responses
			f.thinking = text(member(value, "summary")) != ""
		case "generationConfig": // Gemini
			config := member(value, "thinkingConfig")
			f.thinking = string(member(config, "includeThoughts")) == "true" || string(member(config, "include_thoughts")) == "true"
			f.schema = member(value, "responseJsonSchema") != nil || member(value, "responseSchema") != nil
		case "response_format": // chat completions
			f.schema = text(member(value, "type")) == "json_schema"
		case "text": // responses
			f.schema = text(member(member(value, "format"), "type")) == "json_schema"
		case "output_config": // messages
			f.schema = member(value, "format") != nil
		case "outputConfig": // Bedrock
			f.schema = f.schema || member(value, "textFormat") != nil
		case "tools":
			f.tool = firstTool(value)
		case "toolConfig": // Bedrock; Gemini's has no tools
			if tools := member(value, "tools"); tools != nil {
				f.tool = firstTool(tools)
			}
		case "messages", "contents", "input":
			f.scanMessages(value)
		}
	})
	return f
}

func (f *facts) scanThinking(thinking []byte) {
	kind := text(member(thinking, "type"))
	f.thinking = kind == "enabled" || kind == "adaptive"
}

func (f *facts) scanMessages(messages []byte) {
	f.messages = true
	f.input = tokens(len(messages))
	role, content := []byte(`"user"`), messages // a text alone is the user's
	elements(messages, func(message []byte) {
		role, content = nil, nil
		members(message, func(key, value []byte) {
			switch string(key) {
			case "role":
				role = value
			case "content", "parts":
				content = value
			}
		})
		elements(content, func(part []byte) {
			if isImage(part) {
				f.images++
			}
		})
	})
	f.useTool = text(role) == "user" && bytes.Contains(content, []byte("use tool"))
}

// isImage reports whether a part of a message says that it is an image, or is
// a Bedrock or a Gemini part with one.
func isImage(part []byte) (image bool) {
	members(part, func(key, value []byte) {
		switch string(key) {
		case "type":
			kind := text(value)
			image = kind == "image" || kind == "image_url" || kind == "input_image"
		case "image", "inlineData", "fileData":
			image = true
		}
	})
	return image
}

// firstTool is the name of the first tool, which some dialects keep in the tool
// and others deeper.
func firstTool(tools []byte) (name string) {
	elements(tools, func(tool []byte) {
		members(tool, func(key, value []byte) {
			if name != "" {
				return
			}
			switch string(key) {
			case "name":
				name = text(value)
			case "function", "toolSpec":
				name = text(member(value, "name"))
			case "functionDeclarations":
				name = firstTool(value)
			}
		})
	})
	return name
}

// members calls f for each member of the object that b starts with, the key
// without quotes and as it is escaped. It does nothing if b is no object.
func members(b []byte, f func(key, value []byte)) {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return
	}
	for {
		i = space(b, i+1)
		if i >= len(b) || b[i] != '"' {
			return
		}
		end := value(b, i)
		if end < 0 {
			return
		}
		key := b[i+1 : end-1]
		i = space(b, end)
		if i >= len(b) || b[i] != ':' {
			return
		}
		i = space(b, i+1)
		if end = value(b, i); end < 0 {
			return
		}
		f(key, b[i:end])
		if i = space(b, end); i >= len(b) || b[i] != ',' {
			return
		}
	}
}

// elements calls f for each element of the array that b starts with. It does
// nothing if b is no array.
func elements(b []byte, f func(element []byte)) {
	i := space(b, 0)
	if i >= len(b) || b[i] != '[' {
		return
	}
	for {
		i = space(b, i+1)
		end := value(b, i)
		if end < 0 {
			return
		}
		f(b[i:end])
		if i = space(b, end); i >= len(b) || b[i] != ',' {
			return
		}
	}
}

// member is the value of one member of an object; the last one wins.
func member(object []byte, name string) (found []byte) {
	members(object, func(key, value []byte) {
		if string(key) == name {
			found = value
		}
	})
	return found
}

// text decodes a JSON string, "" if it is none.
func text(b []byte) string {
	if len(b) < 2 || b[0] != '"' {
		return ""
	}
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1])
	}
	var s string
	if json.Unmarshal(b, &s) != nil {
		return ""
	}
	return s
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// value is the index after the value that starts at i, -1 if it has no end.
func value(b []byte, i int) int {
	depth := 0
	for start := i; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := quoted(b[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return -1
			}
			continue
		default:
			if depth == 0 {
				return literal(b, start)
			}
			continue
		}
		if depth <= 0 {
			if depth < 0 {
				return -1
			}
			return i + 1
		}
	}
	return -1
}

// literal is the index after the number, true, false or null at i.
func literal(b []byte, i int) int {
	n := bytes.IndexAny(b[i:], ",]} \n\t\r")
	if n < 0 {
		return len(b)
	}
	return i + n
}

// quoted is the length of the string that b starts with, quotes included, -1
// if it does not end.
func quoted(b []byte) int {
	for i := 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		i++
		if slashes%2 == 0 {
			return i
		}
	}
}
