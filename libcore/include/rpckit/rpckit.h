/* Everything of librpckit. */
#ifndef RPCKIT_RPCKIT_H
#define RPCKIT_RPCKIT_H

#include <rpckit/again.h>
#include <rpckit/ask.h>
#include <rpckit/base.h>
#include <rpckit/cert.h>
#include <rpckit/channel.h>
#include <rpckit/client.h>
#include <rpckit/control.h>
#include <rpckit/err.h>
#include <rpckit/key.h>
#include <rpckit/log.h>
#include <rpckit/loop.h>
#include <rpckit/message.h>
#include <rpckit/psk.h>
#include <rpckit/push.h>
#include <rpckit/secret.h>
#include <rpckit/server.h>
#include <rpckit/servers.h>
#include <rpckit/session.h>
#include <rpckit/signer.h>
#include <rpckit/sshkeys.h>
#include <rpckit/store.h>
#include <rpckit/stream.h>
#include <rpckit/trust.h>
#include <rpckit/typed.h>
#include <rpckit/value.h>

#endif
