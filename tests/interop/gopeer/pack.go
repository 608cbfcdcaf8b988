// Scalars of the message format: what Go writes, and what Go refuses to read.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// packer appends values to a body.
type packer struct{ b []byte }

func (p *packer) code(c byte, width int, v uint64) {
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], v)
	p.b = append(append(p.b, c), be[8-width:]...)
}

// signed writes the shortest signed form; d0 only for negative numbers.
func (p *packer) signed(v int64) {
	switch {
	case v >= -32 && v <= math.MaxInt8:
		p.b = append(p.b, byte(v))
	case v >= math.MinInt8 && v < 0:
		p.code(0xd0, 1, uint64(v))
	case v >= math.MinInt16 && v <= math.MaxInt16:
		p.code(0xd1, 2, uint64(v))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		p.code(0xd2, 4, uint64(v))
	default:
		p.code(0xd3, 8, uint64(v))
	}
}

func (p *packer) unsigned(v uint64) {
	switch {
	case v <= math.MaxInt8:
		p.b = append(p.b, byte(v))
	case v <= math.MaxUint8:
		p.code(0xcc, 1, v)
	case v <= math.MaxUint16:
		p.code(0xcd, 2, v)
	case v <= math.MaxUint32:
		p.code(0xce, 4, v)
	default:
		p.code(0xcf, 8, v)
	}
}

// sized writes a length: in the code itself below limit, else behind one of
// the codes; c8 is 0 for kinds that have no form with one byte.
func (p *packer) sized(fix byte, limit int, c8, c16, c32 byte, n int) {
	switch {
	case n < limit:
		p.b = append(p.b, fix|byte(n))
	case n <= math.MaxUint8 && c8 != 0:
		p.code(c8, 1, uint64(n))
	case n <= math.MaxUint16:
		p.code(c16, 2, uint64(n))
	default:
		p.code(c32, 4, uint64(n))
	}
}

func (p *packer) str(s string) {
	p.sized(0xa0, 32, 0xd9, 0xda, 0xdb, len(s))
	p.b = append(p.b, s...)
}

func (p *packer) bin(b []byte) {
	p.sized(0, 0, 0xc4, 0xc5, 0xc6, len(b))
	p.b = append(p.b, b...)
}

func (p *packer) mapHead(n int) { p.sized(0x80, 16, 0, 0xde, 0xdf, n) }

func (p *packer) boolean(v bool) {
	if v {
		p.b = append(p.b, 0xc3)
	} else {
		p.b = append(p.b, 0xc2)
	}
}

func (p *packer) time(t time.Time) {
	p.b = append(p.b, 0xc7, 12, 5)
	p.b = binary.BigEndian.AppendUint64(p.b, uint64(t.Unix()))
	p.b = binary.BigEndian.AppendUint32(p.b, uint32(t.Nanosecond()))
}

func (p *packer) args(m map[string]string) {
	p.mapHead(len(m))
	for k, v := range m {
		p.str(k)
		p.str(v)
	}
}

// unpacker reads values of a body; the first error stays.
type unpacker struct {
	b   []byte
	at  int
	err error
}

var errCut = errors.New("cut off")

func (u *unpacker) refuse(c byte, what string) {
	if u.err == nil {
		u.err = fmt.Errorf("byte %d: code %02x for %s", u.at, c, what)
	}
}

func (u *unpacker) take(n int) []byte {
	if u.err == nil && (n < 0 || n > len(u.b)-u.at) {
		u.err = errCut
	}
	if u.err != nil {
		return nil
	}
	u.at += n
	return u.b[u.at-n : u.at]
}

// peek is the next byte; 0xc1, which is no code at all, after an error.
func (u *unpacker) peek() byte {
	if u.err == nil && u.at >= len(u.b) {
		u.err = errCut
	}
	if u.err != nil {
		return 0xc1
	}
	return u.b[u.at]
}

// number skips the code and reads width bytes, the most significant first.
func (u *unpacker) number(width int) (v uint64) {
	b := u.take(1 + width)
	for i := 1; i < len(b); i++ {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func (u *unpacker) signed() int64 {
	switch c := u.peek(); {
	case c <= 0x7f || c >= 0xe0:
		u.take(1)
		return int64(int8(c))
	case c >= 0xd0 && c <= 0xd3:
		width := 1 << (c - 0xd0)
		shift := 64 - 8*width
		return int64(u.number(width)<<shift) >> shift
	default:
		u.refuse(c, "a signed number")
	}
	return 0
}

func (u *unpacker) unsigned() uint64 {
	switch c := u.peek(); {
	case c <= 0x7f:
		u.take(1)
		return uint64(c)
	case c >= 0xcc && c <= 0xcf:
		return u.number(1 << (c - 0xcc))
	default:
		u.refuse(c, "an unsigned number")
	}
	return 0
}

func (u *unpacker) boolean() bool {
	c := u.peek()
	if c != 0xc2 && c != 0xc3 {
		u.refuse(c, "a bool")
	}
	u.take(1)
	return c == 0xc3
}

func (u *unpacker) time() time.Time {
	b := u.take(15)
	if b == nil {
		return time.Time{}
	}
	if b[0] != 0xc7 || b[1] != 12 || b[2] != 5 {
		u.refuse(b[0], "a time")
		return time.Time{}
	}
	seconds := int64(binary.BigEndian.Uint64(b[3:]))
	return time.Unix(seconds, int64(int32(binary.BigEndian.Uint32(b[11:])))).UTC()
}

func isBin(c byte) bool { return c >= 0xc4 && c <= 0xc6 }

func (u *unpacker) str() string {
	switch c := u.peek(); {
	case c >= 0xa0 && c <= 0xbf:
		u.take(1)
		return string(u.take(int(c & 31)))
	case c >= 0xd9 && c <= 0xdb:
		return string(u.take(int(u.number(1 << (c - 0xd9)))))
	default:
		u.refuse(c, "a str")
	}
	return ""
}

func (u *unpacker) bin() []byte {
	c := u.peek()
	if !isBin(c) {
		u.refuse(c, "a bin")
		return nil
	}
	return u.take(int(u.number(1 << (c - 0xc4))))
}

// key is a str; Go takes a bin here as well.
func (u *unpacker) key() string {
	if isBin(u.peek()) {
		return string(u.bin())
	}
	return u.str()
}

func (u *unpacker) mapHead() int {
	switch c := u.peek(); {
	case c >= 0x80 && c <= 0x8f:
		u.take(1)
		return int(c & 15)
	case c == 0xde || c == 0xdf:
		return int(u.number(2 << (c - 0xde)))
	default:
		u.refuse(c, "a map")
	}
	return 0
}

func (u *unpacker) args() map[string]string {
	n := u.mapHead()
	m := make(map[string]string)
	for ; n > 0 && u.err == nil; n-- {
		k := u.str()
		m[k] = u.str()
	}
	return m
}

// null takes a nil, which stands for the zero of any kind.
func (u *unpacker) null() bool {
	if u.peek() != 0xc0 {
		return false
	}
	u.take(1)
	return true
}

// skip takes one value of any kind, with all that is in it.
func (u *unpacker) skip() {
	for owed := 1; owed > 0 && u.err == nil; owed-- {
		owed += u.skipOne()
	}
}

// skipOne takes one item; the result is how many items follow inside it.
func (u *unpacker) skipOne() int {
	switch c := u.peek(); {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
		u.take(1)
	case c <= 0x8f || c == 0xde || c == 0xdf:
		return 2 * u.mapHead()
	case c <= 0x9f:
		u.take(1)
		return int(c & 15)
	case c == 0xdc || c == 0xdd:
		return int(u.number(2 << (c - 0xdc)))
	case c <= 0xbf || c >= 0xd9:
		u.str()
	case isBin(c):
		u.bin()
	case c >= 0xc7 && c <= 0xc9:
		u.take(1 + int(u.number(1<<(c-0xc7))))
	case c == 0xca || c == 0xcb:
		u.take(1 + 4<<(c-0xca))
	case c >= 0xcc && c <= 0xd3:
		u.take(1 + 1<<((c-0xcc)&3))
	case c >= 0xd4 && c <= 0xd8:
		u.take(2 + 1<<(c-0xd4))
	default:
		u.refuse(c, "anything")
	}
	return 0
}
