/*
 * What the bzip2 codec uses of libbz2 (1.0).
 *
 * DYN(name)
 */
DYN(BZ2_bzCompressInit)
DYN(BZ2_bzCompress)
DYN(BZ2_bzCompressEnd)
DYN(BZ2_bzDecompressInit)
DYN(BZ2_bzDecompress)
DYN(BZ2_bzDecompressEnd)
