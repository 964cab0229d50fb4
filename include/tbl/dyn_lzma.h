/*
 * What the xz codec uses of liblzma (5.2 and later).
 *
 * DYN(name)
 */
DYN(lzma_easy_encoder)
DYN(lzma_stream_decoder)
DYN(lzma_code)
DYN(lzma_end)
