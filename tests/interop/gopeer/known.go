// The list of known keys: a text file whose mode decides.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
)

const (
	knownHead = "# known_pub_keys file: address pubkey-identity-string\n"
	knownTag  = "pubkey@edwardsRPC-ed25519-b58c-"
	base58    = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

func checksum(b []byte) []byte {
	one := sha256.Sum256(b)
	two := sha256.Sum256(one[:])
	return two[:4]
}

// encodeKey is base58check of a key, with 0xff as its version.
func encodeKey(key []byte) string {
	b := append([]byte{0xff}, key...)
	b = append(b, checksum(b)...)
	n := new(big.Int).SetBytes(b)
	digit, radix := new(big.Int), big.NewInt(58)
	var out []byte
	for n.Sign() > 0 {
		n.DivMod(n, radix, digit)
		out = append([]byte{base58[digit.Int64()]}, out...)
	}
	return string(out)
}

func decodeKey(text string) ([]byte, error) {
	n, radix := new(big.Int), big.NewInt(58)
	for _, c := range text {
		digit := strings.IndexRune(base58, c)
		if digit < 0 {
			return nil, fmt.Errorf("%q is no base58", text)
		}
		n.Mul(n, radix).Add(n, big.NewInt(int64(digit)))
	}
	b := n.Bytes()
	if len(b) != 37 || b[0] != 0xff || !bytes.Equal(checksum(b[:33]), b[33:]) {
		return nil, fmt.Errorf("%q is no key", text)
	}
	return b[1:33], nil
}

// parseKnown is the keys of a list.
func parseKnown(text string) (keys [][]byte, err error) {
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 2 || !strings.HasPrefix(words[1], knownTag) {
			return nil, fmt.Errorf("known keys: a strange line: %q", line)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(words[1], knownTag), ":")
		key, err := decodeKey(id)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// admit asks the list at path ("" or absent: no list) about a peer.  Every
// certificate that it sent must have an Ed25519 key.
func admit(path, host string, certs []*x509.Certificate) error {
	for _, c := range certs {
		if _, ok := c.PublicKey.(ed25519.PublicKey); !ok {
			return errors.New("a certificate without an Ed25519 key")
		}
	}
	if len(certs) == 0 {
		return errors.New("no certificate")
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	keys, err := parseKnown(string(text))
	if err != nil {
		return err
	}
	for _, c := range certs {
		for _, k := range keys {
			if bytes.Equal(k, c.PublicKey.(ed25519.PublicKey)) {
				return nil
			}
		}
	}
	if info.Mode().Perm()&0o222 == 0 {
		return errors.New("known keys: locked, and this key is not among them")
	}
	return record(path, string(text), host, certs[0])
}

// record adds a key; the list as it was stays beside it.
func record(path, text, host string, cert *x509.Certificate) error {
	if text == "" {
		text = knownHead
	}
	text += fmt.Sprintf("%s %s%s:%s\n", host, knownTag,
		encodeKey(cert.PublicKey.(ed25519.PublicKey)),
		strings.Join(cert.EmailAddresses, ","))
	if err := os.Rename(path, path+".old"); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
