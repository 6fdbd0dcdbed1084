#include "certificates.h"
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 300, DAY_S = 24 * 60 * 60 };

static FILE *open_file(const char *dir, const char *name, const char *ending, int flags)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
	int fd = open(path, flags, 0600);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, (flags & O_CREAT) != 0 ? "w" : "r");
	assert_non_null(file);
	return file;
}

static void add_extension(X509 *certificate, X509 *issuer, int what, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *make_body(const struct certificate_request *request, EVP_PKEY *key)
{
	static long serial = 1;
	X509 *certificate = X509_new();

	assert_non_null(certificate);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -30L * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(certificate), (long)request->days * DAY_S);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
		(const unsigned char *)request->name, -1, -1, 0);
	return certificate;
}

static void sign(const char *dir, const struct certificate_request *request, X509 *certificate,
	EVP_PKEY *key)
{
	X509 *issuer = certificate;
	EVP_PKEY *issuer_key = key;

	if (request->issuer != NULL) {
		FILE *file = open_file(dir, request->issuer, "pem", O_RDONLY);
		issuer = PEM_read_X509(file, NULL, NULL, NULL);
		fclose(file);
		file = open_file(dir, request->issuer, "key", O_RDONLY);
		issuer_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		fclose(file);
	}
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	add_extension(certificate, issuer, NID_basic_constraints,
		request->issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (request->alternative != NULL) {
		add_extension(certificate, issuer, NID_subject_alt_name, request->alternative);
	}
	assert_true(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
	if (request->issuer != NULL) {
		X509_free(issuer);
		EVP_PKEY_free(issuer_key);
	}
}

void certificate_make(const char *dir, const struct certificate_request *request)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	assert_non_null(key);
	X509 *certificate = make_body(request, key);

	sign(dir, request, certificate, key);
	FILE *file = open_file(dir, request->name, "pem", O_WRONLY | O_CREAT | O_TRUNC);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	file = open_file(dir, request->name, "key", O_WRONLY | O_CREAT | O_TRUNC);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}
