// gopeer stands for rpc25519, a Go system, in the tests of rpckit: the protocol
// as its man page has it, on Go's own TLS and on quic-go.
//
//	gopeer server -listen URL [-certs DIR -k NAME] [-known FILE] [-press s2]
//	gopeer client -dial URL [the same] CHECK...
//	gopeer vectors FILE...
//
// A server prints "listening URL".  A client prints an object of JSON a check.
//
//go:debug tlsmlkem=1
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	peer
	where     string
	code      byte
	keepalive time.Duration
	ping      bool
	words     []string
}

func parse(verb, what string, args []string) *options {
	o := new(options)
	f := flag.NewFlagSet("gopeer "+verb, flag.ExitOnError)
	f.StringVar(&o.where, what, "", "tcp://, tls:// or quic://HOST:PORT")
	f.StringVar(&o.certs, "certs", "certs", "`folder` of certificates")
	f.StringVar(&o.name, "k", "", "`name` to be; none: no certificate")
	f.StringVar(&o.known, "known", "", "`list` of known keys")
	f.DurationVar(&o.keepalive, "keepalive", 0, "a keepalive each `time`")
	press := f.String("press", "", "compress with s2")
	f.BoolVar(&o.ping, "ping", false, "answer _.ping, which Go's peers do not")
	resume := f.Bool("resume", false, "keep TLS sessions, which Go's peers do not")
	f.Parse(args)
	if *press == "s2" {
		o.code = codeS2
	}
	if *resume {
		o.cache = tls.NewLRUClientSessionCache(8)
	}
	o.words = f.Args()
	return o
}

func runServer(args []string) error {
	o := parse("server", "listen", args)
	s := &server{peer: o.peer, code: o.code, keepalive: o.keepalive,
		running: make(map[string]context.CancelFunc)}
	if o.ping {
		methods["_.ping"] = methods["echo"]
	}
	bound, err := s.listen(o.where, s.serve)
	if err != nil {
		return err
	}
	fmt.Println("listening", bound)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	return nil
}

// result is one line of a client's output.
type result struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Error  string `json:"error,omitempty"`
	TLS    string `json:"tls,omitempty"`
	Reused bool   `json:"resumed,omitempty"`
	Millis int64  `json:"ms"`
}

func (o *options) try(name string, f check) result {
	r := result{Check: name}
	begin := time.Now()
	conn, err := o.dial(o.where)
	if err == nil {
		if s := tlsState(conn); s != nil {
			r.TLS = tls.CipherSuiteName(s.CipherSuite)
			r.Reused = s.DidResume
			if s.NegotiatedProtocol != "" {
				err = errors.New("an ALPN that nobody asked for")
			}
		}
		c := newClient(conn, o.code, o.keepalive)
		if err == nil {
			r.Detail, err = f(c)
		}
		conn.Close()
	}
	r.OK = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	r.Millis = time.Since(begin).Milliseconds()
	return r
}

func runClient(args []string) error {
	o := parse("client", "dial", args)
	out := json.NewEncoder(os.Stdout)
	bad := 0
	for _, name := range o.words {
		f := checks[name]
		if f == nil {
			return fmt.Errorf("no such check: %s", name)
		}
		r := o.try(name, f)
		if !r.OK {
			bad++
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks failed", bad, len(o.words))
	}
	return nil
}

// runVectors reads what Go's peers really sent and wants to write the same.
func runVectors(args []string) error {
	for _, path := range args {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n, err := rewrite(text)
		if err != nil {
			return fmt.Errorf("%s: frame %d: %w", path, n, err)
		}
		fmt.Printf("%s: %d frames\n", path, n)
	}
	return nil
}

func rewrite(text []byte) (int, error) {
	in := bytes.NewReader(text)
	for n := 0; ; n++ {
		begin := len(text) - in.Len()
		m, code, err := readFrame(in)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		got := text[begin : len(text)-in.Len()]
		var out bytes.Buffer
		if err := writeFrame(&out, m, code); err != nil {
			return n, err
		}
		// The order of Args is random in Go.
		same := bytes.Equal(out.Bytes(), got)
		if len(m.HDR.Args) > 1 {
			same = out.Len() == len(got)
		}
		if !same {
			return n, fmt.Errorf("written as %d other bytes", out.Len())
		}
	}
}

func main() {
	verbs := map[string]func([]string) error{
		"server":  runServer,
		"client":  runClient,
		"vectors": runVectors,
	}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: gopeer server|client|vectors ...")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		note("%v", err)
		os.Exit(1)
	}
}
