package credential

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// AWS signs requests to Bedrock (Signature Version 4) with the credentials that Amazon's SDKs would find: in the environment, in a profile,
// by web identity, from ECS or from EC2.
type AWS struct {
	Region  string
	Profile string // of the shared files; empty: the environment's, or the default one
	File    string // shared credentials file; empty: as the environment says
}

// service is what the signatures are for.
const service = "bedrock"

// The headers of a signature.
const (
	amzDate  = "x-amz-date"
	amzHash  = "x-amz-content-sha256"
	amzToken = "x-amz-security-token"
)

func (AWS) names() []string { return []string{bearer, amzDate, amzHash, amzToken} }

func (a AWS) fetch(ctx context.Context, _ *http.Client) (grant, error) {
	c, err := a.load(ctx)
	if err != nil {
		return grant{}, err
	}
	found, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return grant{}, fmt.Errorf("credential: aws: %w", err)
	}
	g := grant{sign: a.signer(found, time.Now)}
	if found.CanExpire {
		g.expires = found.Expires
	}
	return g, nil
}

// load finds credentials anew, so that rotated files are seen.
func (a AWS) load(ctx context.Context) (aws.Config, error) {
	// The SDK's own kind of client, since no other takes AWS_CA_BUNDLE.
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTime }).
		WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	options := []func(*config.LoadOptions) error{config.WithRegion(a.Region), config.WithHTTPClient(client)}
	profile := a.Profile
	if a.File != "" {
		if _, err := os.Stat(a.File); err != nil {
			return aws.Config{}, fmt.Errorf("credential: aws: %w", err)
		}
		options = append(options, config.WithSharedCredentialsFiles([]string{a.File}))
		if profile == "" {
			profile = config.DefaultSharedConfigProfile // named, it goes before the environment's keys
		}
	}
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, fmt.Errorf("credential: aws: %w", err)
	}
	return c, nil
}

// signer signs what a provider sees of an attempt: the body, the path and the
// headers that nobody between here and there changes.
func (a AWS) signer(with aws.Credentials, now func() time.Time) signer {
	s := v4.NewSigner()
	return func(o *gateway.Outgoing) ([]llm.Header, error) {
		if o.Unread {
			return nil, llm.Unsupported("", "uploads cannot go to this provider: AWS wants a signature of the whole body")
		}
		path, query, _ := strings.Cut(o.Path, "?")
		r := &http.Request{
			Method: o.Method, Host: o.Host, Header: http.Header{},
			URL: &url.URL{Host: o.Host, Opaque: "//" + o.Host + path, RawQuery: query}, // opaque: escaped already
		}
		sum := sha256.Sum256(o.Body)
		hash := hex.EncodeToString(sum[:])
		r.Header.Set(amzHash, hash)
		if o.ContentType != "" {
			r.Header.Set("content-type", o.ContentType)
		}
		if err := s.SignHTTP(context.Background(), with, r, hash, service, a.Region, now()); err != nil {
			return nil, fmt.Errorf("credential: aws: %w", err)
		}
		var set []llm.Header
		for _, name := range a.names() {
			if v := r.Header.Get(name); v != "" {
				set = append(set, llm.Header{Name: name, Value: v})
			}
		}
		return set, nil
	}
}

// Look finds the place where credentials would come from.
func (a AWS) Look(ctx context.Context) (string, error) {
	c, err := a.load(ctx)
	if err != nil {
		return "", plain(err)
	}
	if aws.IsCredentialsProvider(c.Credentials, (*ec2rolecreds.Provider)(nil)) {
		return "none in the environment or in files; the metadata service of EC2 will be asked", nil
	}
	return "found", nil
}
