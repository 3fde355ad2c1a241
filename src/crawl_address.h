/* SPDX-License-Identifier: MIT */
/*
 * crawl_address.h - URLs in one canonical form, so that equal addresses are equal strings.
 *
 * Absolute, http or https, scheme and host in small letters, a host of other letters in punycode, no
 * default port, a path, no "." or ".." in it, what may not stand in a URL escaped. No fragment, for
 * that is not sent; no user and password, for these are nobody's to pass on.
 */
#ifndef CRAWL_ADDRESS_H
#define CRAWL_ADDRESS_H

/* What travels to the producers. Belongs to the frontier, which never changes or frees one in use. */
struct address {
	unsigned depth;
	unsigned hops; /* redirects that led here, one after the other */
	const char *url;
};

/*
 * address_resolve - the reference as it stands in a page of the canonical address `base`; NULL: it
 * is a whole URL, of https where it names no scheme. Punycode needs a locale of UTF-8. Returns a
 * string to be freed, or NULL when that is no address.
 */
char *address_resolve(const char *base, const char *reference);

/* The host alone, and scheme, host and port ("http://host:8080"); to be freed. Of canonical URLs. */
char *address_host(const char *url);
char *address_site(const char *url);

/* Where the path begins. */
const char *address_path(const char *url);

#endif
