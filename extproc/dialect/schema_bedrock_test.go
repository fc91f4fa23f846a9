package dialect_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
)

// A service is Amazon's published description of the shapes on the wire.
type service struct {
	Shapes map[string]*struct {
		Type     string
		Required []string
		Members  map[string]struct{ Shape, Location string }
		Member   struct{ Shape string }
		Union    bool
		Document bool
		Enum     []string
		Pattern  string
		Min, Max *float64
	}
}

func loadService(t *testing.T) *service {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, "specs/bedrock-runtime.service-2.json"))
	if err != nil {
		t.Skip("no schemas")
	}
	s := &service{}
	if err := json.Unmarshal(raw, s); err != nil {
		t.Fatal(err)
	}
	if s.check("ConverseResponse", "", map[string]any{}) == nil || s.check("Message", "", map[string]any{"role": "x", "content": []any{}}) == nil {
		t.Fatal("the shapes take anything")
	}
	return s
}

// check validates a value by its shape.
func (s *service) check(shape, at string, v any) error {
	d := s.Shapes[shape]
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s (%s): %s", at, shape, fmt.Sprintf(format, args...))
	}
	within := func(n float64) bool { return (d.Min == nil || n >= *d.Min) && (d.Max == nil || n <= *d.Max) }
	switch v := v.(type) {
	case map[string]any:
		if d.Document || d.Type == "map" {
			return nil
		}
		if d.Type != "structure" || d.Union && len(v) != 1 {
			return fail("got %v", v)
		}
		for _, name := range d.Required {
			if _, ok := v[name]; !ok && d.Members[name].Location == "" {
				return fail("%s is missing", name)
			}
		}
		for name, value := range v {
			m, ok := d.Members[name]
			if !ok || m.Location != "" {
				return fail("%s is not known", name)
			}
			if err := s.check(m.Shape, at+"."+name, value); err != nil {
				return err
			}
		}
	case []any:
		if d.Type != "list" || !within(float64(len(v))) {
			return fail("got a list of %d", len(v))
		}
		for i, e := range v {
			if err := s.check(d.Member.Shape, fmt.Sprintf("%s[%d]", at, i), e); err != nil {
				return err
			}
		}
	case string:
		switch {
		case d.Type == "blob":
			if _, err := base64.StdEncoding.DecodeString(v); err != nil {
				return fail("%v", err)
			}
		case d.Type != "string", !within(float64(len(v))), d.Enum != nil && !slices.Contains(d.Enum, v),
			d.Pattern != "" && !regexp.MustCompile("^(?:"+d.Pattern+")$").MatchString(v):
			return fail("got %q", v)
		}
	case float64:
		if !slices.Contains([]string{"integer", "long", "float", "double"}, d.Type) || !within(v) {
			return fail("got %v", v)
		}
	case bool:
		if d.Type != "boolean" {
			return fail("got %v", v)
		}
	}
	return nil
}

func (s *service) checkJSON(shape string, raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	return s.check(shape, "", v)
}

// checkAnswer validates what a client is sent.
func (s *service) checkAnswer(stream bool, out []byte) error {
	if !stream {
		return s.checkJSON("ConverseResponse", out)
	}
	splitter := eventstream.New(16 << 20)
	err := splitter.Split(out, func(m *eventstream.Message) error {
		if string(m.Text(":message-type")) != "event" || string(m.Text(":content-type")) != "application/json" {
			return fmt.Errorf("unexpected message %q", m.Raw)
		}
		event := s.Shapes["ConverseStreamOutput"].Members[string(m.Text(":event-type"))]
		return s.checkJSON(event.Shape, m.Payload)
	})
	if err == nil && splitter.Held() > 0 {
		err = errors.New("half a message")
	}
	return err
}
