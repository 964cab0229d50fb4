/*
 * What the gzip codec uses of libdeflate (1.14).
 *
 * DYN(name)
 */
DYN(libdeflate_alloc_compressor)
DYN(libdeflate_free_compressor)
DYN(libdeflate_gzip_compress)
DYN(libdeflate_gzip_compress_bound)
