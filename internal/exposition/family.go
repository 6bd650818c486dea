package exposition

import (
	"bufio"
	"bytes"
	"cmp"
	"hash/maphash"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Family describes a metric family. Its name, and the names of its labels, are such as
// need no quotes.
type Family struct {
	Name string
	Help string
	Type string // gauge or counter
}

// Families are those that can be served, in the order in which they are.
type Families struct {
	names   []string
	headers []run // HELP and TYPE of each
	seed    maphash.Seed

	// What takes memory to make, to be used again. A client who reads slowly holds one
	// of the last two.
	builders, inflaters, buffers sync.Pool
}

// NewFamilies returns the families, to be served in alphabetical order.
func NewFamilies(families []Family) *Families {
	f := &Families{seed: maphash.MakeSeed()}
	f.builders.New = func() any { return &Builder{families: f, texts: make([][]byte, len(f.names))} }
	f.inflaters.New = func() any { return newInflater() }
	f.buffers.New = func() any { return bufio.NewWriterSize(nil, 32<<10) }
	for _, family := range slices.SortedFunc(slices.Values(families), func(a, b Family) int { return cmp.Compare(a.Name, b.Name) }) {
		header := "# HELP " + family.Name + " " + helpEscaper.Replace(family.Help) + "\n# TYPE " + family.Name + " " + family.Type + "\n"
		f.names = append(f.names, family.Name)
		b := compress([]byte(header), 0, new(bytes.Buffer))
		f.headers = append(f.headers, run{b.sum, len(b.deflated), []*block{&b}})
	}
	return f
}

func (f *Families) buffered(w io.Writer) *bufio.Writer {
	b := f.buffers.Get().(*bufio.Writer)
	b.Reset(w)
	return b
}

func (f *Families) done(b *bufio.Writer) {
	b.Reset(nil)
	f.buffers.Put(b)
}

// Build has the function write series, with a builder that must not be used
// afterwards.
func (f *Families) Build(write func(*Builder)) {
	b := f.builders.Get().(*Builder)
	write(b)
	f.builders.Put(b)
}

var (
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// Escape returns a label value as the text format writes it.
func Escape(value string) string {
	for i := range len(value) {
		if c := value[i]; c == '\\' || c == '\n' || c == '"' {
			return labelEscaper.Replace(value)
		}
	}
	return value
}

// Series writes the series of one family that have the same label names.
type Series struct {
	family int
	pieces []piece
	end    string // after the last label
}

// piece is a label, and what stands before its value.
type piece struct {
	before string
	label  int // in the order in which values are given
}

// Series returns what writes series of the family with these labels. It panics if
// there is no such family.
func (f *Families) Series(name string, labels ...string) *Series {
	family, found := slices.BinarySearch(f.names, name)
	if !found {
		panic("exposition: no metric family " + name)
	}
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(labels[a], labels[b]) })
	s := &Series{family: family, end: name + " "}
	for i, label := range order {
		before := `",`
		if i == 0 {
			before = name + "{"
		}
		s.pieces = append(s.pieces, piece{before + labels[label] + `="`, label})
		s.end = `"} `
	}
	return s
}

// append writes a series. The first label values are escaped, the others are not.
func (s *Series) append(text []byte, value float64, escaped, others []string) []byte {
	for i := range s.pieces {
		p := &s.pieces[i]
		text = append(text, p.before...)
		if p.label < len(escaped) {
			text = append(text, escaped[p.label]...)
		} else {
			text = append(text, Escape(others[p.label-len(escaped)])...)
		}
	}
	text = append(text, s.end...)
	return append(appendValue(text, value), '\n')
}

func appendValue(text []byte, value float64) []byte {
	if value == 0 { // or -0, which the library writes as 0 too
		return append(text, '0')
	}
	return strconv.AppendFloat(text, value, 'g', -1, 64)
}
