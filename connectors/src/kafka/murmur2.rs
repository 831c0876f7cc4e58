//! The hash by which Java's producer chooses a partition for a key (murmur2, seed 0x9747b28c, as in
//! `org.apache.kafka.common.utils.Utils`): equal keys of both land in the same partition.

const M: u32 = 0x5bd1_e995;

/// The hash of `key`.
pub(super) fn hash(key: &[u8]) -> u32 {
    // Lengths beyond 4 GiB do not exist: Kafka's are 31 bits.
    #[expect(clippy::cast_possible_truncation, reason = "a key's length fits 31 bits")]
    let mut h = 0x9747_b28c ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The partition of `key` among `partitions`.
pub(super) fn partition(key: &[u8], partitions: u32) -> u32 {
    (hash(key) & 0x7fff_ffff) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `UtilsTest.testMurmur2` of Apache Kafka.
    #[test]
    fn hashes_are_those_of_the_java_client() {
        let golden: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, expected) in golden {
            assert_eq!(hash(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }
}
