package telemetry

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
)

// A chain is a series of lines, each with the hash of the one before. The hash of
// a line is the SHA-256 of its bytes before `,"hash":`.
type chain struct {
	id   string
	seq  uint64            // of the last line; 0: there is none
	hash [sha256.Size]byte // of the last line
}

// newChain returns a chain without lines, whose id is random.
func newChain() chain {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return chain{id: hex.EncodeToString(b[:])}
}

// The end of a line: hashStart, the hash in hex, hashEnd.
const (
	hashStart  = `,"hash":"`
	hashEnd    = "\"}"
	hashLength = len(hashStart) + 2*sha256.Size + len(hashEnd)
)

// seal makes lines, each with its line feed, of JSON objects, and returns the
// chain that they lead to. opens says that the first is the first of its file.
func (c chain) seal(bodies [][]byte, opens bool) (chain, [][]byte) {
	lines := make([][]byte, len(bodies))
	for i, body := range bodies {
		line := make([]byte, 0, len(body)+hashLength+160)
		line = append(line, `{"chain":"`...)
		line = append(line, c.id...)
		line = append(line, `","seq":`...)
		line = strconv.AppendUint(line, c.seq+1, 10)
		line = append(line, `,"prev":"`...)
		line = hex.AppendEncode(line, c.hash[:])
		line = append(line, '"', ',')
		if opens && i == 0 {
			line = append(line, `"opens":true,`...)
		}
		line = append(line, body[1:len(body)-1]...)
		c.seq, c.hash = c.seq+1, sha256.Sum256(line)
		line = append(line, hashStart...)
		line = hex.AppendEncode(line, c.hash[:])
		line = append(line, hashEnd...)
		lines[i] = append(line, '\n')
	}
	return c, lines
}

var (
	errNoEvent = errors.New("this is not a line of a log of decisions")
	errChanged = errors.New("this line was changed: its hash is another")
)

// link reads the link of a line without its line feed, and checks its hash.
func link(line []byte) (Link, chain, error) {
	at := len(line) - hashLength
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(hashStart)) || !bytes.HasSuffix(line, []byte(hashEnd)) {
		return Link{}, chain{}, errNoEvent
	}
	sum := sha256.Sum256(line[:at])
	if string(line[at+len(hashStart):len(line)-len(hashEnd)]) != hex.EncodeToString(sum[:]) {
		return Link{}, chain{}, errChanged
	}
	var l Link
	if err := json.Unmarshal(line, &l); err != nil || l.Chain == "" || l.Seq == 0 {
		return Link{}, chain{}, errNoEvent
	}
	return l, chain{l.Chain, l.Seq, sum}, nil
}
