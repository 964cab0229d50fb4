#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/s3_xml.h"

/* "path=text;" for each element that ends. */
static int
note(void *arg, const char *path, char *text, struct err *e)
{
	char *out = arg;
	size_t n = strlen(out);

	(void)e;
	snprintf(out + n, 1024 - n, "%s=%s;", path, text);
	return 0;
}

static int
read_text(const char *xml, char out[1024])
{
	struct err e;

	out[0] = '\0';
	return s3_xml_read(xml, strlen(xml), note, out, &e);
}

static void
elements_are_told_with_their_path_and_text(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(
		read_text("<?xml version=\"1.0\"?>\n<!-- x > y -->"
			  "<a:L xmlns:a=\"u>v\"><K>1 &lt;&amp;&#x20;&#233;</K><C><E/></C></a:L>\n",
			out),
		0);
	assert_string_equal(out, "L/K=1 <& \303\251;L/C/E=;L/C=;L=;");
}

static void
what_is_not_well_formed_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "text", "<a>", "<a></b>", "</a>", "<a/><b/>",
		"<a>&nope;</a>", "<a>&#0;</a>", "<a>&#xd800;</a>", "<a>&#x110000;</a>",
		"<a>&amp</a>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a><![CDATA[x]]></a>",
		"<a b='></a>", "<a/>tail", "<>x</>", "<a><b></a></b>", "<?xml", "<!-- ",
		"<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>"};
	char out[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read_text(bad[i], out) == 0)
			fail_msg("taken: %s", bad[i]);
}

static void
a_text_without_end_is_refused(void **state)
{
	static char xml[S3_XML_TEXT + 64];
	char out[1024] = "";
	struct err e;

	(void)state;
	memset(xml, 'x', sizeof(xml));
	memcpy(xml, "<a>", 3);
	memcpy(xml + sizeof(xml) - 4, "</a>", 4);
	assert_int_equal(s3_xml_read(xml, sizeof(xml), note, out, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void
errors_of_s3_and_of_sts_are_read(void **state)
{
	static const char s3[] = "<Error><Code>NoSuchKey</Code><Message>The\nkey</Message>"
				 "<Region>eu-west-1</Region></Error>";
	static const char sts[] = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type>"
				  "<Code>ExpiredTokenException</Code></Error></ErrorResponse>";
	static const char page[] = "<html><body>404</body></html>";
	struct s3_xml_error x;

	(void)state;
	assert_int_equal(s3_xml_error(&x, s3, strlen(s3)), 0);
	assert_string_equal(x.code, "NoSuchKey");
	assert_string_equal(x.message, "The key");
	assert_string_equal(x.region, "eu-west-1");
	assert_int_equal(s3_xml_error(&x, sts, strlen(sts)), 0);
	assert_string_equal(x.code, "ExpiredTokenException");
	assert_int_equal(s3_xml_error(&x, page, strlen(page)), -1);
	assert_int_equal(s3_xml_error(&x, "", 0), -1);
}

static void
url_encoding_is_undone(void **state)
{
	char good[] = "a%2Fb+c%c3%A9%25", bad[] = "a%2", nul[] = "a%00b";

	(void)state;
	assert_int_equal(s3_xml_url_decode(good), 0);
	assert_string_equal(good, "a/b c\303\251%");
	assert_int_equal(s3_xml_url_decode(bad), -1);
	assert_int_equal(s3_xml_url_decode(nul), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_told_with_their_path_and_text),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(a_text_without_end_is_refused),
		cmocka_unit_test(errors_of_s3_and_of_sts_are_read),
		cmocka_unit_test(url_encoding_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
