package gateway

import "github.com/attache-gateway/attache/extproc/llm"

// facts gathers what the policy can know.
func (x *Exchange) facts(r *llm.Request, targets []*target) *Facts {
	f := &Facts{
		Now: x.record.Start.In(x.gw.zone), Op: r.Op, Dialect: x.front.dialect, Method: x.head.Method, Path: x.head.plainPath(),
		Model: r.Model, Stream: r.Stream, MaxTokens: r.MaxTokens,
		Messages: len(r.Messages), Bytes: int64(len(r.Body.Raw)),
		Caller: x.caller, User: x.record.User, Session: x.record.Session, Properties: x.record.Properties,
	}
	f.Format, f.Temperature, f.TopP = formatOf(r.Format), thousandths(r.Temperature), thousandths(r.TopP)
	f.Address = x.head.address()
	if x.checks != nil {
		f.Guards = x.checks.verdicts()
	}
	if x.reads("request.headers") {
		f.Headers = x.headersFor()
	}
	if x.reads("request.tokens") {
		f.InputTokens = inputTokens(r, false)
	}
	if x.policy.Reads("request.tokens") { // a shadow changes nothing
		r.InputEstimate = f.InputTokens
	}
	if x.reads("request.tools") {
		f.Tools = toolNames(r)
	}
	m := mediaOf(r)
	f.Images, f.Audios, f.Files = m.images, m.audios, m.files
	if x.reads("candidates") {
		f.Candidates = x.gw.candidates(targets)
	}
	return f
}

// media counts parts that are no text.
type media struct{ images, audios, files int }

func mediaOf(r *llm.Request) (m media) {
	m.add(r.System)
	for i := range r.Messages {
		m.add(r.Messages[i].Parts)
	}
	return m
}

func (m *media) add(parts []llm.Part) {
	for i := range parts {
		switch parts[i].Kind {
		case llm.PartImage:
			m.images++
		case llm.PartAudio:
			m.audios++
		case llm.PartFile:
			m.files++
		case llm.PartToolResult:
			m.add(parts[i].Parts)
		}
	}
}
