/* certificate_words_ssl.h - why a certificate was refused, and what to do about it. */
#pragma once

/* `error` is OpenSSL's verdict (X509_V_ERR_…). A sentence that lives for ever. */
const char *certificate_words(int error);
