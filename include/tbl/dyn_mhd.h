/*
 * What the api uses of libmicrohttpd (0.9.75).
 *
 * DYN(name)
 */
DYN(MHD_start_daemon)
DYN(MHD_stop_daemon)
DYN(MHD_add_connection)
DYN(MHD_run)
DYN(MHD_get_timeout)
DYN(MHD_get_daemon_info)
DYN(MHD_get_connection_info)
DYN(MHD_get_connection_values)
DYN(MHD_lookup_connection_value)
DYN(MHD_create_response_from_buffer)
DYN(MHD_create_response_from_callback)
DYN(MHD_destroy_response)
DYN(MHD_add_response_header)
DYN(MHD_queue_response)
DYN(MHD_suspend_connection)
DYN(MHD_resume_connection)
