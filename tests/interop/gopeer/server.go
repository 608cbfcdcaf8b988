// The server: a few methods to test with, dispatched as Go's server does.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

type server struct {
	peer
	code      byte // compression of what we send
	keepalive time.Duration

	mu      sync.Mutex
	running map[string]context.CancelFunc // by CallID, for the whole process
	noted   strings.Builder
}

type method func(s *server, ctx context.Context, l *link, m *Message) ([]byte, error)

var methods = map[string]method{
	"echo": func(_ *server, _ context.Context, _ *link, m *Message) ([]byte, error) {
		return m.JobSerz, nil
	},
	"customEcho": func(_ *server, _ context.Context, _ *link, m *Message) ([]byte, error) {
		return fmt.Appendf(m.JobSerz, "\n with time customEcho sees this: '%v'",
			time.Now()), nil
	},
	"fail": func(*server, context.Context, *link, *Message) ([]byte, error) {
		return nil, errors.New("went wrong")
	},
	"slow": slow,
	"push": push,
	// What one-way messages to note left behind, in order of arrival.
	"note": func(s *server, _ context.Context, _ *link, m *Message) ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.noted.Write(m.JobSerz)
		return nil, nil
	},
	"notes": func(s *server, _ context.Context, _ *link, _ *Message) ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return []byte(s.noted.String()), nil
	},
	// How often QUIC's keys have changed since this process began.
	"updates": func(*server, context.Context, *link, *Message) ([]byte, error) {
		return fmt.Append(nil, keyUpdates.Load()), nil
	},
	// The header as it arrived, for the other side to look at.
	"header": func(_ *server, _ context.Context, _ *link, m *Message) ([]byte, error) {
		h := m.HDR
		return fmt.Appendf(nil, "typ=%d seqno=%d callid=%d subject=%q args=%v "+
			"deadline=%v", h.Typ, h.Seqno, len(h.CallID), h.Subject, h.Args,
			!h.Deadline.IsZero()), nil
	},
}

// slow waits for its deadline or for being canceled, ten seconds at most.
func slow(_ *server, ctx context.Context, _ *link, _ *Message) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("slow saw: %w", ctx.Err())
	case <-time.After(10 * time.Second):
		return []byte("done"), nil
	}
}

// push sends three messages that nobody asked for before it answers.
func push(_ *server, _ context.Context, l *link, m *Message) ([]byte, error) {
	for range 3 {
		err := l.send(&Message{
			HDR: Header{
				Typ:           typOneWay,
				ToServiceName: "srv.SendMessage('pushed')",
				CallID:        newCallID(),
			},
			JobSerz: []byte("pushed bytes"),
		})
		if err != nil {
			return nil, err
		}
	}
	return m.JobSerz, nil
}

// serve handles one connection until it ends.
func (s *server) serve(c net.Conn) {
	l := newLink(c, s.code)
	l.keepAlive(s.keepalive)
	var bad time.Time // when an unknown name was asked for
	for {
		m, _, err := l.read()
		if err != nil {
			note("%v: %v", c.RemoteAddr(), err)
			break
		}
		if !s.dispatch(l, m) && bad.IsZero() {
			bad = time.Now()
		}
		if !bad.IsZero() && time.Since(bad) > 3*time.Second {
			break
		}
	}
	if _, ok := c.(*quicLink); !ok {
		c.Close()
	}
}

// dispatch is false when there is nobody to handle the message.
func (s *server) dispatch(l *link, m *Message) bool {
	switch m.HDR.Typ {
	case typCancel:
		s.mu.Lock()
		if cancel := s.running[m.HDR.CallID]; cancel != nil {
			cancel()
		}
		s.mu.Unlock()
		return true
	case typCall, typOneWay:
		if f := methods[m.HDR.ToServiceName]; f != nil {
			s.begin(l, m, f)
			return true
		}
	case typNetRPC:
		if len(m.JobSerz) != 0 {
			netRPC(l, m)
			return true
		}
	case typBistream, typUpload, typDownload:
	default:
		return true
	}
	unknown(l, m)
	return false
}

// begin runs a call; one-way messages run in order, so that they can be counted.
func (s *server) begin(l *link, m *Message, f method) {
	if m.HDR.Typ == typOneWay {
		f(s, context.Background(), l, m)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	if !m.HDR.Deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, m.HDR.Deadline)
	}
	s.mu.Lock()
	s.running[m.HDR.CallID] = cancel
	s.mu.Unlock()
	go func() {
		s.answer(ctx, l, m, f)
		s.mu.Lock()
		delete(s.running, m.HDR.CallID)
		s.mu.Unlock()
		cancel()
	}()
}

func (s *server) answer(ctx context.Context, l *link, m *Message, f method) {
	payload, err := f(s, ctx, l, m)
	reply := &Message{
		HDR: Header{
			ToServiceName:   m.HDR.ToServiceName,
			FromServiceName: m.HDR.ToServiceName,
			Subject:         m.HDR.Subject,
			Seqno:           m.HDR.Seqno,
			Typ:             typReply,
			CallID:          m.HDR.CallID,
			Deadline:        m.HDR.Deadline,
		},
		JobSerz: payload,
	}
	if err != nil {
		reply.JobErrs = err.Error()
	}
	if err := l.send(reply); err != nil && !isClosed(err) {
		note("%v: %v", l.conn.RemoteAddr(), err)
	}
}

// unknown returns the request itself.
func unknown(l *link, m *Message) {
	m.HDR.Subject = fmt.Sprintf("no service %q of type %d is registered here",
		m.HDR.ToServiceName, m.HDR.Typ)
	m.HDR.Typ = typError
	m.JobSerz = nil
	if err := l.send(m); err != nil {
		note("%v: %v", l.conn.RemoteAddr(), err)
	}
}
