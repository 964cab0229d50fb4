/*
 * The fields of a record of PostgreSQL's log, in the order of csvlog (PostgreSQL's documentation,
 * "Using CSV-Format Log Output"; 13 ends at backend_type, older ones before it).
 *
 * LOG_FIELD(name, key, json)
 *   key   in record{} of our own lines: the names that CloudNativePG uses
 *   json  in jsonlog ("Keys and Values of JSON Log Entries"); a field with parts has its first here
 *
 * LOG_PART(name, json): a key of jsonlog that is a part of a field of csvlog.
 */
LOG_FIELD(LOG_TIME, "log_time", "timestamp")
LOG_FIELD(USER_NAME, "user_name", "user")
LOG_FIELD(DATABASE_NAME, "database_name", "dbname")
LOG_FIELD(PROCESS_ID, "process_id", "pid")
LOG_FIELD(CONNECTION_FROM, "connection_from", "remote_host")
LOG_FIELD(SESSION_ID, "session_id", "session_id")
LOG_FIELD(SESSION_LINE_NUM, "session_line_num", "line_num")
LOG_FIELD(COMMAND_TAG, "command_tag", "ps")
LOG_FIELD(SESSION_START_TIME, "session_start_time", "session_start")
LOG_FIELD(VIRTUAL_TRANSACTION_ID, "virtual_transaction_id", "vxid")
LOG_FIELD(TRANSACTION_ID, "transaction_id", "txid")
LOG_FIELD(ERROR_SEVERITY, "error_severity", "error_severity")
LOG_FIELD(SQL_STATE_CODE, "sql_state_code", "state_code")
LOG_FIELD(MESSAGE, "message", "message")
LOG_FIELD(DETAIL, "detail", "detail")
LOG_FIELD(HINT, "hint", "hint")
LOG_FIELD(INTERNAL_QUERY, "internal_query", "internal_query")
LOG_FIELD(INTERNAL_QUERY_POS, "internal_query_pos", "internal_position")
LOG_FIELD(CONTEXT, "context", "context")
LOG_FIELD(QUERY, "query", "statement")
LOG_FIELD(QUERY_POS, "query_pos", "cursor_position")
LOG_FIELD(LOCATION, "location", "func_name")
LOG_FIELD(APPLICATION_NAME, "application_name", "application_name")
LOG_FIELD(BACKEND_TYPE, "backend_type", "backend_type")
LOG_FIELD(LEADER_PID, "leader_pid", "leader_pid")
LOG_FIELD(QUERY_ID, "query_id", "query_id")
LOG_PART(REMOTE_PORT, "remote_port")
LOG_PART(FILE_NAME, "file_name")
LOG_PART(FILE_LINE_NUM, "file_line_num")
