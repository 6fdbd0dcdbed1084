/* tls.h - the client's side of TLS 1.2 and 1.3, by libssl, over a non-blocking socket. <openssl/…> stays behind this
 * header. Words are written for operators: what failed, and what to set. One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct tls; /* what connections have in common: trust, certificate, key */
struct tls_session; /* one connection */

enum {
	TLS_E_WANTS_READ = 1, /* call again when the socket can be read */
	TLS_E_WANTS_WRITE,
	TLS_E_ENDED, /* the peer said its end, or just closed */
	TLS_E_FAILED, /* the error says why */
};

struct tls_error {
	char text[320];
};

/* Files are PEM; "" or NULL: none. */
struct tls_options {
	const char *ca; /* whom to trust; none: the system's store */
	const char *certificate; /* ours, with what stands between it and the CA */
	const char *key; /* ours; not encrypted, and closed to others (chmod 600) */
	bool insecure; /* takes any certificate, of anybody */
};

/* Reads the files. 0, -EINVAL or -ENOMEM with the error set. */
int tls_new(const struct tls_options *options, struct tls **ret_tls, struct tls_error *error);
struct tls *tls_free(struct tls *tls);

/* `fd` is borrowed. `host` is whom the certificate must name, a DNS name or an address. 0 or -ENOMEM. */
int tls_session_new(struct tls *tls, int fd, const char *host, struct tls_session **ret_session);
struct tls_session *tls_session_free(struct tls_session *session);
/* All four: 0 or TLS_E_*. */
int tls_session_shake_hands(struct tls_session *session, struct tls_error *error);
int tls_session_read(struct tls_session *session, void *bytes, size_t size, size_t *ret_size,
	struct tls_error *error);
int tls_session_write(struct tls_session *session, const void *bytes, size_t size, size_t *ret_size,
	struct tls_error *error);
/* Says the end to the peer; hears no answer. */
int tls_session_finish(struct tls_session *session, struct tls_error *error);
/* Something is decrypted and not yet read: the socket won't tell. */
bool tls_session_has_pending(const struct tls_session *session);
