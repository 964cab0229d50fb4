/* Made by sigv4_vectors.py: what botocore signs at 2026-11-20T08:15:30Z. */
#pragma once

static const struct vector vectors[] = {
	{"GET", "s3.example.com", "/", {{0}}, 0, {{0}}, 0,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=261a133a9261bef246463e7b6dd6a3239c0de38d1e12f8f18f58dae42f22aa80"},
	{"PUT", "127.0.0.1:9000", "/bucket/srv/wals/0000000100000000/000000010000000000000001.gz",
		{{0}}, 0, {{"x-amz-meta-podgres-sha256", "ab"}, {"if-none-match", "*"}}, 2,
		"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-"
		"podgres-sha256, "
		"Signature=19b8d2b901995f81d5e39bb7f530b083b86d9511821df66ac1934cd720dedb7b"},
	{"GET", "s3.example.com", "/bucket/a b/~c+d%e//f/\303\251\077&=#:@!$'()*,;.gz", {{0}}, 0,
		{{0}}, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=0e8d198ed77d483d8c5d33f557e042fade5461736f1b0f17d32e24927f02dccd"},
	{"GET", "bucket.s3.eu-central-1.amazonaws.com", "/",
		{{"list-type", "2"}, {"prefix", "srv/wals/ ~+%\303\251"}, {"delimiter", "/"},
			{"encoding-type", "url"},
			{"continuation-token", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="}},
		5, {{0}}, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=e3b9fe639ec0f9927d7b6271a307c00de8cb85850681637b7db61c4b0015fa74"},
	{"POST", "s3.example.com", "/bucket/key", {{"uploads", ""}}, 1, {{0}}, 0,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=c1bd50979dafe1ef14f09351a0d8fd1e9ee634ed392a63cf4bd8763a2c396856"},
	{"PUT", "s3.example.com", "/bucket/key", {{"uploadId", "2~kP_x-.Q"}, {"partNumber", "10"}},
		2, {{0}}, 0, "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=2820d6c776735153fe37d4965285f04af4a852ef1070cd1e3d5c64ea26a209eb"},
	{"GET", "s3.example.com", "/bucket/key", {{0}}, 0,
		{{"range", "bytes=0-9"}, {"if-match", "\042abc\042"}}, 2,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"a/token+of==a session",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;if-match;range;x-amz-content-sha256;x-amz-date;x-amz-security-"
		"token, "
		"Signature=021ef039d9f1e4facda99975e90ef0ad5a104ed335f31b71efb3688301f132b0"},
	{"PUT", "s3.example.com", "/bucket/key", {{0}}, 0,
		{{"x-amz-tagging", "a=b%20c&d="}, {"x-amz-server-side-encryption", "aws:kms"},
			{"x-amz-server-side-encryption-aws-kms-key-id", "  two  spaces   inside "}},
		3, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-server-side-encryption;x-"
		"amz-server-side-encryption-aws-kms-key-id;x-amz-tagging, "
		"Signature=cbac1fc014b9137558d28faab32b43615d934711abbf84a222a6e11afa661c12"},
	{"POST", "s3.example.com", "/bucket",
		{{"delete", ""}, {"a", "1"}, {"A", "2"}, {"a-b", "3"}, {"a.b", "4"}, {"a%b", "5"},
			{"a b", "6"}},
		7, {{"content-md5", "kAFQmDzST7DWlj99KOF/cg=="}}, 1,
		"e2000f6b1fc1db795626ddaf9c13324157e9f56cb7820b40d7c3253a08ee5b91", "",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-central-1/s3/aws4_request, "
		"SignedHeaders=content-md5;host;x-amz-content-sha256;x-amz-date, "
		"Signature=f1b0ba21393839e65f65fb65d7748f722f7aa97a7c0ce6e397374c263c8b2af0"},
};
