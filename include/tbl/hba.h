/*
 * What a record of pg_hba.conf may say (PostgreSQL manual, section 21.1), by major version.
 *
 * HBA_TYPE(text, min, where)         where: HBA_LOCAL, HBA_HOST, HBA_TLS (bits)
 * HBA_METHOD(text, min, max, where)  where it may be used; 0: not in this build of PostgreSQL
 * HBA_OPTION(text, min, methods)     methods: " name name " or "*"
 */
#ifdef HBA_TYPE
HBA_TYPE("local", 13, HBA_LOCAL)
HBA_TYPE("host", 13, HBA_HOST)
HBA_TYPE("hostssl", 13, HBA_HOST | HBA_TLS)
HBA_TYPE("hostnossl", 13, HBA_HOST)
HBA_TYPE("hostgssenc", 13, HBA_HOST)
HBA_TYPE("hostnogssenc", 13, HBA_HOST)
#endif

#ifdef HBA_METHOD
HBA_METHOD("trust", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("reject", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("scram-sha-256", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("md5", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("password", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("gss", 13, 0, HBA_HOST)
HBA_METHOD("sspi", 13, 0, 0)
HBA_METHOD("ident", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("peer", 13, 0, HBA_LOCAL)
HBA_METHOD("pam", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("bsd", 13, 0, 0)
HBA_METHOD("ldap", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("radius", 13, 0, HBA_LOCAL | HBA_HOST)
HBA_METHOD("cert", 13, 0, HBA_TLS)
HBA_METHOD("oauth", 18, 0, HBA_LOCAL | HBA_HOST)
#endif

#ifdef HBA_OPTION
HBA_OPTION("map", 13, " ident peer gss cert oauth ")
HBA_OPTION("clientcert", 13, "*")
HBA_OPTION("clientname", 14, "*")
HBA_OPTION("pamservice", 13, " pam ")
HBA_OPTION("pam_use_hostname", 13, " pam ")
HBA_OPTION("ldapurl", 13, " ldap ")
HBA_OPTION("ldaptls", 13, " ldap ")
HBA_OPTION("ldapscheme", 13, " ldap ")
HBA_OPTION("ldapserver", 13, " ldap ")
HBA_OPTION("ldapport", 13, " ldap ")
HBA_OPTION("ldapbinddn", 13, " ldap ")
HBA_OPTION("ldapbindpasswd", 13, " ldap ")
HBA_OPTION("ldapsearchattribute", 13, " ldap ")
HBA_OPTION("ldapsearchfilter", 13, " ldap ")
HBA_OPTION("ldapbasedn", 13, " ldap ")
HBA_OPTION("ldapprefix", 13, " ldap ")
HBA_OPTION("ldapsuffix", 13, " ldap ")
HBA_OPTION("krb_realm", 13, " gss ")
HBA_OPTION("include_realm", 13, " gss ")
HBA_OPTION("radiusservers", 13, " radius ")
HBA_OPTION("radiusports", 13, " radius ")
HBA_OPTION("radiussecrets", 13, " radius ")
HBA_OPTION("radiusidentifiers", 13, " radius ")
HBA_OPTION("issuer", 18, " oauth ")
HBA_OPTION("scope", 18, " oauth ")
HBA_OPTION("validator", 18, " oauth ")
HBA_OPTION("delegate_ident_mapping", 18, " oauth ")
#endif
