/* checksum.h -- the checksums that AWS puts on bodies, piece by piece: CRC-32 (IEEE 802.3), CRC-32C (RFC 3720, B.4),
 * CRC-64/NVME (NVM Express NVM Command Set, 5.2.1.3.4), SHA-1, SHA-256 and SHA-512 (FIPS 180-4), MD5 (RFC 1321). */
#ifndef CLOUDLESS_BASE_CHECKSUM_H
#define CLOUDLESS_BASE_CHECKSUM_H
#include "base/str.h"

#define CHECKSUM_BYTES_MAX 64

enum checksum {
    CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_CRC64NVME, CHECKSUM_SHA1, CHECKSUM_SHA256, CHECKSUM_SHA512, CHECKSUM_MD5,
    CHECKSUM_COUNT
};

struct checksum_state {
    enum checksum kind;
    uint64_t words[27];         /* of the algorithm */
};

/* "crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5", in any case. False: none of them. */
bool checksum_named(struct str name, enum checksum *ret);
const char *checksum_name(enum checksum kind);
size_t checksum_bytes(enum checksum kind);

void checksum_init(struct checksum_state *state, enum checksum kind);
void checksum_update(struct checksum_state *state, struct str bytes);
/* Big-endian, as AWS writes them in base64. Returns their number; the state is spent. */
size_t checksum_finish(struct checksum_state *state, uint8_t ret[CHECKSUM_BYTES_MAX]);
#endif
