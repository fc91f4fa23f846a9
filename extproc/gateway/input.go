package gateway

import "github.com/attache-gateway/attache/extproc/llm"

// facts gathers what the policy can know.
func (x *Exchange) facts(r *llm.Request, targets []*target) *Facts {
	path, _ := x.head.path()
	f := &Facts{
		Now: x.record.Start, Op: r.Op, Dialect: x.front.dialect, Path: path,
		Model: r.Model, Stream: r.Stream, MaxTokens: r.MaxTokens,
		Messages: len(r.Messages), Bytes: int64(len(r.Body.Raw)),
		Caller: x.caller, User: x.record.User, Session: x.record.Session, Properties: x.record.Properties,
	}
	if x.gw.policy.Reads("request.tokens") {
		r.InputEstimate = inputTokens(r, false)
		f.InputTokens = r.InputEstimate
	}
	for _, t := range r.Tools {
		f.Tools = append(f.Tools, t.Name)
	}
	f.media(r.System)
	for _, m := range r.Messages {
		f.media(m.Parts)
	}
	for _, t := range targets {
		f.Candidates = append(f.Candidates, t.candidate())
	}
	return f
}

func (f *Facts) media(parts []llm.Part) {
	for i := range parts {
		switch parts[i].Kind {
		case llm.PartImage:
			f.Images++
		case llm.PartAudio:
			f.Audios++
		case llm.PartFile:
			f.Files++
		case llm.PartToolResult:
			f.media(parts[i].Parts)
		}
	}
}
