/*
 * What the snappy codec uses of libsnappy (1.1).
 *
 * DYN(name)
 */
DYN(snappy_compress)
DYN(snappy_uncompress)
DYN(snappy_max_compressed_length)
DYN(snappy_uncompressed_length)
