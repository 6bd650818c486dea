package exposition

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzBlocks joins blocks of any texts: the whole is one gzip member of the texts in a
// row, and the sums are those of the whole.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("one"), []byte("two"), []byte(""))
	f.Add([]byte(""), []byte(""), []byte(""))
	f.Add(bytes.Repeat([]byte("line\n"), 2000), []byte{0, 0xff}, bytes.Repeat([]byte("line\n"), 2000))
	random := rand.New(rand.NewPCG(1, 2))
	var noise, lines []byte // of several windows of the compressor
	for range 20_000 {
		noise = binary.LittleEndian.AppendUint64(noise, random.Uint64())
		lines = fmt.Appendf(lines, "line %d\n", random.IntN(1e6))
	}
	f.Add(noise, lines, slices.Concat(lines, noise, lines))
	buffer := new(bytes.Buffer)
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		joined, whole := sum{}, bytes.Join([][]byte{a, b, c}, nil)
		file := []byte(gzipHeader)
		for _, text := range [][]byte{a, b, c} {
			block := compress(text, 0, buffer)
			checkBlock(t, &block, text)
			joined = joined.then(block.sum)
			file = append(file, block.deflated...)
		}
		if joined = joined.whole(); joined != sumOf(whole) || joined.crc != crc32.ChecksumIEEE(whole) {
			t.Errorf("sum: got %+v, want %+v, CRC-32 %x", joined, sumOf(whole), crc32.ChecksumIEEE(whole))
		}
		file = append(file, endOfDeflate...)
		file = binary.LittleEndian.AppendUint32(file, joined.crc)
		file = binary.LittleEndian.AppendUint32(file, uint32(joined.size))
		checkMember(t, file, whole)
	})
}

// checkBlock has the block inflated alone.
func checkBlock(t *testing.T, b *block, text []byte) {
	t.Helper()
	got, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b.deflated), bytes.NewReader([]byte(endOfDeflate)))))
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("inflate a block of %d bytes: %d bytes, %v", len(text), len(got), err)
	}
}

// checkMember checks that the file is one gzip member, with nothing after it.
func checkMember(t *testing.T, file, text []byte) {
	t.Helper()
	rest := bytes.NewReader(file)
	zip, err := gzip.NewReader(rest)
	if err != nil {
		t.Fatal(err)
	}
	zip.Multistream(false)
	got, err := io.ReadAll(zip)
	if err != nil || !bytes.Equal(got, text) || rest.Len() != 0 {
		t.Errorf("got %d bytes, %v, and %d bytes after the member; want %d and none", len(got), err, rest.Len(), len(text))
	}
}

// TestLongSums joins sums of texts that nobody would make, past 4 GiB.
func TestLongSums(t *testing.T) {
	zeros := make([]byte, 1<<20)
	got := sumOf(zeros)
	for range 12 { // 4 GiB of zeros, by doubling
		got = got.then(got).whole()
	}
	crc := uint32(0)
	for range 1 << 12 {
		crc = crc32.Update(crc, crc32.IEEETable, zeros)
	}
	if want := (sum{size: 1 << 32, crc: crc, shift: shiftBy(1 << 32)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
