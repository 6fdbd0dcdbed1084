#include "runtime/certificate_words_ssl.h"
#include <openssl/x509.h>

const char *certificate_words(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the certificate has expired; renew it, or look at this machine's clock";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the certificate is not valid yet; look at this machine's clock";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "no CA in ssl.ca.location has signed this certificate";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "the certificate is for another host's name than the one that was connected "
		       "to";
	default:
		return X509_verify_cert_error_string(error);
	}
}
