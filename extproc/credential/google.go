package credential

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// Google gets access tokens for Google Cloud: with a file, or with the
// application default credentials, which are the file that
// GOOGLE_APPLICATION_CREDENTIALS names, gcloud's own, or the metadata server's.
type Google struct {
	File string // service account key or other JSON credentials; empty: the default
}

// googleScope lets a token be used for whatever its owner may do.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

func (Google) names() []string { return []string{bearer} }

func (g Google) fetch(ctx context.Context, client *http.Client) (grant, error) {
	// The library does not pass contexts on to its calls; this client does.
	bounded := &http.Client{Transport: within{ctx, client.Transport}, CheckRedirect: client.CheckRedirect}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, bounded)
	c, err := g.find(ctx)
	if err != nil {
		return grant{}, err
	}
	t, err := c.TokenSource.Token()
	if err != nil {
		return grant{}, fmt.Errorf("credential: google: %w", err)
	}
	return grant{bearerOf(t.AccessToken), t.Expiry}, nil
}

func (g Google) find(ctx context.Context) (*google.Credentials, error) {
	if g.File == "" {
		c, err := google.FindDefaultCredentials(ctx, googleScope)
		if err != nil {
			return nil, fmt.Errorf("credential: google: %w", err)
		}
		return c, nil
	}
	data, err := readFile(g.File)
	if err != nil {
		return nil, err
	}
	var file struct {
		Type google.CredentialsType `json:"type"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("credential: %s is not a JSON file with credentials", g.File)
	}
	c, err := google.CredentialsFromJSONWithType(ctx, data, file.Type, googleScope)
	if err != nil {
		return nil, fmt.Errorf("credential: %s: %w", g.File, err)
	}
	return c, nil
}

// within bounds every call of a client by a context.
type within struct {
	ctx  context.Context
	base http.RoundTripper
}

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.base.RoundTrip(r.WithContext(w.ctx))
}

// Look finds the file that would be used, and reads it.
func (g Google) Look(ctx context.Context) (string, error) {
	if g.File == "" {
		g.File = defaultFile()
	}
	if g.File == "" {
		return "none in the environment or in files; the metadata server of Google Cloud will be asked", nil
	}
	if _, err := g.find(ctx); err != nil {
		return "", plain(err)
	}
	return "found in " + g.File, nil
}

// defaultFile is where the application default credentials are, empty if they
// are in no file.
func defaultFile() string {
	if path := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); path != "" {
		return path
	}
	dir := os.Getenv("CLOUDSDK_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".config", "gcloud")
	}
	path := filepath.Join(dir, "application_default_credentials.json")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
