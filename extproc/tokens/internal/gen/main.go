// Command gen writes the vocabulary tables that package tokens embeds. Run it there with go generate, or as
//
//	go run ./internal/gen VOCABULARY TABLE.bin
//
// VOCABULARY is o200k_base, cl100k_base or the path of a .tiktoken file: one token a line, its bytes in base64, a blank
// and its rank. The two that have names are read from the Go module github.com/pkoukk/tiktoken-go-loader, which is
// fetched through the go command but is no dependency of this module. The format of the table is described in package
// tokens, file table.go.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen VOCABULARY TABLE.bin")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	if !strings.HasSuffix(from, ".tiktoken") {
		dir, err := moduleDir()
		if err != nil {
			return err
		}
		from = filepath.Join(dir, "assets", from+".tiktoken")
	}
	ranks, err := read(from)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	table, err := encode(ranks)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, table, 0o644)
}

// moduleDir returns the directory of the module with the vocabularies.
func moduleDir() (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/pkoukk/tiktoken-go-loader@v0.0.2").Output()
	if err != nil {
		return "", fmt.Errorf("go mod download: %w", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("go mod download: %w", err)
	}
	return module.Dir, nil
}

// read returns the rank of every token of a .tiktoken file.
func read(path string) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ranks := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, number, _ := strings.Cut(lines.Text(), " ")
		token, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		rank, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		ranks[string(token)] = rank
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return ranks, check(ranks)
}

// check holds a vocabulary to what the table and package tokens rely on.
func check(ranks map[string]int) error {
	seen := make([]bool, len(ranks))
	for token, rank := range ranks {
		if len(token) == 0 || len(token) > 255 {
			return fmt.Errorf("token of %d bytes", len(token))
		}
		if rank < 0 || rank >= len(ranks) || seen[rank] {
			return fmt.Errorf("ranks are not 0 to %d, each once", len(ranks)-1)
		}
		seen[rank] = true
	}
	for b := range 256 {
		if _, ok := ranks[string([]byte{byte(b)})]; !ok {
			return fmt.Errorf("byte %#x is not a token", b)
		}
	}
	return nil
}

// node is a node of the trie of all tokens.
type node struct {
	label byte
	token string // empty: only a prefix of tokens
	kids  []*node
}

// trie puts the tokens in a trie whose siblings are in byte order.
func trie(ranks map[string]int) *node {
	tokens := make([]string, 0, len(ranks))
	for token := range ranks {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	root := &node{}
	for _, token := range tokens {
		at := root
		for i := range len(token) {
			// In sorted order a known child is always the last one.
			if n := len(at.kids); n == 0 || at.kids[n-1].label != token[i] {
				at.kids = append(at.kids, &node{label: token[i]})
			}
			at = at.kids[len(at.kids)-1]
		}
		at.token = token
	}
	return root
}

func encode(ranks map[string]int) ([]byte, error) {
	queue := []*node{trie(ranks)}
	last := map[*node]bool{queue[0]: true}
	for i := 0; i < len(queue); i++ {
		if kids := queue[i].kids; len(kids) > 0 {
			queue = append(queue, kids...)
			last[kids[len(kids)-1]] = true
		}
	}
	size := (len(queue) + 7) / 8
	parents, lasts, ends := make([]byte, size), make([]byte, size), make([]byte, size)
	var labels, ids, lefts bytes.Buffer
	for i, n := range queue {
		labels.WriteByte(n.label)
		setIf(parents, i, len(n.kids) > 0)
		setIf(lasts, i, last[n])
		setIf(ends, i, n.token != "")
		if n.token == "" {
			continue
		}
		left, err := split(ranks, n.token)
		if err != nil {
			return nil, err
		}
		rank := ranks[n.token]
		ids.Write([]byte{byte(rank), byte(rank >> 8), byte(rank >> 16)})
		lefts.WriteByte(byte(left))
	}
	table := binary.LittleEndian.AppendUint32(nil, uint32(len(queue)))
	table = binary.LittleEndian.AppendUint32(table, uint32(len(ranks)))
	for _, section := range [][]byte{labels.Bytes(), parents, lasts, ends, ids.Bytes(), lefts.Bytes()} {
		table = append(table, section...)
	}
	return table, nil
}

func setIf(bits []byte, i int, on bool) {
	if on {
		bits[i/8] |= 1 << (i % 8)
	}
}

// split returns the length of the left half of the last merge that makes token: byte pair encoding of its bytes with
// the merges that come before it stops at two parts. It is 0 for a single byte.
func split(ranks map[string]int, token string) (int, error) {
	if len(token) == 1 {
		return 0, nil
	}
	ends := make([]int, 0, len(token)) // ends[i]: where part i ends
	for i := range len(token) {
		ends = append(ends, i+1)
	}
	for len(ends) > 1 {
		best, at, from := ranks[token], -1, 0
		for i := range len(ends) - 1 {
			if rank, ok := ranks[token[from:ends[i+1]]]; ok && rank < best {
				best, at = rank, i
			}
			from = ends[i]
		}
		if at < 0 {
			break
		}
		ends = slices.Delete(ends, at, at+1)
	}
	if len(ends) != 2 {
		return 0, fmt.Errorf("token %q: no merge makes it", token)
	}
	return ends[0], nil
}
