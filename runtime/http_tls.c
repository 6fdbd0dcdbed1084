/* The files are read and checked before libmicrohttpd sees them: it would only say that it does not start. It asks
 * clients for a certificate, but leaves it to us to demand one. */
#include "runtime/config.h"
#include "runtime/http_internal.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_SIZE_MAX = 1024 * 1024 };

struct http_tls {
	char *cert;
	char *key;
	char *client_ca;
};

static int fail(
	struct http_server_error *error, const char *what, const char *path, const char *why)
{
	snprintf(error->text, sizeof error->text, "%s %s: %s", what, path, why);
	return -EINVAL;
}

static int read_all(FILE *file, char **ret_text)
{
	char *text = malloc(PEM_SIZE_MAX + 1);
	if (text == NULL) {
		return -ENOMEM;
	}
	size_t size = fread(text, 1, PEM_SIZE_MAX + 1, file);
	if (ferror(file) || size > PEM_SIZE_MAX) {
		free(text);
		return ferror(file) ? -EIO : -EFBIG;
	}
	text[size] = '\0';
	*ret_text = text;
	return 0;
}

static int read_file(
	const char *what, const char *path, char **ret_text, struct http_server_error *error)
{
	FILE *file = fopen(path, "re");
	int r = file == NULL ? -errno : read_all(file, ret_text);
	if (file != NULL) {
		(void)fclose(file);
	}
	if (r < 0) {
		(void)fail(error, what, path, strerror(-r));
	}
	return r;
}

static int read_key(const char *path, char **ret_text, struct http_server_error *error)
{
	struct config_error why;

	int r = config_read_secret(path, ret_text, &why);
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "TLS key: %.300s", why.text);
	}
	return r;
}

static gnutls_datum_t datum_of(char *text)
{
	return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static int check_pair(gnutls_certificate_credentials_t credentials,
	const struct http_tls_files *files, struct http_tls *tls, struct http_server_error *error)
{
	gnutls_datum_t cert = datum_of(tls->cert), key = datum_of(tls->key);

	int r = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r >= 0) {
		return 0;
	}
	snprintf(error->text, sizeof error->text, "TLS: %s Certificate %s, key %s",
		gnutls_strerror(r), files->cert,
		files->key); /* the reason first: paths may be cut */
	return -EINVAL;
}

static int check_client_ca(gnutls_certificate_credentials_t credentials,
	const struct http_tls_files *files, struct http_tls *tls, struct http_server_error *error)
{
	gnutls_datum_t client_ca = datum_of(tls->client_ca);

	int r = gnutls_certificate_set_x509_trust_mem(credentials, &client_ca, GNUTLS_X509_FMT_PEM);
	if (r > 0) {
		return 0;
	}
	return fail(error, "TLS authority of clients", files->client_ca,
		r < 0 ? gnutls_strerror(r) : "no certificate in it");
}

static int check(
	const struct http_tls_files *files, struct http_tls *tls, struct http_server_error *error)
{
	gnutls_certificate_credentials_t credentials;

	if (gnutls_certificate_allocate_credentials(&credentials) < 0) {
		return -ENOMEM;
	}
	int r = check_pair(credentials, files, tls, error);
	if (r == 0 && tls->client_ca != NULL) {
		r = check_client_ca(credentials, files, tls, error);
	}
	gnutls_certificate_free_credentials(credentials);
	return r;
}

int http_tls_load(const struct http_tls_files *files, struct http_tls **ret_tls,
	struct http_server_error *error)
{
	struct http_tls *tls = calloc(1, sizeof *tls);
	if (tls == NULL) {
		return -ENOMEM;
	}
	int r = read_file("TLS certificate", files->cert, &tls->cert, error);
	if (r == 0) {
		r = read_key(files->key, &tls->key, error);
	}
	if (r == 0 && files->client_ca != NULL) {
		r = read_file("TLS authority of clients", files->client_ca, &tls->client_ca, error);
	}
	if (r == 0) {
		r = check(files, tls, error);
	}
	if (r < 0) {
		http_tls_free(tls);
		return r;
	}
	*ret_tls = tls;
	return 0;
}

struct http_tls *http_tls_free(struct http_tls *tls)
{
	if (tls == NULL) {
		return NULL;
	}
	free(tls->cert);
	if (tls->key != NULL) {
		explicit_bzero(tls->key, strlen(tls->key));
	}
	free(tls->key);
	free(tls->client_ca);
	free(tls);
	return NULL;
}

const char *http_tls_cert(const struct http_tls *tls)
{
	return tls->cert;
}

const char *http_tls_key(const struct http_tls *tls)
{
	return tls->key;
}

const char *http_tls_client_ca(const struct http_tls *tls)
{
	return tls->client_ca;
}

const char *http_tls_priorities(void)
{
	return "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
}

void http_tls_demand_certificate(void *session)
{
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert(session, NULL, 0);
}

void http_tls_send(void *session, const void *bytes, size_t size)
{
	(void)gnutls_record_send(session, bytes, size);
}
