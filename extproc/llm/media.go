package llm

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// LinkedMedia takes a link apart if it is a data URL (RFC 2397).
func LinkedMedia(link string) Media {
	if len(link) < 5 || !strings.EqualFold(link[:5], "data:") {
		return Media{URL: link}
	}
	head, data, _ := strings.Cut(link[5:], ",")
	kind, params, _ := strings.Cut(head, ";")
	m := Media{Type: strings.ToLower(kind)}
	if m.Type == "image/jpg" {
		m.Type = "image/jpeg"
	}
	if params == "base64" || strings.HasSuffix(params, ";base64") {
		m.Data = data
		if strings.ContainsAny(data, " \t\r\n") {
			m.Data = strings.Join(strings.Fields(data), "")
		}
		return m
	}
	if plain, err := url.PathUnescape(data); err == nil {
		data = plain
	}
	m.Data = base64.StdEncoding.EncodeToString([]byte(data))
	return m
}
