#include "runtime/config.h"
#include "runtime/tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_SIZE = 120, HOST_SIZE = 256 };

struct tls {
	SSL_CTX *context;
	bool insecure;
};

struct tls_session {
	SSL *ssl;
	bool shaken; /* the handshake is through */
	char host[HOST_SIZE];
};

static int fail(struct tls_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct tls_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* The oldest entry of the queue says what began it; the rest is about who called whom. */
static void read_reason(char reason[REASON_SIZE])
{
	unsigned long code = ERR_get_error();
	const char *words = code == 0 ? NULL : ERR_reason_error_string(code);

	if (words != NULL) {
		snprintf(reason, REASON_SIZE, "%s", words);
	} else if (code != 0 && ERR_SYSTEM_ERROR(code)) {
		snprintf(reason, REASON_SIZE, "%s", strerror(ERR_GET_REASON(code)));
	} else {
		snprintf(reason, REASON_SIZE, "error %lx", code);
	}
	ERR_clear_error();
}

static int fail_file(struct tls_error *error, const char *what, const char *path)
{
	char reason[REASON_SIZE];

	read_reason(reason);
	return fail(error, "%s %.120s can't be read: %s", what, path, reason);
}

/* ---- what connections have in common */

static int load_trust(struct tls *tls, const struct tls_options *options, struct tls_error *error)
{
	bool own = options->ca != NULL && options->ca[0] != '\0';

	if (own && SSL_CTX_load_verify_file(tls->context, options->ca) != 1) {
		return fail_file(error, "the CA file", options->ca);
	}
	if (!own && SSL_CTX_set_default_verify_paths(tls->context) != 1) {
		return fail_file(error, "the system's CA store", "");
	}
	return 0;
}

/* libssl would ask at the terminal for the password of an encrypted key. */
static int refuse_password(char *text, int size, int writes, void *owner)
{
	(void)text;
	(void)size;
	(void)writes;
	(void)owner;
	return -1;
}

static int parse_key(struct tls *tls, const char *path, const char *text, struct tls_error *error)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	if (bio == NULL) {
		fail(error, "out of memory");
		return -ENOMEM;
	}
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
	BIO_free(bio);
	if (key == NULL) {
		ERR_clear_error();
		return fail(
			error, "the key file %.120s holds no unencrypted private key in PEM", path);
	}
	int used = SSL_CTX_use_PrivateKey(tls->context, key);
	EVP_PKEY_free(key);
	if (used != 1 || SSL_CTX_check_private_key(tls->context) != 1) {
		ERR_clear_error();
		return fail(error, "the key in %.120s does not belong to the certificate", path);
	}
	return 0;
}

static int load_key(struct tls *tls, const char *path, struct tls_error *error)
{
	struct config_error why;
	char *text = NULL;

	int r = config_read_secret(path, &text, &why);
	if (r < 0) {
		fail(error, "the key file: %.300s", why.text);
		return r == -ENOMEM ? r : -EINVAL;
	}
	r = parse_key(tls, path, text, error);
	explicit_bzero(text, strlen(text));
	free(text);
	return r;
}

static int load_identity(
	struct tls *tls, const struct tls_options *options, struct tls_error *error)
{
	bool has_certificate = options->certificate != NULL && options->certificate[0] != '\0';
	bool has_key = options->key != NULL && options->key[0] != '\0';

	if (has_certificate != has_key) {
		return fail(error, "a certificate and its key go together: one of them is missing");
	}
	if (!has_certificate) {
		return 0;
	}
	if (SSL_CTX_use_certificate_chain_file(tls->context, options->certificate) != 1) {
		return fail_file(error, "the certificate", options->certificate);
	}
	return load_key(tls, options->key, error);
}

static int set_up(struct tls *tls, const struct tls_options *options, struct tls_error *error)
{
	tls->insecure = options->insecure;
	SSL_CTX_set_verify(
		tls->context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(
		tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if (SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1) {
		return fail_file(error, "TLS 1.2", "");
	}
	int r = load_trust(tls, options, error);
	return r == 0 ? load_identity(tls, options, error) : r;
}

int tls_new(const struct tls_options *options, struct tls **ret_tls, struct tls_error *error)
{
	struct tls *tls = calloc(1, sizeof *tls);
	if (tls == NULL) {
		return -ENOMEM;
	}
	ERR_clear_error();
	tls->context = SSL_CTX_new(TLS_client_method());
	int r = tls->context == NULL ? -ENOMEM : set_up(tls, options, error);
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*ret_tls = tls;
	return 0;
}

struct tls *tls_free(struct tls *tls)
{
	if (tls != NULL) {
		SSL_CTX_free(tls->context);
		free(tls);
	}
	return NULL;
}

/* ---- one connection */

static bool is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The name is checked against the certificate, and said in the handshake (SNI; addresses are not). */
static bool expect_host(struct tls_session *session, bool insecure)
{
	X509_VERIFY_PARAM *rules = SSL_get0_param(session->ssl);

	X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(session->host)) {
		return insecure || X509_VERIFY_PARAM_set1_ip_asc(rules, session->host) == 1;
	}
	return SSL_set_tlsext_host_name(session->ssl, session->host) == 1 &&
	       (insecure || SSL_set1_host(session->ssl, session->host) == 1);
}

int tls_session_new(struct tls *tls, int fd, const char *host, struct tls_session **ret_session)
{
	struct tls_session *session = calloc(1, sizeof *session);
	if (session == NULL) {
		return -ENOMEM;
	}
	ERR_clear_error();
	snprintf(session->host, sizeof session->host, "%s", host);
	session->ssl = SSL_new(tls->context);
	if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1 ||
		!expect_host(session, tls->insecure)) {
		ERR_clear_error();
		tls_session_free(session);
		return -ENOMEM;
	}
	SSL_set_connect_state(session->ssl);
	*ret_session = session;
	return 0;
}

struct tls_session *tls_session_free(struct tls_session *session)
{
	if (session != NULL) {
		SSL_free(session->ssl);
		free(session);
	}
	return NULL;
}

static const char *advice_on_certificate(long code)
{
	switch (code) {
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "; set tls_ca to the file of the CA that signed it";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "; use a name that the certificate holds";
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "; renew it, or set this machine's clock";
	default:
		return "";
	}
}

/* What a handshake's end means to whoever set it up. */
static const char *advice_on_reason(int reason)
{
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return "; the peer does not speak TLS on this port";
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return "; the peer does not know who signed tls_cert";
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
		return "; it may want a client's certificate: tls_cert and tls_key";
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
		return "; TLS 1.2 is the oldest that is spoken here";
	default:
		return "";
	}
}

static int fail_protocol(struct tls_session *session, struct tls_error *error)
{
	long verdict = SSL_get_verify_result(session->ssl);
	unsigned long code = ERR_peek_error();
	char reason[REASON_SIZE];

	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		ERR_clear_error();
		fail(error, "the certificate of %.100s is not accepted: %s%s", session->host,
			X509_verify_cert_error_string(verdict), advice_on_certificate(verdict));
		return TLS_E_FAILED;
	}
	read_reason(reason);
	fail(error, "TLS with %.100s: %s%s", session->host, reason,
		advice_on_reason(ERR_GET_REASON(code)));
	return TLS_E_FAILED;
}

static int judge(struct tls_session *session, int result, struct tls_error *error)
{
	int error_number = errno;

	switch (SSL_get_error(session->ssl, result)) {
	case SSL_ERROR_NONE:
		return 0;
	case SSL_ERROR_WANT_READ:
		return TLS_E_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_E_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		fail(error, "the peer closed the connection");
		return TLS_E_ENDED;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		fail(error, "TLS with %.100s: %s", session->host,
			error_number != 0 ? strerror(error_number) : "the connection ended");
		return TLS_E_FAILED;
	default:
		break;
	}
	/* Whoever reads a protocol that knows its own ends does not need TLS's. */
	if (session->shaken &&
		ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		fail(error, "the peer closed the connection");
		return TLS_E_ENDED;
	}
	return fail_protocol(session, error);
}

/* libssl looks into the thread's error queue: what somebody left there would be taken for ours. */
static void begin(void)
{
	ERR_clear_error();
	errno = 0;
}

int tls_session_shake_hands(struct tls_session *session, struct tls_error *error)
{
	begin();
	int r = judge(session, SSL_do_handshake(session->ssl), error);
	session->shaken = r == 0;
	return r;
}

int tls_session_read(struct tls_session *session, void *bytes, size_t size, size_t *ret_size,
	struct tls_error *error)
{
	begin();
	return judge(session, SSL_read_ex(session->ssl, bytes, size, ret_size), error);
}

int tls_session_write(struct tls_session *session, const void *bytes, size_t size, size_t *ret_size,
	struct tls_error *error)
{
	begin();
	return judge(session, SSL_write_ex(session->ssl, bytes, size, ret_size), error);
}

int tls_session_finish(struct tls_session *session, struct tls_error *error)
{
	begin();
	int said = SSL_shutdown(session->ssl);
	return said >= 0 ? 0 : judge(session, said, error);
}

bool tls_session_has_pending(const struct tls_session *session)
{
	return SSL_pending(session->ssl) > 0;
}
