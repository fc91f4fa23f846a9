package tokens

import "strings"

// cl100kFamilies are the models that use cl100k_base, each with the names that add to its own behind - or :, such as
// gpt-4-turbo and, of Azure's deployments, gpt-35-turbo-16k.
var cl100kFamilies = []string{
	"gpt-4", "gpt-3.5", "gpt-3.5-turbo", "gpt-35-turbo",
	"text-embedding-3", "text-embedding-ada-002",
	"davinci-002", "babbage-002",
}

// ForModel returns the encoding that a model's tokens are counted with: CL100K for the models of OpenAI known to use
// it, fine-tuned ones included, and O200K for all others. For models of other makers, and names it does not know, that
// is an estimate. Names are compared without regard to case.
func ForModel(model string) *Encoding {
	if usesCL100K(model) {
		return CL100K()
	}
	return O200K()
}

// Exact reports whether a model is one of OpenAI's, whose text ForModel's encoding counts to the token.
func Exact(model string) bool {
	model = strings.TrimPrefix(strings.ToLower(model), "ft:")
	for _, prefix := range [...]string{"gpt-3.5", "gpt-4", "gpt-5", "chatgpt-", "o1", "o3", "o4"} {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return usesCL100K(model)
}

func usesCL100K(model string) bool {
	model = strings.TrimPrefix(strings.ToLower(model), "ft:")
	for _, family := range cl100kFamilies {
		if rest, ok := strings.CutPrefix(model, family); ok && (rest == "" || rest[0] == '-' || rest[0] == ':') {
			return true
		}
	}
	return false
}

// Overhead is what a chat request counts besides its texts, in tokens.
type Overhead struct {
	Message int64 // for each message, its role included
	Name    int64 // for each message with a name, besides the name
	Reply   int64 // once, to start the reply
}

// Input returns the overhead of a request of so many messages, of which some have names.
func (o Overhead) Input(messages, names int64) int64 {
	return o.Message*messages + o.Name*names + o.Reply
}

// chatOverhead holds for OpenAI's chat models since gpt-3.5-turbo-0613, by the OpenAI cookbook, "How to count tokens
// with tiktoken". Tools and images count on top.
var chatOverhead = Overhead{Message: 3, Name: 1, Reply: 3}

// overheads are the models known to differ from chatOverhead, by their name in lower case.
var overheads = map[string]Overhead{
	"gpt-3.5-turbo-0301": {Message: 4, Name: -1, Reply: 3}, // a name takes the place of the role
}

// OverheadFor returns the overhead of a model's chat requests: that of OpenAI's models unless another is known.
func OverheadFor(model string) Overhead {
	if o, ok := overheads[strings.ToLower(model)]; ok {
		return o
	}
	return chatOverhead
}
