package dialect

import (
	"bytes"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Notes collects what a request loses on its way to another dialect, in the
// words of the client.
type Notes struct {
	Request  *llm.Request
	API      string // who receives it, as "the Messages API"
	Warnings []string
}

// Warn notes once that a field was left out or changed. The field has its name
// in Chat Completions; the client is told its own.
func (n *Notes) Warn(field, reason string) { n.warn(n.Name(field), reason) }

func (n *Notes) warn(member, reason string) {
	if w := member + ": " + reason; !slices.Contains(n.Warnings, w) {
		n.Warnings = append(n.Warnings, w)
	}
}

// Name is what the client calls a field that has this name in Chat Completions.
func (n *Notes) Name(field string) string { return Name(n.Request, field) }

// WarnLacking warns of the canonical fields that the receiver has no place for,
// where they ask for something.
func (n *Notes) WarnLacking(fields ...string) {
	r := n.Request
	asked := map[string]bool{
		"top_k": r.TopK != "", "seed": r.Seed != "", "logprobs": r.Logprobs || r.TopLogprobs > 0,
		"frequency_penalty": r.FrequencyPenalty.Value() != 0, "presence_penalty": r.PresencePenalty.Value() != 0,
	}
	for _, f := range fields {
		if asked[f] {
			n.Warn(f, "left out: "+n.API+" has no such control")
		}
	}
}

// Place names a part of the client's body, or else the field that holds it.
func (n *Notes) Place(raw []byte, field string) string {
	body := n.Request.Body.Raw
	for at := 0; len(raw) > 0; at++ {
		next := bytes.Index(body[at:], raw)
		if next < 0 {
			break
		}
		if at += next; &body[at] != &raw[0] {
			continue // it says the same elsewhere
		}
		if path := jsonx.PathAt(body, at); path != "" {
			return path
		}
		break
	}
	return n.Name(field)
}

var kindNames = map[llm.PartKind]string{
	llm.PartImage: "an image", llm.PartAudio: "sound", llm.PartFile: "a file", llm.PartToolCall: "a tool call",
	llm.PartToolResult: "a tool result", llm.PartReasoning: "reasoning", llm.PartRedacted: "reasoning",
}

// Refuse is the error that a part cannot be expressed where it stands, of which
// where says more.
func (n *Notes) Refuse(p *llm.Part, where string) error {
	what := kindNames[p.Kind]
	if what == "" {
		what = "content of type " + p.Type
	}
	return llm.Unsupported(n.Place(p.Raw, "messages"), "%s cannot express %s", n.API, strings.TrimSpace(what+" "+where))
}

// RefuseTool is the error that only the client's dialect knows a tool.
func (n *Notes) RefuseTool(t *llm.Tool) error {
	return llm.Unsupported(n.Place(t.Raw, "tools"), "%s has no tool of type %s", n.API, t.Type)
}

// names are what the dialects call a field that has another name in Chat
// Completions. Of several names the first counts whose member the body has.
var names = map[string]map[string][]string{
	llm.OpenAI: {
		"max_tokens":       {"max_completion_tokens", "max_tokens"},
		"user":             {"safety_identifier", "user"},
		"reasoning_effort": {"reasoning_effort", "reasoning.effort", "thinking.type"},
		"reasoning_budget": {"thinking.budget_tokens", "reasoning.max_tokens"},
		"messages.results": {"messages.content"},
	},
	llm.Responses: {
		"max_tokens":          {"max_output_tokens"},
		"messages":            {"input", "instructions"},
		"messages.reasoning":  {"input.reasoning"},
		"messages.tool_calls": {"input.arguments"},
		"messages.name":       {"input.name"},
		"messages.results":    {"input.output"},
		"file.filename":       {"input.content.filename"},

		"response_format.json_schema.description": {"text.format.description"},
		"user":                  {"safety_identifier", "user"},
		"response_format":       {"text.format"},
		"reasoning_effort":      {"reasoning.effort"},
		"reasoning_budget":      {"reasoning.effort"},
		"cache_control":         {"prompt_cache_breakpoint"},
		"logprobs":              {"include"},
		"image_url.detail":      {"input.detail"},
		"web_search_options":    {"tools"},
		"tools.function.name":   {"tools.name"},
		"tools.function.schema": {"tools.parameters"},
	},
	llm.Anthropic: {
		"stop":                  {"stop_sequences"},
		"response_format":       {"output_config.format"},
		"reasoning_effort":      {"thinking", "output_config.effort"},
		"reasoning_budget":      {"thinking.budget_tokens"},
		"user":                  {"metadata.user_id"},
		"parallel_tool_calls":   {"tool_choice.disable_parallel_tool_use"},
		"messages.reasoning":    {"messages.thinking"},
		"messages.tool_calls":   {"messages.tool_use.input"},
		"messages.results":      {"messages.tool_result"},
		"file.filename":         {"messages.content.title"},
		"tools.function.name":   {"tools.name"},
		"tools.function.schema": {"tools.input_schema"},
	},
	llm.Gemini: {
		"max_tokens":            {"generationConfig.maxOutputTokens"},
		"n":                     {"generationConfig.candidateCount"},
		"stop":                  {"generationConfig.stopSequences"},
		"temperature":           {"generationConfig.temperature"},
		"top_p":                 {"generationConfig.topP"},
		"top_k":                 {"generationConfig.topK"},
		"seed":                  {"generationConfig.seed"},
		"frequency_penalty":     {"generationConfig.frequencyPenalty"},
		"presence_penalty":      {"generationConfig.presencePenalty"},
		"logprobs":              {"generationConfig.responseLogprobs"},
		"top_logprobs":          {"generationConfig.logprobs"},
		"response_format":       {"generationConfig.responseSchema"},
		"reasoning_effort":      {"generationConfig.thinkingConfig"},
		"reasoning_budget":      {"generationConfig.thinkingConfig.thinkingBudget"},
		"service_tier":          {"serviceTier"},
		"tool_choice":           {"toolConfig.functionCallingConfig"},
		"messages":              {"contents"},
		"messages.reasoning":    {"contents.parts.thought"},
		"messages.tool_calls":   {"contents.parts.functionCall.args"},
		"messages.results":      {"contents.parts.functionResponse"},
		"tools.function.name":   {"tools.functionDeclarations.name"},
		"tools.function.schema": {"tools.functionDeclarations.parameters"},
	},
	llm.Bedrock: {
		"max_tokens":          {"inferenceConfig.maxTokens"},
		"stop":                {"inferenceConfig.stopSequences"},
		"temperature":         {"inferenceConfig.temperature"},
		"top_p":               {"inferenceConfig.topP"},
		"top_k":               {"additionalModelRequestFields.top_k"},
		"response_format":     {"outputConfig.textFormat"},
		"reasoning_effort":    {"additionalModelRequestFields", "outputConfig.effort"},
		"reasoning_budget":    {"additionalModelRequestFields.thinking.budget_tokens"},
		"service_tier":        {"serviceTier"},
		"user":                {"requestMetadata.user"},
		"tool_choice":         {"toolConfig.toolChoice"},
		"tools":               {"toolConfig.tools"},
		"tools.strict":        {"toolConfig.tools.toolSpec.strict"},
		"cache_control":       {"cachePoint"},
		"messages.reasoning":  {"messages.content.reasoningContent"},
		"messages.tool_calls": {"messages.content.toolUse.input"},
		"messages.results":    {"messages.content.toolResult"},
		"file.filename":       {"messages.content.document.name"},

		"response_format.json_schema.description": {"outputConfig.textFormat.structure.jsonSchema.description"},
		"tools.function.name":                     {"toolConfig.tools.toolSpec.name"},
		"tools.function.schema":                   {"toolConfig.tools.toolSpec.inputSchema"},
	},
}

// Name is what the client calls a field that has this name in Chat Completions.
func Name(r *llm.Request, field string) string {
	all := names[r.Dialect][field]
	if len(all) == 0 {
		return field
	}
	for _, name := range all {
		if top, _, _ := strings.Cut(name, "."); r.Body.Member(top) != nil {
			return name
		}
	}
	return all[0]
}
