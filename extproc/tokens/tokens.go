package tokens

import "sync"

// Encoding cuts text into the tokens of one vocabulary. It is safe for concurrent use.
type Encoding struct {
	piece      func(c *classes, s string, i int) int
	classes    *classes
	vocabulary *vocabulary
}

var (
	o200k  = sync.OnceValue(func() *Encoding { return newEncoding(o200kTable, (*classes).pieceO200K) })
	cl100k = sync.OnceValue(func() *Encoding { return newEncoding(cl100kTable, (*classes).pieceCL100K) })
)

// O200K returns o200k_base, the encoding of OpenAI's models since GPT-4o. The first call unfolds its table.
func O200K() *Encoding { return o200k() }

// CL100K returns cl100k_base, the encoding of GPT-4, GPT-3.5 and OpenAI's embedding models. The first call unfolds its
// table.
func CL100K() *Encoding { return cl100k() }

func newEncoding(table string, piece func(*classes, string, int) int) *Encoding {
	return &Encoding{piece: piece, classes: unicodeClasses(), vocabulary: newVocabulary(table)}
}

// Count returns the number of tokens in text. Text that spells a special token, such as <|endoftext|>, is ordinary text.
// A byte that is not UTF-8 counts as a symbol of one byte.
func (e *Encoding) Count(text string) int64 {
	v := e.vocabulary
	m := borrowMerging()
	var count int64
	for i := 0; i < len(text); {
		end := e.next(text, i)
		if v.words.has(text, i, end) {
			count++
		} else {
			count += v.merge(text[i:end], m)
		}
		i = end
	}
	m.giveBack()
	return count
}

// Append appends the ids of the tokens of text, as many as Count says, to ids.
func (e *Encoding) Append(ids []uint32, text string) []uint32 {
	v := e.vocabulary
	m := borrowMerging()
	for i := 0; i < len(text); {
		end := e.next(text, i)
		piece := text[i:end]
		if v.words.has(text, i, end) {
			ids = append(ids, v.longest(piece))
		} else {
			v.merge(piece, m)
			ids = v.appendMerged(ids, piece, m.starts)
		}
		i = end
	}
	m.giveBack()
	return ids
}

// next returns where the piece at text[i] ends.
func (e *Encoding) next(text string, i int) int {
	if len(text)-i >= 8 {
		if n := simpleWord(load(text[i:])); n > 0 {
			return i + n
		}
	}
	return e.piece(e.classes, text, i)
}

// appendMerged appends the ids of the tokens of a piece that start at the given places.
func (v *vocabulary) appendMerged(ids []uint32, piece string, starts bitset) []uint32 {
	from := 0
	for i := 1; i <= len(piece); i++ {
		if i == len(piece) || starts.has(i) {
			ids = append(ids, v.longest(piece[from:i]))
			from = i
		}
	}
	return ids
}

var mergings = sync.Pool{New: func() any { return new(merging) }}

// mergingKept is the most memory that a merging may keep between counts, in words of each of its bitsets: enough for a
// piece of 256 KiB, and 64 KiB in all.
const mergingKept = 256 << 10 / 64

func borrowMerging() *merging { return mergings.Get().(*merging) }

func (m *merging) giveBack() {
	if m.keepable() {
		mergings.Put(m)
	}
}

func (m *merging) keepable() bool { return cap(m.dead) <= mergingKept }
