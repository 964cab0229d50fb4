/*
 * What the store uses of libcurl (7.74).
 *
 * DYN(name)
 */
DYN(curl_global_init)
DYN(curl_global_cleanup)
DYN(curl_easy_init)
DYN(curl_easy_cleanup)
DYN(curl_easy_reset)
DYN(curl_easy_setopt)
DYN(curl_easy_getinfo)
DYN(curl_easy_strerror)
DYN(curl_multi_init)
DYN(curl_multi_cleanup)
DYN(curl_multi_setopt)
DYN(curl_multi_add_handle)
DYN(curl_multi_remove_handle)
DYN(curl_multi_perform)
DYN(curl_multi_poll)
DYN(curl_multi_info_read)
DYN(curl_slist_append)
DYN(curl_slist_free_all)
