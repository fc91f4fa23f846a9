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
	thinking  bool // enabled or adaptive
	maxTokens bool // max_tokens is present
	messages  bool // messages is present
	tool      string
	useTool   bool // the last message is the user's and says "use tool"
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
			kind := text(member(value, "type"))
			f.thinking = kind == "enabled" || kind == "adaptive"
		case "tools":
			f.tool = firstTool(value)
		case "messages":
			f.scanMessages(value)
		}
	})
	return f
}

func (f *facts) scanMessages(messages []byte) {
	f.messages = true
	f.input = tokens(len(messages))
	var role, content []byte
	elements(messages, func(message []byte) {
		role, content = nil, nil
		members(message, func(key, value []byte) {
			switch string(key) {
			case "role":
				role = value
			case "content":
				content = value
			}
		})
		elements(content, func(part []byte) {
			switch text(member(part, "type")) {
			case "image", "image_url":
				f.images++
			}
		})
	})
	f.useTool = text(role) == "user" && bytes.Contains(content, []byte("use tool"))
}

// firstTool is the name of the first tool, which the messages dialect keeps in
// the tool and chat completions one level deeper.
func firstTool(tools []byte) (name string) {
	elements(tools, func(tool []byte) {
		if name != "" {
			return
		}
		if name = text(member(tool, "name")); name == "" {
			name = text(member(member(tool, "function"), "name"))
		}
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
