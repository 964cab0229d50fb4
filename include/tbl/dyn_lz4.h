/*
 * What the lz4 codec uses of liblz4 (1.9), frame format.
 *
 * DYN(name)
 */
DYN(LZ4F_createCompressionContext)
DYN(LZ4F_freeCompressionContext)
DYN(LZ4F_compressBegin)
DYN(LZ4F_compressBound)
DYN(LZ4F_compressUpdate)
DYN(LZ4F_compressEnd)
DYN(LZ4F_createDecompressionContext)
DYN(LZ4F_freeDecompressionContext)
DYN(LZ4F_resetDecompressionContext)
DYN(LZ4F_decompress)
DYN(LZ4F_isError)
DYN(LZ4F_getErrorName)
