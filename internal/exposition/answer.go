package exposition

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"

	"github.com/klauspost/compress/flate"
)

// answer is what one client gets: the chosen families of a page, and a text after
// them.
type answer struct {
	page   *Page
	chosen func(family string) bool
	tail   []byte
}

// gzipHeader begins a gzip member whose compressor, time and system are not told.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// endOfDeflate is a last block, and empty.
const endOfDeflate = "\x03\x00"

// sendGzip sends the answer as one gzip member.
func (a *answer) sendGzip(w http.ResponseWriter, onlyHeader bool) error {
	last := compress(a.tail, 0, new(bytes.Buffer))
	body, deflated := a.page.total(a.chosen)
	size := len(gzipHeader) + deflated + len(last.deflated) + len(endOfDeflate) + 8
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	if onlyHeader {
		return nil
	}
	out := a.page.families.buffered(w)
	defer a.page.families.done(out)
	_, _ = out.WriteString(gzipHeader) // Flush returns what fails
	if err := a.page.blocks(a.chosen, func(b *block) error { _, err := out.Write(b.deflated); return err }); err != nil {
		return err
	}
	_, _ = out.Write(last.deflated)
	_, _ = out.WriteString(endOfDeflate)
	all := body.then(last.sum)
	var end [8]byte
	binary.LittleEndian.PutUint32(end[:4], all.crc)
	binary.LittleEndian.PutUint32(end[4:], uint32(all.size)) //nolint:gosec // the format wants it modulo 2^32
	_, _ = out.Write(end[:])
	return out.Flush()
}

// sendText sends the answer uncompressed.
func (a *answer) sendText(w http.ResponseWriter, onlyHeader bool) error {
	body, _ := a.page.total(a.chosen)
	w.Header().Set("Content-Length", strconv.FormatInt(body.size+int64(len(a.tail)), 10))
	if onlyHeader {
		return nil
	}
	i := a.page.families.inflaters.Get().(*inflater)
	defer a.page.families.inflaters.Put(i)
	out := a.page.families.buffered(w)
	defer a.page.families.done(out)
	if err := a.page.blocks(a.chosen, func(b *block) error { return i.write(out, b) }); err != nil {
		return err
	}
	_, _ = out.Write(a.tail)
	return out.Flush()
}

// inflater makes text of blocks again.
type inflater struct {
	source  bytes.Reader
	inflate io.ReadCloser
	piece   [4 << 10]byte
}

func newInflater() *inflater {
	i := &inflater{}
	i.inflate = flate.NewReader(&i.source)
	return i
}

// write writes the text of a block, after which the stream would go on.
func (i *inflater) write(out *bufio.Writer, b *block) error {
	i.source.Reset(b.deflated)
	if err := i.inflate.(flate.Resetter).Reset(&i.source, nil); err != nil {
		return err
	}
	for left := b.size; left > 0; {
		n, err := i.inflate.Read(i.piece[:])
		if _, failed := out.Write(i.piece[:n]); failed != nil {
			return failed
		}
		if left -= int64(n); left > 0 && err != nil {
			return err
		}
	}
	return nil
}
