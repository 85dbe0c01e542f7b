// A pixel's word: triangle + 1 (0 = background), and in the top bit whether that triangle has a silhouette edge.
const SILHOUETTE: u32 = 0x80000000u;

fn triangle_of(word: u32) -> u32 {
    return word & 0x7fffffffu;
}
