/*
 * page_asset - style and script of the page, as they stand in page.css and page.js.
 *
 * Process: api.
 */
#include <stdint.h>
#include <stdio.h>

#include "base/hash.h"
#include "service/page.h"

/* The assembler puts the files there; the folder is that of `make`. */
#define ASSET(name, file)                                                                       \
	__asm__(".pushsection .rodata." #name ",\"a\"\n.balign 4\n" #name                       \
		"_len: .long 2f - 1f\n" #name ":\n1: .incbin \"" file "\"\n2:\n.popsection\n"); \
	extern const uint32_t name##_len;                                                       \
	extern const char name[]

ASSET(page_css, "src/service/page.css");
ASSET(page_js, "src/service/page.js");

struct page_asset
page_style(void)
{
	return (struct page_asset){page_css, page_css_len};
}

struct page_asset
page_script(void)
{
	return (struct page_asset){page_js, page_js_len};
}

static const char *
asset_hash(struct page_asset a, char out[HASH_BASE64_SIZE(SHA256_SIZE)])
{
	unsigned char raw[SHA256_SIZE];
	struct sha256 s;

	sha256_init(&s);
	sha256_put(&s, a.at, a.len);
	sha256_end(&s, raw);
	return hash_base64(out, raw, sizeof(raw));
}

const char *
page_policy(char out[PAGE_POLICY_SIZE])
{
	char style[HASH_BASE64_SIZE(SHA256_SIZE)], script[HASH_BASE64_SIZE(SHA256_SIZE)];

	/* An empty picture keeps browsers from asking for /favicon.ico. */
	snprintf(out, PAGE_POLICY_SIZE,
		"default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; "
		"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'",
		asset_hash(page_style(), style), asset_hash(page_script(), script));
	return out;
}
