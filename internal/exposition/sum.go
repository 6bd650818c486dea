package exposition

import "hash/crc32"

// sum is what the end of a gzip member says of a text, and what it takes to say it
// of two texts in a row without looking at them.
type sum struct {
	size  int64  // bytes
	crc   uint32 // CRC-32 of the text
	shift uint32 // what moves the CRC-32 of a text before this one: x to the power of 8*size
}

// nothing is the sum of an empty text.
func nothing() sum { return sum{shift: one} }

func sumOf(text []byte) sum {
	return sum{size: int64(len(text)), crc: crc32.ChecksumIEEE(text), shift: shiftBy(int64(len(text)))}
}

// then returns the sum of both texts, one after the other. That of an empty text
// may be the zero value.
func (s sum) then(next sum) sum {
	switch {
	case next.size == 0:
		return s
	case s.size == 0:
		return next
	}
	return sum{size: s.size + next.size, crc: multiply(s.crc, next.shift) ^ next.crc, shift: multiply(s.shift, next.shift)}
}

// A CRC-32 is the remainder of a polynomial over bits. Its highest bit is the
// coefficient of 1, so that these are 1 and x to the power of 8, a byte further.
const (
	one    = 1 << 31
	byByte = 1 << 23
)

// shiftBy returns x to the power of 8*size.
func shiftBy(size int64) uint32 {
	shift, power := uint32(one), uint32(byByte)
	for ; size > 0; size >>= 1 {
		if size&1 == 1 {
			shift = multiply(shift, power)
		}
		power = multiply(power, power)
	}
	return shift
}

// multiply multiplies two polynomials, and returns the remainder.
func multiply(a, b uint32) uint32 {
	product := uint32(0)
	for ; a != 0; a <<= 1 {
		product ^= b & -(a >> 31)
		b = b>>1 ^ crc32.IEEE&-(b&1) // times x
	}
	return product
}
