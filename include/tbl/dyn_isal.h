/*
 * What the gzip codec uses of ISA-L (2.30).
 *
 * DYN(name)
 */
DYN(isal_deflate_init)
DYN(isal_deflate_reset)
DYN(isal_deflate)
DYN(isal_inflate_init)
DYN(isal_inflate_reset)
DYN(isal_inflate)
