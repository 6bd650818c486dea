// Package exposition serves metrics as compressed text that is made when they
// change, not when somebody asks. It knows nothing of what the metrics mean.
//
// Text is kept in blocks, each of them lines of one metric family. A block is a
// part of a deflate stream that can stand anywhere in one: so any blocks in a row
// are a gzip file, once something stands before and after them.
package exposition

import (
	"bytes"
	"hash/crc32"
	"hash/maphash"
	"slices"

	"github.com/klauspost/compress/flate"
)

// block is some lines of a family, compressed.
type block struct {
	sum
	deflated []byte
	digest   uint64 // of the text, by which to tell that another one is the same
}

// compress returns the text as a block, with the help of a buffer. It refers to nothing
// before it, it ends with a whole byte, and it is not the last of the stream.
func compress(text []byte, digest uint64, buffer *bytes.Buffer) block {
	buffer.Reset()
	_ = flate.StatelessDeflate(buffer, text, false, nil) // writing to memory does not fail
	return block{sum: sumOf(text), deflated: bytes.Clone(buffer.Bytes()), digest: digest}
}

// holds reports whether the block is the text. That two texts of the same length
// have both checksums in common does not happen: they have 96 bits, 64 of them by a seed
// that nobody knows.
func (b *block) holds(text []byte, digest uint64) bool {
	return b.digest == digest && b.size == int64(len(text)) && b.crc == crc32.ChecksumIEEE(text)
}

// Builder writes series into sections. It is not for concurrent use.
type Builder struct {
	families *Families
	texts    [][]byte     // by family
	buffer   bytes.Buffer // for compression
}

// Section holds series of any families, one block for each. It is immutable.
type Section struct{ entries []entry } // ordered by family

type entry struct {
	family int
	block
}

// find returns the block of the family; nil if there is none.
func (s *Section) find(family int) *block {
	if s == nil {
		return nil
	}
	for i := range s.entries {
		if s.entries[i].family == family {
			return &s.entries[i].block
		}
	}
	return nil
}

// Add writes a series. The first label values are given as Escape returns them,
// the others as they are.
func (b *Builder) Add(s *Series, value float64, escaped, others []string) {
	b.texts[s.family] = s.append(b.texts[s.family], value, escaped, others)
}

// Section returns what has been written since the last one. Blocks of the section
// before, which may be nil, are kept where their text is still the same, and so is the
// section if all of it is.
func (b *Builder) Section(before *Section) *Section {
	s, kept := &Section{}, 0
	for family, text := range b.texts {
		if len(text) == 0 {
			continue
		}
		digest := maphash.Bytes(b.families.seed, text)
		if old := before.find(family); old != nil && old.holds(text, digest) {
			s.entries = append(s.entries, entry{family, *old})
			kept++
		} else {
			s.entries = append(s.entries, entry{family, compress(text, digest, &b.buffer)})
		}
		b.texts[family] = text[:0]
	}
	if before != nil && kept == len(s.entries) && kept == len(before.entries) {
		return before
	}
	s.entries = slices.Clip(slices.Clone(s.entries)) // kept for long, so no larger than need be
	return s
}
