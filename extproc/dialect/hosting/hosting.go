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
	"fmt"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A Hosting says whose form a dialect has, and what its paths name beside the
// model. The zero value is the vendor's own.
type Hosting struct {
	Name       string // llm.HostAzure, llm.HostVertex or llm.HostBedrock
	Project    string // Vertex: the project's ID
	Region     string // Vertex: as europe-west1, or us, eu, global; Bedrock: as eu-central-1
	APIVersion string // Azure: a date, as 2024-10-21, for deployments; empty, v1 or preview for v1. Vertex: empty for v1, or v1beta1
}

// URL returns the base URL of the service in the region; empty for Azure, where
// every resource has a host of its own. A provider's paths begin below it.
//
// Sources: Google's list of Vertex AI endpoints, Amazon's of Bedrock's.
func (h Hosting) URL() string {
	switch {
	case h.Region == "":
		return ""
	case h.Name == llm.HostVertex && h.Region == "global":
		return "https://aiplatform.googleapis.com"
	case h.Name == llm.HostVertex && (h.Region == "us" || h.Region == "eu"):
		return "https://aiplatform." + h.Region + ".rep.googleapis.com"
	case h.Name == llm.HostVertex:
		return "https://" + h.Region + "-aiplatform.googleapis.com"
	case h.Name == llm.HostBedrock && strings.HasPrefix(h.Region, "cn-"):
		return "https://bedrock-runtime." + h.Region + ".amazonaws.com.cn"
	case h.Name == llm.HostBedrock:
		return "https://bedrock-runtime." + h.Region + ".amazonaws.com"
	}
	return ""
}

// Of returns the dialect as the service offers it. An error says what the
// paths need and was not given, or that the service does not have the dialect.
func (h Hosting) Of(d dialect.Dialect) (dialect.Dialect, error) {
	if h.Name == "" {
		return d, nil
	}
	return nil, fmt.Errorf("hosting: %s does not offer the dialect %s", h.Name, d.Name())
}

// MediaType returns what a response of the media type is once its frames are
// put together: the same but for streams that come in another one's messages.
func (h Hosting) MediaType(mediaType string) string {
	if h.Name == llm.HostBedrock && mediaType == eventstream.MediaType {
		return "text/event-stream"
	}
	return mediaType
}
