package cohere

import "github.com/attache-gateway/attache/extproc/llm"

// event reads the data of one event of a stream. Kinds that are not known say
// nothing.
func (d *decoder) event(data []byte) error {
	switch {
	case data == nil: // a comment
		d.emit(llm.Event{Kind: llm.EventPing})
		return nil
	case len(data) == 0, d.ended, string(data) == "[DONE]":
		return nil
	}
	d.Reset(data)
	kind := string(d.Tag("type"))
	var err error
	switch kind {
	case "message-start":
		err = d.messageStart()
	case "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta", "citation-start":
		err = d.delta(kind)
	case "content-end":
		_, err = d.Skip()
		d.emit(llm.Event{Kind: llm.EventBlockEnd})
	case "tool-call-end":
		_, err = d.Skip()
		d.endCall()
	case "message-end":
		err = d.member("delta", d.ending)
		d.end()
	case "": // an error that came instead of an event
		err = d.failure()
	default:
		_, err = d.Skip()
	}
	if err != nil {
		return err
	}
	return d.End()
}

func (d *decoder) messageStart() error {
	var id string
	err := d.Object(func(name []byte) error {
		if string(name) == "id" {
			return d.str(&id)
		}
		_, err := d.Skip()
		return err
	})
	d.start(id)
	return err
}

// delta reads {"index":0,"delta":{"message":{…}}}. What is new stands under the
// name that it has in a whole message, without its list.
func (d *decoder) delta(kind string) error {
	d.start("")
	d.index = 0
	return d.Object(func(name []byte) error {
		switch string(name) {
		case "index":
			return d.natural(&d.index)
		case "delta":
			return d.member("message", func() error { return d.part(kind) })
		}
		_, err := d.Skip()
		return err
	})
}

func (d *decoder) part(kind string) error {
	return d.Object(func(name []byte) error {
		switch kind + " " + string(name) {
		case "content-start content", "content-delta content":
			return d.content()
		case "tool-plan-delta tool_plan":
			return d.said(llm.EventText, planText)
		case "tool-call-start tool_calls":
			return d.call()
		case "tool-call-delta tool_calls":
			return d.member("function", func() error { return d.member("arguments", d.arguments) })
		case "citation-start citations":
			s, err := d.citation()
			d.cite(s)
			return err
		}
		_, err := d.Skip()
		return err
	})
}
