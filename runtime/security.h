/* security.h - a daemon's keys at work: its own pair, the keys of those it dials, and the directory of those it lets in,
 * with libzmq's ZAP handler on the one loop. While the loop is busy a handshake waits (libzmq gives it 10 s); when the handler
 * dies the loop ends with its error, and without one libzmq lets nobody in: it fails closed. Wiring: it logs. One thread. */
#pragma once
#include "runtime/keyring.h"
#include "runtime/socket.h"

struct loop;
struct metrics;
struct security;

enum { SECURITY_PEERS_MAX = 16, SECURITY_SOCKETS_MAX = 4 };

struct security_options {
	const char *key_file; /* our own pair; NULL or "": none */
	const char *
		authorized; /* the directory of those we let in; NULL or "": sockets are not guarded */
	const char *
		peer_keys; /* files of public keys of those we dial: one for all of them, or one each */
	const char *peers; /* whom we dial: a list of endpoints */
	struct context *context; /* from here on borrowed, and not for security_check */
	struct loop *loop;
	struct metrics *metrics;
	const char *program; /* "till-edge": whose directory it is, for the audit log */
	const char
		*audit_file; /* changes of keys go there (audit_log.h); NULL or "": into the log */
	/* After each change of the directory: sessions of keys that lost a right are to be ended. May be NULL. */
	void (*changed)(void *owner);
	/* The same, when a key was removed or its rights were changed. May be NULL. */
	void (*taken)(void *owner);
	/* May this known key connect to this socket at all (security_guard's name)? NULL: every known key may, to all. */
	bool (*admits)(void *owner, const char *socket, const struct key_holder *holder);
	void *owner;
};

/* For `validate`: reads all files, and says what is wrong with them. 0 or a negative errno with the error set. */
int security_check(const struct security_options *options, struct config_error *error);
/* Before the first socket is bound. With nothing configured it does nothing. */
int security_new(const struct security_options *options, struct security **ret_security,
	struct config_error *error);
/* After the sockets it guards. */
struct security *security_free(struct security *security);

/* All of the following take NULL: no keys at all. */

/* Sets what makes a server of a socket that is going to be bound. `socket` names it in logs and metrics: a literal. */
void security_guard(struct security *security, const char *socket, struct socket_options *options);
/* Sets what makes a client of a socket that is going to dial the peer of this index. */
void security_dial(const struct security *security, size_t peer, struct socket_options *options);
/* NULL: nobody is asked for a key. */
const struct keyring *security_keyring(const struct security *security);
/* Counts and logs that a known key asked for what it may not have. `wish` is a literal, the right that
 * is missing: "send". */
void security_forbidden(
	struct security *security, const char *socket, const char *user_id, const char *wish);
/* What may be said of an endpoint that others reach: program_check_endpoints' `safe`. */
bool security_has(const char *setting);
