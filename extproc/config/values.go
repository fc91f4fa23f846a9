package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces ${NAME} by a variable of the environment, and $${ by ${.
func expand(s string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			out.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		out.WriteString(s[:i])
		m := variable.FindStringSubmatch(s[i:])
		if m == nil {
			return "", errors.New("a variable is written ${NAME}, with letters, digits and underscores; for a plain ${ write $${")
		}
		v, ok := env(m[1])
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", m[1])
		}
		out.WriteString(v)
		s = s[i+len(m[0]):]
	}
}

func parseSecret(s string) (gateway.Secret, error) {
	if s == "" {
		return gateway.Secret{}, errors.New("is empty")
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return gateway.Secret{}, errors.New("has a character that a header cannot carry, such as a line break at its end")
		}
	}
	return gateway.NewSecret(s), nil
}

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		return n * u.bytes, nil
	}
	return 0, errors.New("must be a size with its unit, such as 512KiB, 50MiB or 1GiB")
}

func formatSize(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// formatDuration leaves out the zeros that time.Duration writes: 1m, not 1m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// money is what a price looks like: up to nine decimals are whole nano-dollars.
var money = regexp.MustCompile(`^([0-9]{1,7})(?:\.([0-9]{1,9}))?$`)

// parseDollars returns nano-dollars. Floating point has no part in it.
func parseDollars(s string) (int64, error) {
	m := money.FindStringSubmatch(s)
	if m == nil {
		return 0, errors.New("must be an amount in dollars such as 2.50, with at most nine decimals")
	}
	n, err := strconv.ParseInt(m[1]+(m[2] + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, errors.New("is too large")
	}
	return n, nil
}

var percent = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]))?%$`)

// parsePercent returns permille.
func parsePercent(s string) (int64, error) {
	m := percent.FindStringSubmatch(s)
	if m != nil {
		if n, err := strconv.ParseInt(m[1]+(m[2] + "0")[:1], 10, 64); err == nil && n > 0 && n <= 1000 {
			return n, nil
		}
	}
	return 0, errors.New("must be a percentage up to 100%, such as 50% or 12.5%")
}

func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, errors.New("must be a number from 1 to 1000000")
	}
	return n, nil
}

// parseHostPort checks a TCP address. The host has to be written, so that
// nobody listens on all interfaces by forgetting it.
func parseHostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || perr != nil || strings.ContainsAny(host, "/ ") {
		return "", errors.New("must be host:port, such as 127.0.0.1:9000; 0.0.0.0 stands for all interfaces")
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

func parseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok && path != "" {
		return Address{"unix", path}, nil
	}
	hp, err := parseHostPort(s)
	if err != nil {
		return Address{}, errors.New("must be unix:PATH or host:port")
	}
	return Address{"tcp", hp}, nil
}

func parseIP(s string) (string, error) {
	if net.ParseIP(s) == nil {
		return "", errors.New("must be an IP address, such as 127.0.0.1 or 0.0.0.0")
	}
	return s, nil
}

// parseURL checks a base URL and takes slashes off its end. It does not pass on
// what net/url says, which quotes the URL.
func parseURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "", errors.New("must be a whole URL that begins with https:// or http://")
	case u.User != nil:
		return "", errors.New("must not hold a user or password; credentials belong into key")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("must not have a query or fragment")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return "", errors.New("has a port that does not exist")
		}
	}
	return strings.TrimRight(s, "/"), nil
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

func parseSHA256(s string) (string, error) {
	s = strings.ToLower(s)
	if !sha256Hex.MatchString(s) {
		return "", errors.New("must be 64 hex digits, as sha256sum prints them")
	}
	return s, nil
}

// emptyObject is the configuration of a guard that was given none.
var emptyObject = json.RawMessage(`{}`)

// What goes into hosts and paths is written in few characters.
var (
	regionName  = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9:.-]{1,62}$`)
	apiVersion  = regexp.MustCompile(`^[A-Za-z0-9.-]{1,32}$`)
)

func parseRegion(s string) (string, error) {
	if !regionName.MatchString(s) {
		return "", errors.New("must be the name of a region, such as eu-central-1 or global")
	}
	return s, nil
}

func parseProject(s string) (string, error) {
	if !projectName.MatchString(s) {
		return "", errors.New("must be the ID of a project, such as my-project-1")
	}
	return s, nil
}

func parseVersion(s string) (string, error) {
	if !apiVersion.MatchString(s) {
		return "", errors.New("must be a version of the API, such as 2024-10-21 or preview")
	}
	return s, nil
}
