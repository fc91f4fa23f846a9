package config

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/provider"
)

const credentials = `providers:
  aws: {kind: bedrock, region: eu-central-1, auth: aws, profile: prod, credentials_file: aws.txt}
  gcp: {kind: vertex, project: my-project, region: global, auth: gcp, credentials_file: /gcp.json}
  entra: {kind: azure, url: "https://x.openai.azure.com", auth: entra, tenant: t, client_id: c}
  envoy: {kind: anthropic, auth: envoy, sds_file: sds/envoy.yaml}
  filed: {kind: openai, key_file: ../key, key_header: Ocp-Apim-Subscription-Key}
  prefixed: {kind: anthropic, key: k, key_header: Authorization}
  open: {kind: openai, url: "http://127.0.0.1:1", auth: none}
auth: {mode: none}
`

func TestCredentials(t *testing.T) {
	c, err := Parse("/etc/attache/attache.yaml", []byte(credentials), environment)
	if err != nil {
		t.Fatal(err)
	}
	bearer := provider.Auth{Header: "authorization", Prefix: "Bearer "}
	for i, want := range []struct {
		Credential
		auth provider.Auth
	}{
		{Credential{By: ByAWS, Profile: "prod", File: "/etc/attache/aws.txt"}, bearer},
		{Credential{By: ByGCP, File: "/gcp.json"}, bearer},
		{Credential{By: ByEntra, Tenant: "t", ClientID: "c"}, provider.Auth{Header: "api-key"}},
		{Credential{By: ByEnvoy, SDSFile: "/etc/attache/sds/envoy.yaml"}, provider.Auth{Header: "x-api-key"}},
		{Credential{KeyFile: "/etc/key"}, provider.Auth{Header: "ocp-apim-subscription-key"}},
		{Credential{}, bearer},
		{Credential{By: ByNone}, bearer},
	} {
		p := c.Providers[i]
		if p.Credential != want.Credential || p.Auth != want.auth {
			t.Errorf("%s: %+v, %+v", p.Name, p.Credential, p.Auth)
		}
	}
}
