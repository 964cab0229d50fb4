/*
 * What the zstd codec uses of libzstd (1.4 and later).
 *
 * DYN(name)
 */
DYN(ZSTD_createCCtx)
DYN(ZSTD_freeCCtx)
DYN(ZSTD_CCtx_setParameter)
DYN(ZSTD_CCtx_reset)
DYN(ZSTD_compressStream2)
DYN(ZSTD_createDCtx)
DYN(ZSTD_freeDCtx)
DYN(ZSTD_DCtx_reset)
DYN(ZSTD_decompressStream)
DYN(ZSTD_isError)
DYN(ZSTD_getErrorName)
