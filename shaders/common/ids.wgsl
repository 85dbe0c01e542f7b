// A pixel's word: triangle + 1 (0 = background), and in the top bit whether a silhouette may be near (raster/mark_silhouettes).
const SILHOUETTE: u32 = 0x80000000u;

fn triangle_of(word: u32) -> u32 {
    return word & 0x7fffffffu;
}

// A silhouette may lie between two neighbouring pixels: the mesh ends here, or one of two triangles is marked.
fn may_be_edge(own: u32, other: u32) -> bool {
    return own != other && (own == 0u || other == 0u || ((own | other) & SILHOUETTE) != 0u);
}
