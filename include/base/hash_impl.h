/*
 * hash_impl - the two ways to compress blocks of SHA-256, for hash.c and its tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const uint32_t sha256_round_constant[64];

void sha256_blocks_portable(uint32_t state[8], const unsigned char *p, size_t blocks);
/* Only where sha256_fast_works(). */
void sha256_blocks_fast(uint32_t state[8], const unsigned char *p, size_t blocks);
bool sha256_fast_works(void);
