/* The fields of a message and of its header, as they stand on the wire. */
#ifndef RPCKIT_RPC_MSG_FIELDS_H
#define RPCKIT_RPC_MSG_FIELDS_H

#include <stdint.h>
#include <string.h>

/*
 * The header's fields in the order of their ids: id, kind, member, whether it
 * is usual in calls and answers, key.  A key stands as it is on the wire, with
 * the head of its string.  The arguments, which come in two forms, have a row
 * type of their own.
 */
/* clang-format off */
#define HDR_FIELDS(X, ARGS) \
	X(0, time, created, usual, "\xb1" "Created_zid00_tim") \
	X(1, str, from, usual, "\xae" "From_zid01_str") \
	X(2, str, to, usual, "\xac" "To_zid02_str") \
	X(3, str, to_service, usual, "\xb7" "ToServiceName_zid03_str") \
	X(4, str, to_version, rare, "\xd9\x22" "ToPeerServiceNameVersion_zid04_str") \
	X(5, str, from_service, usual, "\xb9" "FromServiceName_zid05_str") \
	X(6, str, from_version, rare, \
	    "\xd9\x24" "FromPeerServiceNameVersion_zid06_str") \
	ARGS(7, args, args, rare, "\xae" "Args_zid07_map") \
	X(8, str, subject, usual, "\xb1" "Subject_zid08_str") \
	X(9, uint, seqno, usual, "\xaf" "Seqno_zid09_u64") \
	X(10, int, type, usual, "\xad" "Typ_zid10_rct") \
	X(11, str, call_id, usual, "\xb0" "CallID_zid11_str") \
	X(12, int, serial, usual, "\xb0" "Serial_zid12_i64") \
	X(13, time, local_recv, rare, "\xb5" "LocalRecvTm_zid13_tim") \
	X(14, time, deadline, usual, "\xb2" "Deadline_zid14_tim") \
	X(15, int, stream_part, rare, "\xb4" "StreamPart_zid15_i64") \
	X(16, flag, no_compression, rare, "\xbd" "NoSystemCompression_zid16_boo") \
	X(17, str, to_peer_id, rare, "\xb2" "ToPeerID_zid17_str") \
	X(18, str, to_peer_name, rare, "\xb4" "ToPeerName_zid18_str") \
	X(19, str, from_peer_id, rare, "\xb4" "FromPeerID_zid19_str") \
	X(20, str, from_peer_name, rare, "\xb6" "FromPeerName_zid20_str") \
	X(21, int, frag_op, rare, "\xb0" "FragOp_zid21_int") \
	X(22, int, kin, rare, "\xb0" "Rpckit_zid22_i64")

/* The fields of the message itself. */
#define KEY_HDR "\xad" "HDR_zid00_rct"
#define KEY_PAYLOAD "\xb1" "JobSerz_zid01_bin"
#define KEY_ERROR "\xb1" "JobErrs_zid02_str"
#define KEY_EOF "\xad" "EOF_zid03_boo"
/* clang-format on */

#define KEY_LEN(key) (sizeof(key) - 1)
/* The text of a key: after one byte of head, or two when over 31 bytes. */
#define KEY_HEAD(key) (KEY_LEN(key) > 32 ? 2U : 1U)
#define TEXT(key) (&(key)[KEY_HEAD(key)])
#define TEXT_LEN(key) (KEY_LEN(key) - KEY_HEAD(key))

#endif
