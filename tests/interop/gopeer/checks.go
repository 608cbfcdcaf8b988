// What a client tries on a server; each check has a connection of its own.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"time"
)

// check returns what was measured, or why it failed.
type check func(c *client) (string, error)

var checks = map[string]check{
	"echo":       checkEcho,
	"customEcho": checkCustomEcho,
	"fields":     checkFields,
	"numbers":    checkNumbers,
	"big":        checkBig,
	"largest":    checkLargest,
	"fail":       checkFail,
	"unknown":    checkUnknown,
	"unserved":   checkUnserved,
	"deadline":   checkDeadline,
	"past":       checkPast,
	"cancel":     checkCancel,
	"oneway":     checkOneWay,
	"pipeline":   checkPipeline,
	"sequence":   checkSequence,
	"keepalive":  checkKeepalive,
	"idle":       checkIdle,
	"push":       checkPush,
	"netrpc":     checkNetRPC,
	"netmany":    checkNetMany,
}

// random is the same bytes in every run.
func random(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(int64(n) + 1)).Read(b)
	return b
}

func echoed(c *client, payload []byte) error {
	got, err := c.call("echo", payload)
	if err != nil {
		return fmt.Errorf("%d bytes: %w", len(payload), err)
	}
	if !bytes.Equal(got, payload) {
		return fmt.Errorf("%d bytes came back as %d others", len(payload), len(got))
	}
	return nil
}

// Lengths around every change of form.
func checkEcho(c *client) (string, error) {
	sizes := []int{0, 1, 31, 32, 127, 128, 255, 256, 4096, 65535, 65536, 300000}
	for _, n := range sizes {
		if err := echoed(c, random(n)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d sizes", len(sizes)), nil
}

func checkCustomEcho(c *client) (string, error) {
	got, err := c.call("customEcho", []byte("hello"))
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(got, []byte("hello\n with time customEcho sees this: '")) {
		return "", fmt.Errorf("an answer of %q", got)
	}
	return "", nil
}

// echoes tells what of a request's header the answer must repeat.
func echoes(q, a *Message) error {
	switch {
	case a.HDR.Seqno != q.HDR.Seqno:
		return errors.New("another Seqno")
	case a.HDR.CallID != q.HDR.CallID:
		return errors.New("another CallID")
	case a.HDR.Subject != q.HDR.Subject:
		return errors.New("another Subject")
	case a.HDR.ToServiceName != q.HDR.ToServiceName:
		return errors.New("another ToServiceName")
	case !a.HDR.Deadline.Equal(q.HDR.Deadline):
		return errors.New("another Deadline")
	}
	return nil
}

// All 22 fields of a header, with a code that says "no compression, please".
func checkFields(c *client) (string, error) {
	q := &Message{
		HDR: Header{
			ToServiceName:              "echo",
			ToPeerServiceNameVersion:   "v1",
			FromServiceName:            "from",
			FromPeerServiceNameVersion: "v2",
			Args:                       map[string]string{"k": "v", "": "", "long": strings.Repeat("x", 300)},
			Subject:                    strings.Repeat("s", 40),
			Typ:                        typCall,
			LocalRecvTm:                time.Now(),
			Deadline:                   time.Now().Add(time.Minute),
			StreamPart:                 1 << 40,
			NoSystemCompression:        true,
			ToPeerID:                   newCallID(),
			ToPeerName:                 "b",
			FromPeerID:                 newCallID(),
			FromPeerName:               "a",
			FragOp:                     -6,
		},
		JobSerz: []byte("all fields"),
	}
	a, err := c.ask(q)
	if err != nil {
		return "", err
	}
	if a.HDR.Typ != typReply || a.JobErrs != "" || string(a.JobSerz) != "all fields" {
		return "", fmt.Errorf("type %d, %q, %q", a.HDR.Typ, a.JobErrs, a.JobSerz)
	}
	return "", echoes(q, a)
}

// Every width of a number, signed and unsigned.
func checkNumbers(c *client) (string, error) {
	n := 0
	for shift := 0; shift < 63; shift++ {
		for _, v := range []int64{1<<shift - 1, 1 << shift, -1 << shift, -1<<shift - 1} {
			q := &Message{
				HDR: Header{Typ: typCall, ToServiceName: "echo",
					StreamPart: v, FragOp: -v},
				JobSerz: fmt.Append(nil, v),
			}
			c.mu.Lock()
			c.seqno = max(c.seqno, uint64(1)<<shift+uint64(n))
			c.mu.Unlock()
			a, err := c.ask(q)
			if err == nil {
				err = echoes(q, a)
			}
			if err == nil && !bytes.Equal(a.JobSerz, q.JobSerz) {
				err = errors.New("another payload")
			}
			if err != nil {
				return "", fmt.Errorf("%d: %w", v, err)
			}
			n++
		}
	}
	return fmt.Sprintf("%d calls", n), nil
}

func checkBig(c *client) (string, error) {
	for _, n := range []int{1 << 20, 1200000} {
		if err := echoed(c, random(n)); err != nil {
			return "", err
		}
	}
	return "1048576 and 1200000 bytes", nil
}

// As much as a Go sender lets through: echoed, or refused for this call alone.
func checkLargest(c *client) (string, error) {
	b := random(payloadMax)
	got, err := c.call("echo", b)
	if err == nil && !bytes.Equal(got, b) {
		return "", errors.New("came back changed")
	}
	said := "echoed"
	if err != nil {
		if !strings.HasPrefix(err.Error(), "remote: ") {
			return "", err
		}
		said = err.Error()
	}
	return said, echoed(c, []byte("still here"))
}

func checkFail(c *client) (string, error) {
	_, err := c.call("fail", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "remote: ") ||
		!strings.Contains(err.Error(), "went wrong") {
		return "", fmt.Errorf("not the method's own words: %v", err)
	}
	return err.Error(), echoed(c, []byte("still here"))
}

// isError wants the request back as type 104.
func isError(c *client, q *Message) (string, error) {
	sent := *q
	a, err := c.ask(&sent)
	switch {
	case err != nil:
		return "", err
	case a.HDR.Typ != typError || a.HDR.Subject == "":
		return "", fmt.Errorf("type %d, subject %q", a.HDR.Typ, a.HDR.Subject)
	case len(a.JobSerz) != 0:
		return "", errors.New("the payload came back")
	case a.HDR.CallID != sent.HDR.CallID || a.HDR.ToServiceName != q.HDR.ToServiceName:
		return "", errors.New("another CallID or ToServiceName")
	}
	return a.HDR.Subject, nil
}

func checkUnknown(c *client) (string, error) {
	said, err := isError(c, &Message{
		HDR:     Header{Typ: typCall, ToServiceName: "no such method"},
		JobSerz: []byte("x"),
	})
	if err != nil {
		return "", err
	}
	// Within three seconds Go's server still serves.
	return said, echoed(c, []byte("still here"))
}

// Requests for what a server without streams has not got.
func checkUnserved(c *client) (string, error) {
	for _, typ := range []int64{typNetRPC, typBistream, typUpload, typDownload} {
		_, err := isError(c, &Message{
			HDR: Header{Typ: typ, ToServiceName: "Arith.Add"},
		})
		if err != nil {
			return "", fmt.Errorf("type %d: %w", typ, err)
		}
	}
	return "", nil
}

// lateCall wants the remote error of a call whose time is up, and when.
func lateCall(c *client, in time.Duration) (string, error) {
	begin := time.Now()
	q := &Message{HDR: Header{Typ: typCall, ToServiceName: "slow",
		Deadline: begin.Add(in)}}
	a, err := c.ask(q)
	if err != nil {
		return "", err
	}
	if a.JobErrs == "" {
		return "", errors.New("answered without an error")
	}
	took := time.Since(begin)
	if took < in || took > max(in, 0)+5*time.Second {
		return "", fmt.Errorf("after %v", took)
	}
	return a.JobErrs, echoes(q, a)
}

func checkDeadline(c *client) (string, error) { return lateCall(c, 300*time.Millisecond) }
func checkPast(c *client) (string, error)     { return lateCall(c, -time.Hour) }

func checkCancel(c *client) (string, error) {
	q := &Message{HDR: Header{Typ: typCall, ToServiceName: "slow"}}
	ch, err := c.start(q)
	if err != nil {
		return "", err
	}
	cancel := Message{HDR: q.HDR}
	cancel.HDR.Typ = typCancel
	if err := c.send(&cancel); err != nil {
		return "", err
	}
	begin := time.Now()
	a, err := c.wait(ch)
	if err != nil {
		return "", err
	}
	if a.JobErrs == "" || time.Since(begin) > 5*time.Second {
		return "", fmt.Errorf("error %q after %v", a.JobErrs, time.Since(begin))
	}
	return a.JobErrs, echoed(c, []byte("still here"))
}

// One-way messages arrive, each once; one to nobody is told about.
func checkOneWay(c *client) (string, error) {
	const count = 50
	before, err := c.call("notes", nil)
	if err != nil {
		return "", err
	}
	for range count {
		if err := c.tell("note", []byte("n")); err != nil {
			return "", err
		}
	}
	end := time.Now().Add(15 * time.Second)
	got := 0
	for got < count && time.Now().Before(end) {
		after, err := c.call("notes", nil)
		if err != nil {
			return "", err
		}
		got = len(after) - len(before)
		time.Sleep(20 * time.Millisecond)
	}
	if got != count {
		return "", fmt.Errorf("%d of %d arrived", got, count)
	}
	if n := c.pushes(); n != 0 {
		return "", fmt.Errorf("%d of them were answered", n)
	}
	if err := c.tell("no such method", nil); err != nil {
		return "", err
	}
	if err := echoed(c, []byte("x")); err != nil {
		return "", err
	}
	if n := c.pushes(); n != 1 || c.pushed[0].HDR.Typ != typError {
		return "", fmt.Errorf("%d answers to a message for nobody", n)
	}
	return fmt.Sprintf("%d messages", count), nil
}

// 2000 calls in flight, every answer looked at.
func checkPipeline(c *client) (string, error) {
	const calls = 2000
	type one struct {
		q  *Message
		ch chan *Message
	}
	var all [calls]one
	failed := make(chan error, 1)
	sent := make(chan int, calls)
	go func() {
		for i := range all {
			q := &Message{
				HDR:     Header{Typ: typCall, ToServiceName: "echo"},
				JobSerz: random(i),
			}
			ch, err := c.start(q)
			if err != nil {
				failed <- err
				return
			}
			all[i] = one{q, ch}
			sent <- i
		}
	}()
	for n := 0; n < calls; n++ {
		select {
		case err := <-failed:
			return "", err
		case i := <-sent:
			a, err := c.wait(all[i].ch)
			if err == nil {
				err = echoes(all[i].q, a)
			}
			if err == nil && !bytes.Equal(a.JobSerz, all[i].q.JobSerz) {
				err = errors.New("another payload")
			}
			if err != nil {
				return "", fmt.Errorf("call %d: %w", i, err)
			}
		}
	}
	return fmt.Sprintf("%d calls", calls), nil
}

// One call after another: on QUIC, packets enough for new keys.
func checkSequence(c *client) (string, error) {
	const calls = 500
	before := keyUpdates.Load()
	for i := range calls {
		if err := echoed(c, random(i%600)); err != nil {
			return "", fmt.Errorf("call %d: %w", i, err)
		}
	}
	updates := keyUpdates.Load() - before
	if _, ok := c.conn.(*quicLink); ok && updates == 0 {
		return "", errors.New("no key update")
	}
	return fmt.Sprintf("%d calls, %d key updates", calls, updates), nil
}

// Keepalives are not answered and do no harm.
func checkKeepalive(c *client) (string, error) {
	for epoch := range int64(300) {
		err := c.write(&Message{HDR: Header{Typ: typKeepalive,
			Subject: "abc", StreamPart: epoch}})
		if err != nil {
			return "", err
		}
	}
	if err := echoed(c, []byte("x")); err != nil {
		return "", err
	}
	if n := c.pushes(); n != 0 {
		return "", fmt.Errorf("%d answers", n)
	}
	return "", nil
}

// Longer than QUIC's idle timeout, with nothing but what -keepalive sends.
func checkIdle(c *client) (string, error) {
	if err := echoed(c, []byte("before")); err != nil {
		return "", err
	}
	time.Sleep(35 * time.Second)
	return "35 s", echoed(c, []byte("after"))
}

func checkPush(c *client) (string, error) {
	got, err := c.call("push", []byte("x"))
	if err != nil {
		return "", err
	}
	if string(got) != "x" || c.pushes() != 3 {
		return "", fmt.Errorf("%q and %d pushes", got, c.pushes())
	}
	return "", nil
}
