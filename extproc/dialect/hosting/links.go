package hosting

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// refuseLinks refuses images and files that are not inside the request: the
// clouds let Claude read bytes alone.
//
// Sources: Anthropic's page on vision, platforms; the recording
// bedrock-invoke-with-response-stream-71311cfd68db.
func refuseLinks(r *llm.Request, service string) error {
	n := dialect.Notes{Request: r, API: service}
	for _, m := range r.Messages {
		if err := refuseLinked(&n, m.Parts); err != nil {
			return err
		}
	}
	return nil
}

func refuseLinked(n *dialect.Notes, parts []llm.Part) error {
	for i := range parts {
		p := &parts[i]
		if p.Media.Data == "" && (p.Media.URL != "" || p.Media.FileID != "") {
			return llm.Unsupported(n.Place(p.Raw, "messages"), "Claude on %s reads no links and no uploaded files; send the bytes", n.API)
		}
		if err := refuseLinked(n, p.Parts); err != nil {
			return err
		}
	}
	return nil
}
