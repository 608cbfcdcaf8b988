/* Every frame of every capture: what it says, and that we write it the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rpc/frame.h"
#include "rpc/msg.h"
#include "rpc/s2.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FRAMES_MAX 16

/* What a frame holds, read from the captures by other means. */
struct expected {
	const char *stream;
	unsigned frame;
	int64_t type;
	uint64_t seqno;
	int64_t serial;
	int64_t part;
	int64_t frag_op;
	uint32_t n_args;
	int32_t created_nsec;
	size_t payload_len;
	const char *to_service;
	const char *from_service;
	const char *subject;
	const char *call_id;
	const char *from;
	const char *to_peer_name;
	const char *from_peer_name;
	const char *error;
};

/* clang-format off */
static const struct expected expected[] = {
	{ .stream = "plain-twoway-c2s", .frame = 0, .type = 1, .seqno = 2,
	    .serial = 1, .to_service = "customEcho",
	    .call_id = "6RrRULHDZ7OLri9lXbIPVt63wh7phG-WtN2Z1qZ4az9z",
	    .from = "tcp://127.0.0.1:42722", .created_nsec = 262766800,
	    .payload_len = 68 },
	{ .stream = "plain-twoway-s2c", .frame = 0, .type = 101, .seqno = 2,
	    .serial = 1, .to_service = "customEcho",
	    .from_service = "customEcho",
	    .call_id = "6RrRULHDZ7OLri9lXbIPVt63wh7phG-WtN2Z1qZ4az9z",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 279618827,
	    .payload_len = 158 },
	{ .stream = "tls-inner-twoway-c2s", .frame = 0, .type = 1, .seqno = 2,
	    .serial = 1, .to_service = "customEcho",
	    .call_id = "SpYIDVakNoK__3jAjKEq8EPmHHL-kg8ti-4baNPDYkig",
	    .from = "tcp://127.0.0.1:39088", .created_nsec = 720157929,
	    .payload_len = 68 },
	{ .stream = "tls-inner-twoway-s2c", .frame = 0, .type = 101, .seqno = 2,
	    .serial = 1, .to_service = "customEcho",
	    .from_service = "customEcho",
	    .call_id = "SpYIDVakNoK__3jAjKEq8EPmHHL-kg8ti-4baNPDYkig",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 726589832,
	    .payload_len = 158 },
	{ .stream = "netrpc-c2s", .frame = 0, .type = 2, .seqno = 3,
	    .serial = 1, .to_service = "Arith.Add",
	    .call_id = "HoaDz0uJVHchgOYFbYPHKJijqJrGfejV0xFeqPzEcPE-",
	    .from = "tcp://127.0.0.1:54950", .created_nsec = 860574420,
	    .payload_len = 79 },
	{ .stream = "netrpc-c2s", .frame = 1, .type = 2, .seqno = 5,
	    .serial = 2, .to_service = "Arith.Div",
	    .call_id = "B7cOk8Ucc6xYKUPHuqHruDOKLcTTnLsdSPEOWZksqKIx",
	    .from = "tcp://127.0.0.1:54950", .created_nsec = 866043400,
	    .payload_len = 64 },
	{ .stream = "netrpc-c2s", .frame = 2, .type = 2, .seqno = 7,
	    .serial = 3, .to_service = "Arith.Nope",
	    .call_id = "W8xm3TI6VfVSID8HtreTssy2NctTzXTBVAJjD4YaFP_b",
	    .from = "tcp://127.0.0.1:54950", .created_nsec = 867345895,
	    .payload_len = 65 },
	{ .stream = "netrpc-s2c", .frame = 0, .type = 101, .seqno = 3,
	    .serial = 1, .from_service = "Arith.Add",
	    .call_id = "HoaDz0uJVHchgOYFbYPHKJijqJrGfejV0xFeqPzEcPE-",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 865529235,
	    .payload_len = 66 },
	{ .stream = "netrpc-s2c", .frame = 1, .type = 101, .seqno = 5,
	    .serial = 2, .from_service = "Arith.Div",
	    .call_id = "B7cOk8Ucc6xYKUPHuqHruDOKLcTTnLsdSPEOWZksqKIx",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 866756059,
	    .payload_len = 82 },
	{ .stream = "netrpc-s2c", .frame = 2, .type = 101, .seqno = 7,
	    .serial = 3, .from_service = "Arith.Nope",
	    .call_id = "W8xm3TI6VfVSID8HtreTssy2NctTzXTBVAJjD4YaFP_b",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 867916489,
	    .payload_len = 103 },
	{ .stream = "joberrs-c2s", .frame = 0, .type = 1, .seqno = 2,
	    .serial = 1, .n_args = 1, .to_service = "failing",
	    .subject = "request subject",
	    .call_id = "eVbBQFb9_QO21xFfzhsSIWBJncvTDQejWZNw1UeaR54-",
	    .from = "tcp://127.0.0.1:54962", .created_nsec = 316774 },
	{ .stream = "joberrs-s2c", .frame = 0, .type = 101, .seqno = 2,
	    .serial = 1, .to_service = "failing", .from_service = "failing",
	    .subject = "my subject",
	    .call_id = "eVbBQFb9_QO21xFfzhsSIWBJncvTDQejWZNw1UeaR54-",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 12076141,
	    .error = "user error text" },
	{ .stream = "cancel-c2s", .frame = 0, .type = 1, .seqno = 2,
	    .serial = 1, .to_service = "slow",
	    .call_id = "ixu8H2WjqjqQhXY5558L7jUsZ6TnMWX4jnZ_x99weqmn",
	    .from = "tcp://127.0.0.1:54978", .created_nsec = 36125372 },
	{ .stream = "cancel-c2s", .frame = 1, .type = 103, .seqno = 2,
	    .serial = 1, .to_service = "slow",
	    .call_id = "ixu8H2WjqjqQhXY5558L7jUsZ6TnMWX4jnZ_x99weqmn",
	    .from = "tcp://127.0.0.1:54978", .created_nsec = 36125372 },
	{ .stream = "cancel-s2c", .frame = 0, .type = 101, .seqno = 2,
	    .serial = 1, .to_service = "slow", .from_service = "slow",
	    .call_id = "ixu8H2WjqjqQhXY5558L7jUsZ6TnMWX4jnZ_x99weqmn",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 336726361,
	    .error = "slow saw: context canceled" },
	{ .stream = "oneway-push-c2s", .frame = 0, .type = 100, .seqno = 2,
	    .serial = 1, .to_service = "oneway",
	    .call_id = "zfH7N4ZjJZrLxytutnvlpI90rpBi8EvZMhZaSo7RIS-R",
	    .from = "tcp://127.0.0.1:49518", .created_nsec = 973434277,
	    .payload_len = 12 },
	{ .stream = "oneway-push-s2c", .frame = 0, .type = 100, .seqno = 43,
	    .serial = 1, .to_service = "srv.SendMessage('pushsubject')",
	    .call_id = "snNLNRBBnHnSNjZodYOrFkq1UoXHxX_sIwmNB903qbCv",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 992302919,
	    .payload_len = 12 },
	{ .stream = "keepalive-c2s", .frame = 0, .type = 102,
	    .subject = "Q36DCSmrTJRqzfb5cGdu0jcYmeEFcwC8aPmFkbvvrawD" },
	{ .stream = "keepalive-c2s", .frame = 1, .type = 102,
	    .subject = "Q36DCSmrTJRqzfb5cGdu0jcYmeEFcwC8aPmFkbvvrawD" },
	{ .stream = "keepalive-s2c", .frame = 0, .type = 102,
	    .subject = "p2-iiN_S0Rl-3WbnzRsrFTOIbQezLJRJqH73bhoYbF5c" },
	{ .stream = "keepalive-s2c", .frame = 1, .type = 102,
	    .subject = "p2-iiN_S0Rl-3WbnzRsrFTOIbQezLJRJqH73bhoYbF5c" },
	{ .stream = "upload-c2s", .frame = 0, .type = 105, .seqno = 2,
	    .serial = 1, .n_args = 2, .to_service = "__fileUploader",
	    .call_id = "Lj-4x7hCurR-50lUPUEW9bddG8ug2A3Ws4ashe5hiXiQ",
	    .from = "tcp://127.0.0.1:58684", .created_nsec = 96374601,
	    .payload_len = 10 },
	{ .stream = "upload-c2s", .frame = 1, .type = 107, .seqno = 2,
	    .serial = 2, .part = 1, .n_args = 1, .to_service = "__fileUploader",
	    .from_service = "__fileUploader",
	    .call_id = "Lj-4x7hCurR-50lUPUEW9bddG8ug2A3Ws4ashe5hiXiQ",
	    .from = "tcp://127.0.0.1:58684", .created_nsec = 108346324 },
	{ .stream = "upload-s2c", .frame = 0, .type = 101, .seqno = 2,
	    .serial = 1, .n_args = 1, .to_service = "__fileUploader",
	    .from_service = "__fileUploader",
	    .call_id = "Lj-4x7hCurR-50lUPUEW9bddG8ug2A3Ws4ashe5hiXiQ",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 110196430,
	    .payload_len = 172 },
	{ .stream = "download-c2s", .frame = 0, .type = 108, .seqno = 2,
	    .serial = 2, .n_args = 1, .to_service = "__downloaderName",
	    .call_id = "2we41QcJvXZfSUSc1PI0hRalPJDBUqiq-dCEr76ACOel",
	    .from = "tcp://127.0.0.1:41910", .created_nsec = 384679801 },
	{ .stream = "download-c2s", .frame = 1, .type = 103, .seqno = 2,
	    .serial = 3, .to_service = "__downloaderName",
	    .call_id = "2we41QcJvXZfSUSc1PI0hRalPJDBUqiq-dCEr76ACOel",
	    .from = "tcp://127.0.0.1:41910", .created_nsec = 391315887 },
	{ .stream = "download-s2c", .frame = 0, .type = 109, .seqno = 2,
	    .serial = 1, .n_args = 4, .from_service = "__downloaderName",
	    .call_id = "2we41QcJvXZfSUSc1PI0hRalPJDBUqiq-dCEr76ACOel",
	    .from = "tcp://127.0.0.1:41910", .created_nsec = 390695350,
	    .payload_len = 10 },
	{ .stream = "download-s2c", .frame = 1, .type = 111, .seqno = 2,
	    .serial = 2, .part = 1, .n_args = 4,
	    .from_service = "__downloaderName",
	    .call_id = "2we41QcJvXZfSUSc1PI0hRalPJDBUqiq-dCEr76ACOel",
	    .from = "tcp://127.0.0.1:41910", .created_nsec = 390760373 },
	{ .stream = "download-s2c", .frame = 2, .type = 101, .seqno = 2,
	    .serial = 3, .to_service = "__downloaderName",
	    .from_service = "__downloaderName",
	    .call_id = "2we41QcJvXZfSUSc1PI0hRalPJDBUqiq-dCEr76ACOel",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 390776298 },
	{ .stream = "bistream-c2s", .frame = 0, .type = 3, .seqno = 2,
	    .serial = 2, .n_args = 2, .to_service = "echoBistreamFunc",
	    .call_id = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj",
	    .from = "tcp://127.0.0.1:41922", .created_nsec = 641975391,
	    .payload_len = 10 },
	{ .stream = "bistream-c2s", .frame = 1, .type = 107, .seqno = 2,
	    .serial = 3, .part = 1, .n_args = 1,
	    .to_service = "echoBistreamFunc",
	    .call_id = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj",
	    .from = "tcp://127.0.0.1:41922", .created_nsec = 642272762 },
	{ .stream = "bistream-c2s", .frame = 2, .type = 103, .seqno = 2,
	    .serial = 4, .to_service = "echoBistreamFunc",
	    .call_id = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj",
	    .from = "tcp://127.0.0.1:41922", .created_nsec = 646634961 },
	{ .stream = "bistream-s2c", .frame = 0, .type = 109, .seqno = 2,
	    .serial = 1, .n_args = 2, .from_service = "echoBistreamFunc",
	    .call_id = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj",
	    .from = "tcp://127.0.0.1:41922", .created_nsec = 645438891,
	    .payload_len = 10 },
	{ .stream = "bistream-s2c", .frame = 1, .type = 111, .seqno = 2,
	    .serial = 2, .part = 1, .n_args = 1,
	    .from_service = "echoBistreamFunc",
	    .call_id = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj",
	    .from = "tcp://127.0.0.1:41922", .created_nsec = 645905646 },
	{ .stream = "bistream-s2c", .frame = 2, .type = 101, .seqno = 2,
	    .serial = 3, .to_service = "echoBistreamFunc",
	    .from_service = "echoBistreamFunc",
	    .call_id = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj",
	    .from = "tcp://127.0.0.1:18443", .created_nsec = 645928441 },
	{ .stream = "circuit-c2s", .frame = 0, .type = 115, .seqno = 2,
	    .serial = 1, .n_args = 9, .to_service = "echoPeer",
	    .from_service = "cliPeer", .subject = "first",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:43252", .from_peer_name = "cliPeerName",
	    .created_nsec = 585665868, .payload_len = 14 },
	{ .stream = "circuit-c2s", .frame = 1, .type = 117, .seqno = 3,
	    .serial = 2, .frag_op = 5, .n_args = 7, .to_service = "echoPeer",
	    .from_service = "cliPeer", .subject = "subj",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:43252", .from_peer_name = "cliPeerName",
	    .created_nsec = 587127667, .payload_len = 6 },
	{ .stream = "circuit-c2s", .frame = 2, .type = 117, .seqno = 4,
	    .serial = 3, .part = 1, .frag_op = 5, .n_args = 7,
	    .to_service = "echoPeer", .from_service = "cliPeer",
	    .subject = "subj",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:43252", .from_peer_name = "cliPeerName",
	    .created_nsec = 587177521, .payload_len = 6 },
	{ .stream = "circuit-c2s", .frame = 3, .type = 113, .seqno = 5,
	    .serial = 4, .n_args = 9, .to_service = "echoPeer",
	    .from_service = "cliPeer",
	    .call_id = "lge0BH1RlxQo3IlCgg4p7pzyKsFJU0QX86-DqUi0h2rt",
	    .from = "tcp://127.0.0.1:43252", .to_peer_name = "probesrv",
	    .from_peer_name = "cliPeerName", .created_nsec = 587621399 },
	{ .stream = "circuit-c2s", .frame = 4, .type = 118, .seqno = 6,
	    .serial = 5, .n_args = 6, .to_service = "echoPeer",
	    .from_service = "cliPeer",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:43252", .from_peer_name = "cliPeerName",
	    .created_nsec = 688374638, .error = "all done here" },
	{ .stream = "circuit-c2s", .frame = 5, .type = 120, .seqno = 7,
	    .serial = 6, .n_args = 6, .to_service = "echoPeer",
	    .from_service = "cliPeer",
	    .call_id = "lge0BH1RlxQo3IlCgg4p7pzyKsFJU0QX86-DqUi0h2rt",
	    .from = "tcp://127.0.0.1:43252", .to_peer_name = "probesrv",
	    .from_peer_name = "cliPeerName", .created_nsec = 889015485 },
	{ .stream = "circuit-s2c", .frame = 0, .type = 114, .serial = 1,
	    .n_args = 11, .to_service = "cliPeer", .from_service = "echoPeer",
	    .subject = "first",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:18443", .to_peer_name = "cliPeerName",
	    .from_peer_name = "probesrv", .created_nsec = 586720853,
	    .payload_len = 14 },
	{ .stream = "circuit-s2c", .frame = 1, .type = 117, .serial = 2,
	    .frag_op = 1000, .n_args = 6, .to_service = "cliPeer",
	    .from_service = "echoPeer", .subject = "reply to first",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:18443", .to_peer_name = "cliPeerName",
	    .from_peer_name = "probesrv", .created_nsec = 586863096,
	    .payload_len = 19 },
	{ .stream = "circuit-s2c", .frame = 2, .type = 117, .serial = 3,
	    .frag_op = 1005, .n_args = 6, .to_service = "cliPeer",
	    .from_service = "echoPeer", .subject = "reply to subj",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:18443", .to_peer_name = "cliPeerName",
	    .from_peer_name = "probesrv", .created_nsec = 587401074,
	    .payload_len = 11 },
	{ .stream = "circuit-s2c", .frame = 3, .type = 117, .serial = 4,
	    .part = 1, .frag_op = 1005, .n_args = 6, .to_service = "cliPeer",
	    .from_service = "echoPeer", .subject = "reply to subj",
	    .call_id = "uC95rYFNFo3oZG_E3v50YIaJPSVGU9PNhwkLh8wxK7f-",
	    .from = "tcp://127.0.0.1:18443", .to_peer_name = "cliPeerName",
	    .from_peer_name = "probesrv", .created_nsec = 587458095,
	    .payload_len = 11 },
	{ .stream = "circuit-s2c", .frame = 4, .type = 114, .serial = 5,
	    .n_args = 9, .to_service = "cliPeer", .from_service = "echoPeer",
	    .call_id = "lge0BH1RlxQo3IlCgg4p7pzyKsFJU0QX86-DqUi0h2rt",
	    .from = "tcp://127.0.0.1:18443", .to_peer_name = "cliPeerName",
	    .from_peer_name = "probesrv", .created_nsec = 587792004 },
	{ .stream = "circuit-s2c", .frame = 5, .type = 117, .serial = 6,
	    .frag_op = 1000, .n_args = 6, .to_service = "cliPeer",
	    .from_service = "echoPeer", .subject = "reply to ",
	    .call_id = "lge0BH1RlxQo3IlCgg4p7pzyKsFJU0QX86-DqUi0h2rt",
	    .from = "tcp://127.0.0.1:18443", .to_peer_name = "cliPeerName",
	    .from_peer_name = "probesrv", .created_nsec = 587810352,
	    .payload_len = 5 },
	{ .stream = "startpeer-c2s", .frame = 0, .type = 112, .seqno = 2,
	    .serial = 1, .to_service = "echoPeer",
	    .call_id = "7LRcOD-G1_amEyEdv2QJLkVYYdYND19XdARpD2XImfH5",
	    .from = "tcp://127.0.0.1:43238", .created_nsec = 539841985 },
	{ .stream = "startpeer-s2c", .frame = 0, .type = 114, .serial = 1,
	    .n_args = 9, .from_service = "echoPeer",
	    .call_id = "7LRcOD-G1_amEyEdv2QJLkVYYdYND19XdARpD2XImfH5",
	    .from = "tcp://127.0.0.1:18443", .from_peer_name = "probesrv",
	    .created_nsec = 551066330 },
	{ .stream = "startpeer-s2c", .frame = 1, .type = 100, .serial = 2,
	    .n_args = 7, .from_service = "echoPeer",
	    .call_id = "7LRcOD-G1_amEyEdv2QJLkVYYdYND19XdARpD2XImfH5",
	    .from = "tcp://127.0.0.1:18444", .from_peer_name = "probesrv",
	    .created_nsec = 551084114 },
	{ .stream = "startpeer-s2c", .frame = 2, .type = 117, .serial = 3,
	    .frag_op = 1000, .n_args = 6, .from_service = "echoPeer",
	    .subject = "reply to ",
	    .call_id = "7LRcOD-G1_amEyEdv2QJLkVYYdYND19XdARpD2XImfH5",
	    .from = "tcp://127.0.0.1:18443", .from_peer_name = "probesrv",
	    .created_nsec = 551092086, .payload_len = 5 },
};
/* clang-format on */

static void
assert_str(struct rk_str got, const char *want)
{
	if (want == NULL)
		want = "";
	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.ptr, want, got.len);
}

static void
check_msg(const struct msg *m, const struct expected *x)
{
	assert_true(m->hdr.type == x->type && m->hdr.seqno == x->seqno &&
	            m->hdr.serial == x->serial &&
	            m->hdr.stream_part == x->part &&
	            m->hdr.frag_op == x->frag_op);
	assert_int_equal(m->hdr.args.count, x->n_args);
	assert_int_equal(m->hdr.created.nsec, x->created_nsec);
	assert_int_equal(m->payload.len, x->payload_len);
	assert_str(m->hdr.to_service, x->to_service);
	assert_str(m->hdr.from_service, x->from_service);
	assert_str(m->hdr.subject, x->subject);
	assert_str(m->hdr.call_id, x->call_id);
	assert_str(m->hdr.from, x->from);
	assert_str(m->hdr.to_peer_name, x->to_peer_name);
	assert_str(m->hdr.from_peer_name, x->from_peer_name);
	assert_str(m->error, x->error);
	assert_true(!m->hdr.local_recv.is_set && !m->hdr.no_compression);
}

static void
decode_frame(const uint8_t *data, size_t len, struct msg *m)
{
	struct rk_error err;
	struct frame f;

	assert_int_equal(frame_split(data, len, &f, NULL, &err), RK_OK);
	assert_int_equal(f.code, FRAME_PLAIN);
	assert_int_equal(f.total, len);
	assert_int_equal(msg_decode(f.body.ptr, f.body.len, m, &err), RK_OK);
}

static void
test_every_frame_says_what_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		size_t len;
		uint8_t *data =
		    vectors_frame(expected[i].stream, expected[i].frame, &len);
		struct msg m;

		decode_frame(data, len, &m);
		check_msg(&m, &expected[i]);
		free(data);
	}
}

/* The table above leaves no frame out but the compressed ones. */
static void
test_no_frame_is_left_out(void **state)
{
	struct rk_bytes frames[FRAMES_MAX];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; vectors_names[i] != NULL; i++) {
		size_t len;
		uint8_t *data = vectors_load(vectors_names[i], &len);

		n += vectors_split(data, len, frames, FRAMES_MAX);
		free(data);
	}
	assert_int_equal(n, COUNT(expected) + 2);
}

/* Encoded once with the arguments as they came, once from a list of them. */
static void
check_same_bytes(const struct msg *m, const uint8_t *data, size_t len)
{
	struct rk_arg args[16];
	size_t offset = 0;
	size_t n = 0;
	struct buf b;

	buf_init(&b, len);
	assert_int_equal(msg_encode(&b, m, NULL, 0), RK_OK);
	assert_int_equal(buf_len(&b), len);
	assert_memory_equal(buf_peek(&b), data, len);
	buf_fini(&b);
	while (n < COUNT(args) && rk_args_next(&m->hdr.args, &offset, &args[n]))
		n++;
	assert_int_equal(n, m->hdr.args.count);
	assert_int_equal(msg_encode(&b, m, args, n), RK_OK);
	assert_int_equal(buf_len(&b), len);
	assert_memory_equal(buf_peek(&b), data, len);
	buf_fini(&b);
}

static void
test_we_write_the_same_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		size_t len;
		uint8_t *data =
		    vectors_frame(expected[i].stream, expected[i].frame, &len);
		struct msg m;

		decode_frame(data, len, &m);
		check_same_bytes(&m, data, len);
		free(data);
	}
}

static void
test_two_way_call_in_full(void **state)
{
	static const char request[] = "client says hello and requests this be "
	                              "echoed back with a timestamp!";
	size_t len;
	uint8_t *data = vectors_frame("plain-twoway-c2s", 0, &len);
	struct msg m;

	(void)state;
	decode_frame(data, len, &m);
	assert_true(m.hdr.created.is_set && m.hdr.created.sec == 1795226272 &&
	            m.hdr.created.nsec == 262766800);
	assert_true(m.hdr.deadline.is_set && m.hdr.deadline.sec == 1795226282 &&
	            m.hdr.deadline.nsec == 262710010);
	assert_str(m.hdr.from, "tcp://127.0.0.1:42722");
	assert_str(m.hdr.to, "tcp://127.0.0.1:18444");
	assert_int_equal(m.payload.len, sizeof(request) - 1);
	assert_memory_equal(m.payload.ptr, request, m.payload.len);
	free(data);
	data = vectors_frame("plain-twoway-s2c", 0, &len);
	decode_frame(data, len, &m);
	assert_str(m.hdr.to, "tcp://127.0.0.1:51138");
	assert_memory_equal(m.payload.ptr, request, sizeof(request) - 1);
	free(data);
}

static void
test_arguments_by_name(void **state)
{
	size_t len;
	uint8_t *data = vectors_frame("download-s2c", 0, &len);
	struct rk_str v;
	struct msg m;

	(void)state;
	decode_frame(data, len, &m);
	assert_true(rk_args_get(&m.hdr.args, "pathsize", &v));
	assert_str(v, "10");
	assert_true(rk_args_get(&m.hdr.args, "filename", &v));
	assert_str(v, "small.txt");
	assert_false(rk_args_get(&m.hdr.args, "file", &v));
	free(data);
	data = vectors_frame("circuit-s2c", 0, &len);
	decode_frame(data, len, &m);
	assert_true(rk_args_get(&m.hdr.args, "#circuitName", &v));
	assert_str(v, "myCircuit");
	/* There, and empty. */
	assert_true(rk_args_get(&m.hdr.args, "#toPeerServiceNameVersion", &v));
	assert_str(v, "");
	free(data);
}

/* The compressed call: the bodies, and that they re-encode to themselves. */
static void
test_compressed_bodies(void **state)
{
	static const struct {
		const char *stream;
		size_t body_len;
		struct expected want;
	} rows[] = {
		{ "plain-s2-twoway-c2s", 391,
		    { .type = 1,
		        .seqno = 2,
		        .serial = 1,
		        .created_nsec = 231149830,
		        .payload_len = 68,
		        .to_service = "customEcho",
		        .call_id = "uz6czLK3tn-81cK_"
		                   "tv3DdMV3eJxh9yDW-FUAaCIV5WL2",
		        .from = "tcp://127.0.0.1:58462" } },
		{ "plain-s2-twoway-s2c", 518,
		    { .type = 101,
		        .seqno = 2,
		        .serial = 1,
		        .created_nsec = 239049845,
		        .payload_len = 158,
		        .to_service = "customEcho",
		        .from_service = "customEcho",
		        .call_id = "uz6czLK3tn-81cK_"
		                   "tv3DdMV3eJxh9yDW-FUAaCIV5WL2",
		        .from = "tcp://127.0.0.1:18443" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len;
		uint8_t *data = vectors_frame(rows[i].stream, 0, &len);
		struct rk_error err;
		struct frame f;
		struct buf out;
		struct buf back;
		struct msg m;

		assert_int_equal(frame_split(data, len, &f, NULL, &err), RK_OK);
		assert_int_equal(f.code, FRAME_S2);
		buf_init(&out, RK_BODY_MAX);
		assert_int_equal(
		    s2_decode(f.body.ptr, f.body.len, RK_BODY_MAX, &out, &err),
		    RK_OK);
		assert_int_equal(buf_len(&out), rows[i].body_len);
		assert_int_equal(
		    msg_decode(buf_peek(&out), buf_len(&out), &m, &err), RK_OK);
		check_msg(&m, &rows[i].want);
		buf_init(&back, FRAME_HEAD_LEN + RK_BODY_MAX);
		assert_int_equal(msg_encode(&back, &m, NULL, 0), RK_OK);
		assert_memory_equal(buf_peek(&back) + FRAME_HEAD_LEN,
		    buf_peek(&out), buf_len(&out));
		buf_fini(&back);
		buf_fini(&out);
		free(data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_frame_says_what_it_should),
		cmocka_unit_test(test_no_frame_is_left_out),
		cmocka_unit_test(test_we_write_the_same_bytes),
		cmocka_unit_test(test_two_way_call_in_full),
		cmocka_unit_test(test_arguments_by_name),
		cmocka_unit_test(test_compressed_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
