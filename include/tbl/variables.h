/*
 * Environment variables that no option stands for: those of Docker's official postgres image, and
 * those of Amazon's SDKs, which give credentials of an S3 store where the manifest names none.
 *
 * VARIABLE(name, sentence)
 */
VARIABLE("POSTGRES_USER", "first start: the superuser that initdb makes, default postgres")
VARIABLE("POSTGRES_PASSWORD", "first start: its password; never logged")
VARIABLE("POSTGRES_DB", "first start: a database to create, default the superuser's name")
VARIABLE("POSTGRES_INITDB_ARGS", "first start: further arguments of initdb")
VARIABLE("POSTGRES_HOST_AUTH_METHOD", "first start: how the network logs in, default scram-sha-256")
VARIABLE("POSTGRES_USER_FILE", "a file that holds POSTGRES_USER")
VARIABLE("POSTGRES_PASSWORD_FILE", "a file that holds POSTGRES_PASSWORD")
VARIABLE("POSTGRES_DB_FILE", "a file that holds POSTGRES_DB")
VARIABLE("POSTGRES_INITDB_ARGS_FILE", "a file that holds POSTGRES_INITDB_ARGS")
VARIABLE("AWS_ACCESS_KEY_ID", "S3: access key, when the manifest names no secret")
VARIABLE("AWS_SECRET_ACCESS_KEY", "S3: its secret key; never logged")
VARIABLE("AWS_SESSION_TOKEN", "S3: token of the session that the keys belong to")
VARIABLE("AWS_REGION", "S3: region, when the manifest names none; or AWS_DEFAULT_REGION")
VARIABLE("AWS_WEB_IDENTITY_TOKEN_FILE", "S3: a token that STS exchanges for keys of AWS_ROLE_ARN")
VARIABLE("AWS_ROLE_ARN", "S3: the role for AWS_WEB_IDENTITY_TOKEN_FILE; AWS_ROLE_SESSION_NAME names the session")
VARIABLE("AWS_ENDPOINT_URL_STS", "S3: where STS is, default that of the region")
VARIABLE("AWS_CONTAINER_CREDENTIALS_FULL_URI", "S3: where the container gets keys; or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
VARIABLE("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "S3: a file with the token for that; or AWS_CONTAINER_AUTHORIZATION_TOKEN")
VARIABLE("AWS_EC2_METADATA_DISABLED", "S3: true: with inheritFromIAMRole, do not ask the machine's metadata service")
VARIABLE("NO_COLOR", "set and not empty: no colour, not even on a terminal")
VARIABLE("COLUMNS", "width of the text when stdout is no terminal, default 80")
