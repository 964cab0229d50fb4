/*
 * What the api uses of GnuTLS itself: to try new certificates before they are used, and to judge the
 * client's.  libmicrohttpd has it loaded already.
 *
 * DYN(name)
 */
DYN(gnutls_strerror)
DYN(gnutls_certificate_allocate_credentials)
DYN(gnutls_certificate_free_credentials)
DYN(gnutls_certificate_set_x509_key_mem2)
DYN(gnutls_certificate_set_x509_trust_mem)
DYN(gnutls_certificate_get_peers)
DYN(gnutls_certificate_verify_peers)
DYN(gnutls_x509_crt_init)
DYN(gnutls_x509_crt_deinit)
DYN(gnutls_x509_crt_import)
DYN(gnutls_x509_crt_get_dn_by_oid)
DYN(gnutls_x509_crt_get_expiration_time)
