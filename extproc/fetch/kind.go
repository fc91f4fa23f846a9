package fetch

import (
	"errors"
	"fmt"
	"net/http"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// A Kind is why an archive could not be fetched.
type Kind string

// The kinds of failure.
const (
	Unreachable Kind = "unreachable" // there was no connection, or it did not last
	Denied      Kind = "denied"      // the server wants other credentials
	Missing     Kind = "missing"     // it has no such archive
	Status      Kind = "status"      // it answered with another error
	Invalid     Kind = "invalid"     // what it has is too large, or not what it says
)

// KindOf returns the kind of an error of this package.
func KindOf(err error) Kind {
	var status statusError
	var response *errcode.ErrorResponse
	switch {
	case errors.As(err, &status):
		return kindOfStatus(int(status))
	case errors.As(err, &response):
		return kindOfStatus(response.StatusCode)
	case errors.Is(err, errdef.ErrNotFound):
		return Missing
	case errors.As(err, new(invalid)), errors.Is(err, content.ErrMismatchedDigest),
		errors.Is(err, content.ErrInvalidDescriptorSize), errors.Is(err, content.ErrTrailingData):
		return Invalid
	}
	return Unreachable
}

func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Denied
	case http.StatusNotFound, http.StatusGone:
		return Missing
	}
	return Status
}

// A statusError is an answer of a server that is no archive.
type statusError int

func (s statusError) Error() string {
	return fmt.Sprintf("the server says %d %s", int(s), http.StatusText(int(s)))
}

// An invalid error says what is wrong with what a server has.
type invalid struct{ error }

func (i invalid) Unwrap() error { return i.error }

func invalidf(format string, args ...any) error { return invalid{fmt.Errorf(format, args...)} }
