package eventstream

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// message writes a message of string headers.
func message(payload string, headers ...Field) []byte {
	return End(append(Begin(nil, headers...), payload...), 0)
}

// split returns what the messages in chunks say.
func split(limit int, chunks ...[]byte) (said []string, raw []byte, err error) {
	s := New(limit)
	for _, chunk := range chunks {
		err = s.Split(bytes.Clone(chunk), func(m *Message) error {
			text := string(m.Payload)
			for _, h := range m.Headers {
				text += fmt.Sprintf(" %s/%d=%x", h.Name, h.Type, h.Value)
			}
			said, raw = append(said, text), append(raw, m.Raw...)
			return nil
		})
		if err != nil {
			return said, raw, err
		}
	}
	return said, raw, nil
}

// The test vectors of the specification's reference implementation.
func TestVectors(t *testing.T) {
	for _, v := range []struct{ hex, want string }{
		{"000000100000000005c248eb7d98c8ff", ""},
		{"0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", "{'foo':'bar'}"},
		{"0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d36f480a0", "{'foo':'bar'} event-type/4=0000a00c"},
	} {
		raw, err := hex.DecodeString(v.hex)
		if err != nil {
			t.Fatal(err)
		}
		said, _, err := split(1024, raw)
		if err != nil || len(said) != 1 || said[0] != v.want {
			t.Errorf("%s: got %q, %v", v.hex, said, err)
		}
	}
	if got := hex.EncodeToString(message("{'foo':'bar'}")); got != "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936" {
		t.Errorf("wrote %s", got)
	}
}

func TestHeaderTypes(t *testing.T) {
	headers := []byte("\x01a\x00\x01b\x01\x01c\x02\x07\x01d\x03\x00\x01\x01e\x04\x00\x00\x00\x02\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x03" +
		"\x01g\x06\x00\x02hi\x01h\x07\x00\x00\x01i\x08\x00\x00\x00\x00\x00\x00\x00\x04\x01j\x090123456789abcdef")
	const want = " a/0= b/1= c/2=07 d/3=0001 e/4=00000002 f/5=0000000000000003 g/6=6869 h/7= i/8=0000000000000004 j/9=30313233343536373839616263646566"
	said, _, err := split(1024, withHeaders(headers))
	if err != nil || len(said) != 1 || said[0] != want {
		t.Errorf("got %q, %v", said, err)
	}
}

// withHeaders is a message whose headers are the given bytes.
func withHeaders(headers []byte) []byte {
	m := append(make([]byte, preludeSize), headers...)
	m[7] = byte(len(headers))
	return End(m, 0)
}

func TestEveryCut(t *testing.T) {
	var stream []byte
	var want []string
	for i := range 5 {
		payload := fmt.Sprintf(`{"n":%d,"text":"é"}`, i)
		stream = append(stream, message(payload, Field{":event-type", "x"})...)
		want = append(want, payload+" :event-type/7=78")
	}
	check := func(how string, chunks ...[]byte) {
		t.Helper()
		said, raw, err := split(100, chunks...)
		if err != nil || fmt.Sprint(said) != fmt.Sprint(want) || !bytes.Equal(raw, stream) {
			t.Fatalf("%s: got %q, %v", how, said, err)
		}
	}
	for at := range len(stream) + 1 {
		check(fmt.Sprint("cut at ", at), stream[:at], stream[at:])
	}
	check("bytes", bytes.SplitAfter(stream, nil)...)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var chunks [][]byte
		for rest := stream; len(rest) > 0; {
			n := 1 + rng.IntN(min(len(rest), 90))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		check("random", chunks...)
	}
}

func TestCorrupt(t *testing.T) {
	good := message("payload", Field{"a", "b"})
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if said, _, err := split(1024, bad); err == nil && len(said) > 0 {
			t.Errorf("a wrong bit in byte %d was not seen", i)
		} else if i >= 8 && !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d: got %v", i, err)
		}
	}
	for name, m := range map[string][]byte{
		"empty name":     withHeaders([]byte("\x00\x00")),
		"cut name":       withHeaders([]byte("\x05ab")),
		"no type":        withHeaders([]byte("\x02ab")),
		"unknown type":   withHeaders([]byte("\x01a\x0a")),
		"cut length":     withHeaders([]byte("\x01a\x07\x00")),
		"cut value":      withHeaders([]byte("\x01a\x07\x00\x05abc")),
		"cut number":     withHeaders([]byte("\x01a\x05\x00")),
		"headers > rest": lying(40, 25),
		"too short":      lying(15, 0),
	} {
		if _, _, err := split(1024, m); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// lying is a prelude, with the right checksum, that says the given lengths.
func lying(total, headers uint32) []byte {
	m := binary.BigEndian.AppendUint32(nil, total)
	m = binary.BigEndian.AppendUint32(m, headers)
	return append(binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m)), make([]byte, 40)...)
}

// A message over the limit is refused as soon as its length is known.
func TestLimit(t *testing.T) {
	m := message(string(make([]byte, 100)))
	if said, _, err := split(len(m), m); err != nil || len(said) != 1 {
		t.Errorf("at the limit: %v", err)
	}
	if _, _, err := split(len(m)-1, m[:preludeSize]); !errors.Is(err, ErrTooLong) {
		t.Errorf("over it: %v", err)
	}
}

// Messages in two pieces are those in one, and their bytes are the stream's as
// far as it is whole.
func FuzzSplit(f *testing.F) {
	f.Add(message("payload", Field{":event-type", "x"}), 5)
	f.Add(append(message(""), message("{}", Field{"a", "b"})...), 17)
	f.Add(withHeaders([]byte("\x01a\x00\x01b\x01")), 3)
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		at = min(max(at, 0), len(stream))
		whole, raw, err := split(1<<16, stream)
		parts, _, err2 := split(1<<16, stream[:at], stream[at:])
		if (err == nil) != (err2 == nil) || fmt.Sprint(whole) != fmt.Sprint(parts) {
			t.Fatalf("whole: %q, %v; in two: %q, %v", whole, err, parts, err2)
		}
		if !bytes.HasPrefix(stream, raw) {
			t.Fatal("the bytes are not the stream's")
		}
		// The same bytes as the payload of a message come out as they are.
		s := New(len(stream) + 100)
		err = s.Split(message(string(stream), Field{"n", "v"}), func(m *Message) error {
			if !bytes.Equal(m.Payload, stream) || string(m.Text("n")) != "v" || m.Text("v") != nil {
				t.Fatalf("got %q", m.Raw)
			}
			return nil
		})
		if err != nil || s.Held() != 0 {
			t.Fatal(err, s.Held())
		}
	})
}
