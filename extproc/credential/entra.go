package credential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Entra gets access tokens of Microsoft Entra ID: by workload identity
// federation, with a client's secret, as a managed identity, or as the Azure
// SDKs do by default, whichever the environment speaks of.
type Entra struct {
	Tenant   string // empty: AZURE_TENANT_ID
	ClientID string // of the application or managed identity; empty: AZURE_CLIENT_ID
}

// entraScope is the audience of Azure OpenAI.
const entraScope = "https://cognitiveservices.azure.com/.default"

func (Entra) names() []string { return []string{bearer} }

func (e Entra) fetch(ctx context.Context, client *http.Client) (grant, error) {
	return e.get(ctx, azcore.ClientOptions{Transport: client})
}

func (e Entra) get(ctx context.Context, o azcore.ClientOptions) (grant, error) {
	_, c, err := e.find(o)
	if err != nil {
		return grant{}, fmt.Errorf("credential: entra: %w", err)
	}
	t, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{entraScope}})
	if err != nil {
		return grant{}, fmt.Errorf("credential: entra: %w", err)
	}
	return grant{bearerOf(t.Token), t.ExpiresOn}, nil
}

// find picks the kind of credential, and says in words which it is. The one
// that it returns is new, so that no cache gives out a token from before.
func (e Entra) find(o azcore.ClientOptions) (string, azcore.TokenCredential, error) {
	tenant := cmp.Or(e.Tenant, os.Getenv("AZURE_TENANT_ID"))
	client := cmp.Or(e.ClientID, os.Getenv("AZURE_CLIENT_ID"))
	file, secret := os.Getenv("AZURE_FEDERATED_TOKEN_FILE"), os.Getenv("AZURE_CLIENT_SECRET")
	var c azcore.TokenCredential
	var err error
	switch {
	case (file != "" || secret != "") && (tenant == "" || client == ""):
		return "", nil, errors.New("a tenant and a client_id are needed")
	case file != "":
		if _, err := os.Stat(file); err != nil {
			return "", nil, err
		}
		c, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: o, TenantID: tenant, ClientID: client, TokenFilePath: file})
		return "found, for workload identity", c, err
	case secret != "":
		c, err = azidentity.NewClientSecretCredential(tenant, client, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: o})
		return "found, a client's secret", c, err
	case client != "" && os.Getenv("AZURE_CLIENT_CERTIFICATE_PATH") == "":
		c, err = azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{
			ClientOptions: o, ID: azidentity.ClientID(client)})
		return "none in the environment; the managed identity will be asked for", c, err
	}
	c, err = azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o, TenantID: tenant})
	return "none in the environment; the managed identity or Azure's command line will be asked", c, err
}

// Look says which kind of credential would be used.
func (e Entra) Look(context.Context) (string, error) {
	found, _, err := e.find(azcore.ClientOptions{})
	if err != nil {
		return "", plain(fmt.Errorf("credential: entra: %w", err))
	}
	return found, nil
}
