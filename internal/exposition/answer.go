package exposition

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
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
	last := a.page.families.compress(a.tail, 0)
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
	if err := a.blocks(&last, func(b *block) error { _, err := out.Write(b.deflated); return err }); err != nil {
		return err
	}
	_, _ = out.WriteString(endOfDeflate)
	all := body.then(last.sum)
	var end [8]byte
	binary.LittleEndian.PutUint32(end[:4], all.crc)
	binary.LittleEndian.PutUint32(end[4:], uint32(all.size)) //nolint:gosec // the format wants it modulo 2^32
	_, _ = out.Write(end[:])
	return out.Flush()
}

// blocks hands over every block of the answer.
func (a *answer) blocks(last *block, yield func(*block) error) error {
	if err := a.page.blocks(a.chosen, yield); err != nil {
		return err
	}
	return yield(last)
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
	inflate io.ReadCloser
	source  source
	end     []byte
	piece   [4 << 10]byte
}

func newInflater() *inflater {
	i := &inflater{end: []byte(endOfDeflate)}
	i.inflate = flate.NewReader(&i.source)
	return i
}

// write writes the text of a block.
func (i *inflater) write(out *bufio.Writer, b *block) error {
	i.source = source{b.deflated, i.end}
	if err := i.inflate.(flate.Resetter).Reset(&i.source, nil); err != nil {
		return err
	}
	for {
		n, err := i.inflate.Read(i.piece[:])
		if _, failed := out.Write(i.piece[:n]); failed != nil {
			return failed
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// source reads a block, and after it the end of a deflate stream.
type source struct{ now, then []byte }

// ReadByte implements io.ByteReader, without which more would be read than asked for.
func (s *source) ReadByte() (byte, error) {
	var p [1]byte
	_, err := s.Read(p[:])
	return p[0], err
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if len(s.now) == 0 {
		s.now, s.then = s.then, nil
	}
	if len(s.now) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.now)
	s.now = s.now[n:]
	return n, nil
}
