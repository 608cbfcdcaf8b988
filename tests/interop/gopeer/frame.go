// Frames: magic, compression code, length, body.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

const (
	magic      = "\xb3\x5d\x18\x39\xac\x8e\x1d"
	bodyMax    = 1310640
	payloadMax = 1309616

	codeNone     = 0
	codeS2       = 1
	codeNoSystem = 7
)

// readFrame reads one message and the code that it came in.
func readFrame(r io.Reader) (*Message, byte, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	if string(head[:7]) != magic {
		return nil, 0, fmt.Errorf("wrong magic %x", head[:7])
	}
	code := head[7]
	n := binary.BigEndian.Uint64(head[8:])
	if n == 0 || n > bodyMax {
		return nil, 0, fmt.Errorf("a body of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, 0, err
	}
	m, err := decode(decompress(code, &body))
	if err != nil {
		return nil, 0, fmt.Errorf("malformed message: %w", err)
	}
	return m, code, nil
}

// decompress ends the process at a code it does not have, as Go's peers do: a
// peer of ours that sends one must not go unnoticed.
func decompress(code byte, body *[]byte) []byte {
	switch code {
	case codeNone, codeNoSystem:
		return *body
	case codeS2:
		plain, err := io.ReadAll(s2.NewReader(bytes.NewReader(*body)))
		if err != nil {
			return nil // malformed
		}
		return plain
	}
	panic(fmt.Sprintf("compression code %d", code))
}

// writeFrame writes in three pieces, as Go does.
func writeFrame(w io.Writer, m *Message, code byte) error {
	if len(m.JobSerz) > payloadMax {
		panic(fmt.Sprintf("a payload of %d bytes", len(m.JobSerz)))
	}
	if m.HDR.NoSystemCompression {
		code = codeNoSystem
	}
	body := m.encode()
	if code == codeS2 {
		var out bytes.Buffer
		z := s2.NewWriter(&out)
		z.Write(body) // a Buffer takes everything
		z.Close()
		body = out.Bytes()
	}
	for _, piece := range [][]byte{
		append([]byte(magic), code),
		binary.BigEndian.AppendUint64(nil, uint64(len(body))),
		body,
	} {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
