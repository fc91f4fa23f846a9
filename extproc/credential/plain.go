package credential

import (
	"encoding/json"
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
		return fmt.Errorf("credential: the token server answered %d%s", oauth.Response.StatusCode, code(oauth.Body))
	case errors.As(err, &entra) && entra.RawResponse != nil:
		return fmt.Errorf("credential: the token server answered %d", entra.RawResponse.StatusCode)
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New("credential: " + strings.TrimPrefix(text[:min(len(text), maxError)], "credential: "))
}

// code is the code of an error of OAuth, such as invalid_grant, with a space
// before it; empty if there is none.
func code(body []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error == "" || len(said.Error) > 50 || strings.Trim(said.Error, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return " " + said.Error
}
