// Go's net/rpc layer: a header and a value in one payload, both ways.
package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// netHeader is of a request, or with an error of an answer.
type netHeader struct {
	ServiceMethod string
	Seq           uint64
	Error         string
}

func (h *netHeader) fields() []field {
	return []field{
		{"ServiceMethod_zid00_str", &h.ServiceMethod},
		{"Seq_zid01_u64", &h.Seq},
		{"Error_zid02_str", &h.Error},
	}
}

// arith is the argument and the reply of every method of Arith.
type arith struct{ A, B, C int64 }

func (v *arith) fields() []field {
	return []field{
		{"A_zid00_int", &v.A},
		{"B_zid01_int", &v.B},
	}
}

// results has the numbers of another struct.
func (v *arith) results() []field {
	return []field{{"C_zid00_int", &v.C}}
}

// netPack writes a header and, unless there is an error, a value.
func netPack(h *netHeader, value []field) []byte {
	p := packer{}
	p.fields(h.fields())
	p.fields(value)
	return p.b
}

func netUnpack(payload []byte, value []field) (netHeader, error) {
	var h netHeader
	u := unpacker{b: payload}
	u.fields(h.fields())
	u.fields(value)
	if u.err == nil && u.at != len(u.b) {
		u.err = errors.New("bytes behind the value")
	}
	return h, u.err
}

// busy counts the calls that run on each link; Go's server mixes them up when
// there are two.
var busy sync.Map

func netRPC(l *link, m *Message) {
	n, _ := busy.LoadOrStore(l, new(atomic.Int32))
	count := n.(*atomic.Int32)
	two := count.Add(1) > 1
	go func() {
		time.Sleep(time.Millisecond)
		count.Add(-1) // before the answer, which the next may wait for
		netAnswer(l, m, two)
	}()
}

func netAnswer(l *link, m *Message, two bool) {
	var v arith
	h, err := netUnpack(m.JobSerz, v.fields())
	if err == nil {
		err = h.run(&v)
	}
	if two {
		err = errors.New("two calls at a time")
	}
	value := v.results()
	if err != nil {
		h.Error = err.Error()
		value = nil
	}
	reply := &Message{
		HDR: Header{
			ToServiceName:   m.HDR.FromServiceName,
			FromServiceName: m.HDR.ToServiceName,
			Seqno:           m.HDR.Seqno,
			Typ:             typReply,
			CallID:          m.HDR.CallID,
			Deadline:        m.HDR.Deadline,
		},
		JobSerz: netPack(&h, value),
	}
	if err := l.send(reply); err != nil && !isClosed(err) {
		note("%v: %v", l.conn.RemoteAddr(), err)
	}
}

func (h *netHeader) run(v *arith) error {
	dot := strings.LastIndex(h.ServiceMethod, ".")
	switch {
	case dot < 0:
		return errors.New("rpc: service/method request ill-formed: " +
			h.ServiceMethod)
	case h.ServiceMethod[:dot] != "Arith":
		return errors.New("rpc: can't find service " + h.ServiceMethod)
	case h.ServiceMethod == "Arith.Add":
		v.C = v.A + v.B
	case h.ServiceMethod == "Arith.Div" && v.B == 0:
		return errors.New("divide by zero")
	case h.ServiceMethod == "Arith.Div":
		v.C = v.A / v.B
	default:
		return errors.New("rpc: can't find method " + h.ServiceMethod)
	}
	return nil
}

// netCall takes two numbers, as Go's clients do.
func (c *client) netCall(method string, v *arith) error {
	c.mu.Lock()
	c.seqno++
	h := netHeader{ServiceMethod: method, Seq: c.seqno}
	c.mu.Unlock()
	m, err := c.ask(&Message{
		HDR: Header{Typ: typNetRPC, ToServiceName: method,
			FromServiceName: "me"},
		JobSerz: netPack(&h, v.fields()),
	})
	if err != nil {
		return err
	}
	if m.HDR.Typ != typReply || m.JobErrs != "" {
		return fmt.Errorf("type %d: %s%s", m.HDR.Typ, m.HDR.Subject, m.JobErrs)
	}
	if m.HDR.ToServiceName != "me" || m.HDR.FromServiceName != method {
		return fmt.Errorf("from %q to %q", m.HDR.FromServiceName,
			m.HDR.ToServiceName)
	}
	got, err := netUnpack(m.JobSerz, v.results())
	switch {
	case err != nil:
		return err
	case got.ServiceMethod != method || got.Seq != h.Seq:
		return fmt.Errorf("%q %d came back", got.ServiceMethod, got.Seq)
	case got.Error != "":
		return remoteError(got.Error)
	}
	return nil
}

// remoteError is what the other side's method said.
type remoteError string

func (e remoteError) Error() string { return string(e) }

func checkNetRPC(c *client) (string, error) {
	for _, b := range []int64{0, 1, 300, -1, -300, 1 << 40, -1 << 62} {
		v := arith{A: 7, B: b}
		if err := c.netCall("Arith.Add", &v); err != nil {
			return "", fmt.Errorf("7 + %d: %w", b, err)
		}
		if v.C != 7+b {
			return "", fmt.Errorf("7 + %d is %d", b, v.C)
		}
	}
	want := map[string]string{
		"Arith.Div":  "divide by zero",
		"Arith.Nope": "rpc: can't find method Arith.Nope",
		"Nope.Add":   "rpc: can't find service Nope.Add",
		"Add":        "rpc: service/method request ill-formed: Add",
	}
	for method, text := range want {
		err := c.netCall(method, &arith{A: 7})
		if err == nil || err.Error() != text {
			return "", fmt.Errorf("%s: %v", method, err)
		}
	}
	return "", nil
}

// checkNetMany has calls in flight, which our server keeps apart.
func checkNetMany(c *client) (string, error) {
	failed := make(chan error, 100)
	for i := range cap(failed) {
		go func() {
			v := arith{A: int64(i), B: 1000}
			err := c.netCall("Arith.Add", &v)
			if err == nil && v.C != 1000+int64(i) {
				err = fmt.Errorf("%d + 1000 is %d", i, v.C)
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			return "", err
		}
	}
	return "", nil
}
