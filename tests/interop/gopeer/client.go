// The client: calls of one connection, answered in any order.
package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const callMax = 20 * time.Second // a Go client waits so long

type client struct {
	*link
	mu      sync.Mutex
	seqno   uint64
	waiting map[uint64]chan *Message
	pushed  []*Message
	err     error
	ended   chan struct{}
}

func newClient(c net.Conn, code byte, keepalive time.Duration) *client {
	cl := &client{
		link:    newLink(c, code),
		seqno:   1,
		waiting: make(map[uint64]chan *Message),
		ended:   make(chan struct{}),
	}
	cl.keepAlive(keepalive)
	go cl.receive()
	return cl
}

// receive gives answers to who waits for their Seqno, whatever their type is.
func (c *client) receive() {
	for {
		m, _, err := c.read()
		c.mu.Lock()
		if err != nil {
			c.err = err
			c.mu.Unlock()
			close(c.ended)
			return
		}
		if ch := c.waiting[m.HDR.Seqno]; ch != nil {
			delete(c.waiting, m.HDR.Seqno)
			ch <- m
		} else {
			c.pushed = append(c.pushed, m)
		}
		c.mu.Unlock()
	}
}

// pushes is how many messages answered nothing.
func (c *client) pushes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pushed)
}

// start sends a message; its answer will be in the channel.
func (c *client) start(m *Message) (chan *Message, error) {
	ch := make(chan *Message, 1)
	c.mu.Lock()
	c.seqno++
	m.HDR.Seqno = c.seqno
	c.waiting[m.HDR.Seqno] = ch
	c.mu.Unlock()
	if m.HDR.CallID == "" {
		m.HDR.CallID = newCallID()
	}
	return ch, c.send(m)
}

func (c *client) wait(ch chan *Message) (*Message, error) {
	select {
	case m := <-ch:
		return m, nil
	case <-c.ended:
	case <-time.After(callMax):
		return nil, errors.New("no answer")
	}
	select { // the answer may have been the last thing that came
	case m := <-ch:
		return m, nil
	default:
		return nil, fmt.Errorf("connection: %w", c.err)
	}
}

// ask sends a message and waits for the answer.
func (c *client) ask(m *Message) (*Message, error) {
	ch, err := c.start(m)
	if err != nil {
		// What the peer said before it went explains more.
		select {
		case <-c.ended:
			err = c.err
		case <-time.After(time.Second):
		}
		return nil, err
	}
	return c.wait(ch)
}

// call asks a method and wants an answer of type 101 without an error.
func (c *client) call(method string, payload []byte) ([]byte, error) {
	m, err := c.ask(&Message{
		HDR:     Header{Typ: typCall, ToServiceName: method},
		JobSerz: payload,
	})
	switch {
	case err != nil:
		return nil, err
	case m.HDR.Typ != typReply:
		return nil, fmt.Errorf("type %d: %s", m.HDR.Typ, m.HDR.Subject)
	case m.JobErrs != "":
		return nil, fmt.Errorf("remote: %s", m.JobErrs)
	}
	return m.JobSerz, nil
}

// tell sends a one-way message.
func (c *client) tell(method string, payload []byte) error {
	c.mu.Lock()
	c.seqno++
	n := c.seqno
	c.mu.Unlock()
	return c.send(&Message{
		HDR: Header{Typ: typOneWay, ToServiceName: method, Seqno: n,
			CallID: newCallID()},
		JobSerz: payload,
	})
}
