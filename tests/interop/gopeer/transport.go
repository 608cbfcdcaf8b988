// Transports: TCP, TLS 1.3 and QUIC, set up as Go's peers set them up.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/logging"
)

const handshakeMax = 20 * time.Second

// peer is who we are and whom we know.
type peer struct {
	certs string // folder of ca.crt, NAME.crt and NAME.key
	name  string // "": show no certificate
	known string // list of known keys
	cache tls.ClientSessionCache
}

// tlsConfig has no ALPN; the one cipher suite it names is what Go's peers name,
// and what crypto/tls does not look at in TLS 1.3.
func (p *peer) tlsConfig() (*tls.Config, error) {
	ca, err := os.ReadFile(filepath.Join(p.certs, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("ca.crt has no certificate")
	}
	conf := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		CipherSuites:       []uint16{tls.TLS_CHACHA20_POLY1305_SHA256},
		RootCAs:            pool,
		ClientCAs:          pool,
		ClientAuth:         tls.RequireAndVerifyClientCert,
		ServerName:         "localhost",
		ClientSessionCache: p.cache,
	}
	if p.name != "" {
		file := filepath.Join(p.certs, p.name)
		cert, err := tls.LoadX509KeyPair(file+".crt", file+".key")
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// keyUpdates counts the key updates of all QUIC connections of this process.
var keyUpdates atomic.Int64

func quicConfig() *quic.Config {
	return &quic.Config{
		Allow0RTT:         true,
		InitialPacketSize: 1200,
		Tracer: func(context.Context, logging.Perspective,
			quic.ConnectionID) *logging.ConnectionTracer {
			return &logging.ConnectionTracer{
				UpdatedKey: func(logging.KeyPhase, bool) { keyUpdates.Add(1) },
			}
		},
	}
}

// quicSocket is the one UDP socket of a client or a server.
func quicSocket(address string) (*quic.Transport, error) {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, err
	}
	return &quic.Transport{Conn: socket, ConnectionIDLength: 20}, nil
}

// quicLink is a stream that is never finished: Go's peers take an end of the
// stream for the end of everything.
type quicLink struct {
	quic.Stream
	conn quic.Connection
	done func()
}

func (q *quicLink) LocalAddr() net.Addr  { return q.conn.LocalAddr() }
func (q *quicLink) RemoteAddr() net.Addr { return q.conn.RemoteAddr() }
func (q *quicLink) Close() error {
	defer q.done()
	return q.conn.CloseWithError(0, "")
}

// tlsState is nil on plain TCP.
func tlsState(c net.Conn) *tls.ConnectionState {
	switch v := c.(type) {
	case *tls.Conn:
		s := v.ConnectionState()
		return &s
	case *quicLink:
		s := v.conn.ConnectionState().TLS
		return &s
	}
	return nil
}

func parseURL(text string) (scheme, address string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", err
	}
	switch u.Scheme {
	case "tcp", "tls", "quic":
		return u.Scheme, u.Host, nil
	}
	return "", "", fmt.Errorf("%s: not tcp://, tls:// or quic://", text)
}

func hostOf(a net.Addr) string {
	host, _, _ := net.SplitHostPort(a.String())
	return host
}

// dial connects and decides about the server.
func (p *peer) dial(where string) (net.Conn, error) {
	scheme, address, err := parseURL(where)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeMax)
	defer cancel()
	if scheme == "tcp" {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	conf, err := p.tlsConfig()
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	if scheme == "tls" {
		conn, err = (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = dialQUIC(ctx, address, conf)
	}
	if err != nil {
		return nil, err
	}
	err = admit(p.known, hostOf(conn.RemoteAddr()),
		tlsState(conn).PeerCertificates)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func dialQUIC(ctx context.Context, address string, conf *tls.Config) (net.Conn, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	transport, err := quicSocket("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	done := func() {
		transport.Close()
		transport.Conn.Close()
	}
	conn, err := transport.DialEarly(ctx, to, conf, quicConfig())
	if err != nil {
		done()
		return nil, err
	}
	select {
	case <-conn.HandshakeComplete():
	case <-conn.Context().Done():
		done()
		return nil, context.Cause(conn.Context())
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		done()
		return nil, err
	}
	return &quicLink{stream, conn, done}, nil
}

// listen accepts for ever and hands each connection, or each stream of a QUIC
// connection, to serve.  The result is the address in use.
func (p *peer) listen(where string, serve func(net.Conn)) (string, error) {
	scheme, address, err := parseURL(where)
	if err != nil {
		return "", err
	}
	var conf *tls.Config
	if scheme != "tcp" {
		if conf, err = p.tlsConfig(); err != nil {
			return "", err
		}
	}
	if scheme == "quic" {
		return p.listenQUIC(address, conf, serve)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.acceptStream(c, conf, serve)
		}
	}()
	return scheme + "://" + l.Addr().String(), nil
}

func (p *peer) acceptStream(c net.Conn, conf *tls.Config, serve func(net.Conn)) {
	if conf == nil {
		serve(c)
		return
	}
	t := tls.Server(c, conf)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeMax)
	err := t.HandshakeContext(ctx)
	cancel()
	if err != nil {
		note("handshake with %v: %v", c.RemoteAddr(), err)
		c.Close()
		return
	}
	err = admit(p.known, hostOf(c.RemoteAddr()), tlsState(t).PeerCertificates)
	if err != nil {
		// Go's server leaves the socket open and says nothing more on it.
		note("refused %v: %v", c.RemoteAddr(), err)
		silent.Store(t, true)
		return
	}
	serve(t)
}

func (p *peer) listenQUIC(address string, conf *tls.Config, serve func(net.Conn)) (string, error) {
	transport, err := quicSocket(address)
	if err != nil {
		return "", err
	}
	l, err := transport.ListenEarly(conf, quicConfig())
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go p.acceptQUIC(conn, serve)
		}
	}()
	return "quic://" + l.Addr().String(), nil
}

func (p *peer) acceptQUIC(conn quic.Connection, serve func(net.Conn)) {
	select {
	case <-conn.(quic.EarlyConnection).HandshakeComplete():
	case <-conn.Context().Done():
		note("handshake with %v: %v", conn.RemoteAddr(),
			context.Cause(conn.Context()))
		return
	}
	err := admit(p.known, hostOf(conn.RemoteAddr()),
		conn.ConnectionState().TLS.PeerCertificates)
	if err != nil {
		note("refused %v: %v", conn.RemoteAddr(), err)
		conn.CloseWithError(0, err.Error())
		return
	}
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go func() {
			serve(&quicLink{stream, conn, func() {}})
			conn.CloseWithError(0, "server shutdown")
		}()
	}
}
