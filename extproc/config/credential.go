package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/provider"
)

// A Credential says how a provider learns who calls.
type Credential struct {
	By       string // ByKey and the like
	KeyFile  string // ByKey: that the key is in; empty: it is in Provider.Key
	Profile  string // ByAWS; empty: the environment's, or the default one
	File     string // ByAWS, ByGCP: with credentials; empty: where the SDKs look
	Tenant   string // ByEntra; empty: the environment's
	ClientID string // ByEntra; empty: the environment's
	SDSFile  string // ByEnvoy: that Envoy reads the key from
}

// The kinds of a Credential.
const (
	ByKey   = ""      // a key; without one, nobody asks
	ByAWS   = "aws"   // signatures, with what the AWS SDKs find
	ByGCP   = "gcp"   // tokens of Google Cloud
	ByEntra = "entra" // tokens of Microsoft Entra ID
	ByEnvoy = "envoy" // a key that Envoy has
	ByNone  = "none"
)

// of are the fields that a kind of credential has.
var of = map[string][]string{
	ByKey:   {"key", "key_file", "key_header"},
	ByAWS:   {"profile", "credentials_file"},
	ByGCP:   {"credentials_file"},
	ByEntra: {"tenant", "client_id"},
	ByEnvoy: {"sds_file", "key_header"},
}

// instead names what a kind of provider takes in place of a key.
var instead = map[string]string{"bedrock": ByAWS, "vertex": ByGCP, "azure": ByEntra}

// credential returns the fields by which a provider learns who calls.
func (r *reader) credential(p *Provider, header *string) map[string]field {
	c := &p.Credential
	return map[string]field{
		"auth":             r.choice(&c.By, ByAWS, ByGCP, ByEntra, ByEnvoy, ByNone),
		"key":              r.secret(&p.Key),
		"key_file":         r.string(&c.KeyFile),
		"key_header":       parsed(r, header, parseKeyHeader),
		"profile":          r.string(&c.Profile),
		"credentials_file": r.string(&c.File),
		"tenant":           r.string(&c.Tenant),
		"client_id":        r.string(&c.ClientID),
		"sds_file":         r.string(&c.SDSFile),
	}
}

func parseKeyHeader(s string) (string, error) {
	s = strings.ToLower(s)
	if !gateway.KeyHeader(s) {
		return "", errors.New("must be the name of a header for keys, such as api-key")
	}
	return s, nil
}

// keyHeader says where a provider wants its key.
func keyHeader(name string) provider.Auth {
	a := provider.Auth{Header: name}
	if name == "authorization" {
		a.Prefix = "Bearer "
	}
	return a
}

// checkCredential finds fields that belong to another kind of credential, and
// those that are missing.
func (r *reader) checkCredential(at string, p *Provider, keyless bool) {
	c := &p.Credential
	for _, name := range [...]string{"key", "key_file", "key_header", "profile", "credentials_file", "tenant", "client_id", "sds_file"} {
		if r.has(join(at, name)) && !r.wrong(join(at, "auth")) && !slices.Contains(of[c.By], name) {
			r.problem(join(at, name), "is only for %s", or(kindsWith(name)))
		}
	}
	if kinds := ofCloud[c.By]; kinds != nil && provider.Own(p.Kind, p.URL) && !slices.Contains(kinds, p.Kind) {
		r.problem(at+".auth", "%s is for %s; another's server must not get such a credential", c.By, or(kinds))
		return
	}
	switch {
	case c.By == ByAWS && p.Kind != "bedrock": // which needs one anyway
		r.missing(at+".region", "is missing; signatures for AWS name it")
	case c.By == ByEnvoy:
		r.missing(at+".sds_file", "is missing; Envoy reads the key from it")
	case c.By == ByNone && !keyless:
		r.problem(at+".auth", "%s asks for a key", p.Kind)
	case c.By == ByKey && c.KeyFile != "" && r.has(at+".key"):
		r.problem(at+".key_file", "is there beside key; one of them is enough")
	case c.By == ByKey && !keyless && !r.has(at+".key_file") && !r.has(at+".auth"):
		if other := instead[p.Kind]; other != "" {
			r.missing(at+".key", "is missing; %s asks for one, or for auth: %s", p.Kind, other)
		} else {
			r.missing(at+".key", "is missing; %s asks for one", p.Kind)
		}
	}
}

// ofCloud are the kinds whose own servers belong to a cloud and know its
// credentials.
var ofCloud = map[string][]string{ByAWS: {"bedrock"}, ByGCP: {"vertex", "gemini"}, ByEntra: {"azure"}}

func kindsWith(field string) (kinds []string) {
	for _, by := range [...]string{ByKey, ByAWS, ByGCP, ByEntra, ByEnvoy} {
		switch {
		case !slices.Contains(of[by], field):
		case by == ByKey:
			kinds = append(kinds, "providers without auth")
		default:
			kinds = append(kinds, "auth: "+by)
		}
	}
	return kinds
}
