package exposition

import "hash/crc32"

// sum is what the end of a gzip member says of a text, and what it takes to say it
// of two texts in a row without looking at them.
type sum struct {
	size  int64  // bytes
	crc   uint32 // CRC-32 of the text
	shift uint32 // what moves the CRC-32 of a text before this one: x to the power of 8*size
}

func sumOf(text []byte) sum {
	return sum{size: int64(len(text)), crc: crc32.ChecksumIEEE(text)}.whole()
}

// then returns the sum of both texts, one after the other, of which the second is whole.
// It is not itself, because few of those that are made on the way need to be.
func (s sum) then(next sum) sum {
	if next.size == 0 {
		return s
	}
	return sum{size: s.size + next.size, crc: multiply(s.crc, next.shift) ^ next.crc}
}

// whole returns the sum with its shift.
func (s sum) whole() sum {
	s.shift = shiftBy(s.size)
	return s
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
