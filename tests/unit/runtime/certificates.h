/* certificates.h - a CA and what it signs, made in the test and written as PEM files. */
#pragma once

struct certificate_request {
	const char *name; /* the subject's; files are DIR/NAME.pem and DIR/NAME.key (0600) */
	const char *alternative; /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
	const char *issuer; /* a name made before, which is then a CA; NULL: signs itself */
	int days; /* until it expires; negative: it has */
};

void certificate_make(const char *dir, const struct certificate_request *request);
