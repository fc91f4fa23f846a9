package credential

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"
)

// maxError bounds the text of an error, in bytes.
const maxError = 500

// plain returns an error that fits into a log line. Of what a token server said
// it keeps the status and the code: its text is a stranger's, and long.
func plain(err error) error {
	var oauth *oauth2.RetrieveError
	var entra *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &oauth) && oauth.Response != nil:
		return fmt.Errorf("credential: the token server answered %d %s", oauth.Response.StatusCode, word(oauth.ErrorCode))
	case errors.As(err, &entra) && entra.RawResponse != nil:
		return fmt.Errorf("credential: the token server answered %d", entra.RawResponse.StatusCode)
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New("credential: " + strings.TrimPrefix(text[:min(len(text), maxError)], "credential: "))
}

// word is a code of OAuth, such as invalid_grant; empty if it is something else.
func word(code string) string {
	if len(code) > 50 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}
