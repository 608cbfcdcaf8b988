// Messages: the header's 22 fields, and a message around them.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// Types of messages that this program uses.
const (
	typCall      = 1
	typNetRPC    = 2
	typBistream  = 3
	typOneWay    = 100
	typReply     = 101
	typKeepalive = 102
	typCancel    = 103
	typError     = 104
	typUpload    = 105
	typDownload  = 108
)

// Header is what a message says about itself.
type Header struct {
	Created                    time.Time
	From                       string
	To                         string
	ToServiceName              string
	ToPeerServiceNameVersion   string
	FromServiceName            string
	FromPeerServiceNameVersion string
	Args                       map[string]string
	Subject                    string
	Seqno                      uint64
	Typ                        int64
	CallID                     string
	Serial                     int64
	LocalRecvTm                time.Time
	Deadline                   time.Time
	StreamPart                 int64
	NoSystemCompression        bool
	ToPeerID                   string
	ToPeerName                 string
	FromPeerID                 string
	FromPeerName               string
	FragOp                     int64
}

// Message is what a frame carries.
type Message struct {
	HDR     Header
	JobSerz []byte
	JobErrs string
	EOF     bool
}

// field is a key and where its value is.
type field struct {
	key string
	at  any
}

func (h *Header) fields() []field {
	return []field{
		{"Created_zid00_tim", &h.Created},
		{"From_zid01_str", &h.From},
		{"To_zid02_str", &h.To},
		{"ToServiceName_zid03_str", &h.ToServiceName},
		{"ToPeerServiceNameVersion_zid04_str", &h.ToPeerServiceNameVersion},
		{"FromServiceName_zid05_str", &h.FromServiceName},
		{"FromPeerServiceNameVersion_zid06_str", &h.FromPeerServiceNameVersion},
		{"Args_zid07_map", &h.Args},
		{"Subject_zid08_str", &h.Subject},
		{"Seqno_zid09_u64", &h.Seqno},
		{"Typ_zid10_rct", &h.Typ},
		{"CallID_zid11_str", &h.CallID},
		{"Serial_zid12_i64", &h.Serial},
		{"LocalRecvTm_zid13_tim", &h.LocalRecvTm},
		{"Deadline_zid14_tim", &h.Deadline},
		{"StreamPart_zid15_i64", &h.StreamPart},
		{"NoSystemCompression_zid16_boo", &h.NoSystemCompression},
		{"ToPeerID_zid17_str", &h.ToPeerID},
		{"ToPeerName_zid18_str", &h.ToPeerName},
		{"FromPeerID_zid19_str", &h.FromPeerID},
		{"FromPeerName_zid20_str", &h.FromPeerName},
		{"FragOp_zid21_int", &h.FragOp},
	}
}

func (m *Message) fields() []field {
	return []field{
		{"HDR_zid00_rct", &m.HDR},
		{"JobSerz_zid01_bin", &m.JobSerz},
		{"JobErrs_zid02_str", &m.JobErrs},
		{"EOF_zid03_boo", &m.EOF},
	}
}

// absent tells whether a field is left out: all that are zero, but the header.
func absent(at any) bool {
	switch v := at.(type) {
	case *time.Time:
		return v.IsZero()
	case *string:
		return *v == ""
	case *[]byte:
		return len(*v) == 0
	case *map[string]string:
		return len(*v) == 0
	case *uint64:
		return *v == 0
	case *int64:
		return *v == 0
	case *bool:
		return !*v
	}
	return false
}

func (p *packer) fields(all []field) {
	n := 0
	for _, f := range all {
		if !absent(f.at) {
			n++
		}
	}
	p.mapHead(n)
	for _, f := range all {
		if !absent(f.at) {
			p.str(f.key)
			p.value(f.at)
		}
	}
}

func (p *packer) value(at any) {
	switch v := at.(type) {
	case *Header:
		p.fields(v.fields())
	case *time.Time:
		p.time(*v)
	case *string:
		p.str(*v)
	case *[]byte:
		p.bin(*v)
	case *map[string]string:
		p.args(*v)
	case *uint64:
		p.unsigned(*v)
	case *int64:
		p.signed(*v)
	case *bool:
		p.boolean(*v)
	}
}

// fields reads a map: in any order, without what it does not know.
func (u *unpacker) fields(all []field) {
	for n := u.mapHead(); n > 0 && u.err == nil; n-- {
		key := u.key()
		known := false
		for _, f := range all {
			if f.key == key {
				known = true
				if !u.null() {
					u.value(f.at)
				}
			}
		}
		if !known {
			u.skip()
		}
	}
}

func (u *unpacker) value(at any) {
	switch v := at.(type) {
	case *Header:
		u.fields(v.fields())
	case *time.Time:
		*v = u.time()
	case *string:
		*v = u.str()
	case *[]byte:
		*v = append([]byte(nil), u.bin()...)
	case *map[string]string:
		*v = u.args()
	case *uint64:
		*v = u.unsigned()
	case *int64:
		*v = u.signed()
	case *bool:
		*v = u.boolean()
	}
}

// encode is the body of a frame.
func (m *Message) encode() []byte {
	p := packer{b: make([]byte, 0, 512+len(m.JobSerz))}
	p.fields(m.fields())
	return p.b
}

// decode reads a body; bytes behind the map are ignored.
func decode(body []byte) (*Message, error) {
	m := new(Message)
	u := unpacker{b: body}
	u.fields(m.fields())
	return m, u.err
}

// newCallID is 33 random bytes in 44 characters.
func newCallID() string {
	var b [33]byte
	rand.Read(b[:]) // never fails
	return base64.URLEncoding.EncodeToString(b[:])
}
