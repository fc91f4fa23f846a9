// Package hosting knows the forms that the clouds give to other vendors' wire
// formats: the paths of Azure, Vertex AI and Amazon Bedrock, what they want in
// a body that the vendor has elsewhere, and the envelopes around responses.
//
// The formats themselves stay what they are. So a hosted dialect is the dialect
// under its own name, and a request of a client that speaks it is patched as
// for the vendor. The package knows nothing of keys and signatures. Of Bedrock's
// InvokeModel it knows the bodies of Anthropic's models alone.
package hosting

import (
	"errors"
	"fmt"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A Hosting says whose form a dialect has, and what its paths name beside the
// model. The zero value is the vendor's own.
type Hosting struct {
	Name       string // llm.HostAzure, llm.HostVertex or llm.HostBedrock
	Project    string // Vertex: the project's ID
	Region     string // Vertex: as europe-west1, or us, eu, global
	APIVersion string // Azure: a date, as 2024-10-21, for deployments; empty, v1 or preview for v1. Vertex: empty for v1, or v1beta1
}

// Of returns the dialect as the service offers it. An error says what the
// paths need and was not given, or that the service does not have the dialect.
func (h Hosting) Of(d dialect.ProviderSide) (dialect.ProviderSide, error) {
	name := d.Name()
	switch {
	case h.Name == "":
		return d, nil
	case h.Name == llm.HostAzure && (name == llm.OpenAI || name == llm.Responses):
		return &azure{d, h.APIVersion}, nil
	case h.Name == llm.HostBedrock && name == llm.Anthropic:
		return &invoke{d}, nil
	case h.Name == llm.HostVertex && (name == llm.Gemini || name == llm.Anthropic):
		if h.Project == "" || h.Region == "" {
			return nil, errors.New("hosting: vertex needs a project and a region")
		}
		if name == llm.Anthropic {
			return &rawPredict{d, h.root()}, nil
		}
		return &vertex{d, h.root()}, nil
	}
	return nil, fmt.Errorf("hosting: %s does not offer the dialect %s", h.Name, name)
}

// Frames says what the frames of a response hold whose media type is given:
// their own media type, which differs where a stream comes in the messages of
// another one, and whether they are the dialect's, so that a client who speaks
// it can have them as they are.
func (h Hosting) Frames(op llm.Op, mediaType string) (frames string, dialects bool) {
	switch {
	case h.Name == llm.HostBedrock && mediaType == eventstream.MediaType:
		return "text/event-stream", true
	case h.Name == llm.HostVertex && op == llm.OpEmbeddings:
		return mediaType, false
	}
	return mediaType, true
}

// parse finds the members of a body that the dialect has written.
func parse(body []byte) (*llm.Body, error) {
	in := jsonx.NewReader(body)
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil {
		return nil, fmt.Errorf("hosting: %w", err)
	}
	return &llm.Body{Raw: body, Members: members}, nil
}
