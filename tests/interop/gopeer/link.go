// A link: one connection's messages, and what both ends do with them.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// silent holds the sockets that are refused but stay open.
var silent sync.Map

// serial counts the messages that this process has sent.
var serial atomic.Int64

// note tells a person; it goes to standard error.
func note(form string, args ...any) {
	fmt.Fprintf(os.Stderr, "gopeer: "+form+"\n", args...)
}

type link struct {
	conn net.Conn
	in   *bufio.Reader
	out  sync.Mutex
	code byte // what we compress with
}

func newLink(c net.Conn, code byte) *link {
	return &link{conn: c, in: bufio.NewReader(c), code: code}
}

func (l *link) read() (*Message, byte, error) { return readFrame(l.in) }

// write sends a message as it is.
func (l *link) write(m *Message) error {
	l.out.Lock()
	defer l.out.Unlock()
	return writeFrame(l.conn, m, l.code)
}

// send fills in what Go's senders fill in.
func (l *link) send(m *Message) error {
	m.HDR.Created = time.Now()
	m.HDR.From = address(l.conn.LocalAddr())
	m.HDR.To = address(l.conn.RemoteAddr())
	m.HDR.Serial = serial.Add(1)
	return l.write(m)
}

// address is tcp://host:port for TLS as well, and udp:// for QUIC.
func address(a net.Addr) string { return a.Network() + "://" + a.String() }

// keepAlive sends one message each period until the link fails.
func (l *link) keepAlive(period time.Duration) {
	if period == 0 {
		return
	}
	id := newCallID()
	go func() {
		for {
			time.Sleep(period)
			m := &Message{HDR: Header{Typ: typKeepalive, Subject: id}}
			if l.write(m) != nil {
				return
			}
		}
	}()
}

func isClosed(err error) bool {
	return err != nil && strings.Contains(err.Error(), "closed")
}
