// The flat index of an invocation of a dispatch that was folded into two dimensions.
fn flat_index(id: vec3<u32>, groups: vec3<u32>, group_size: u32) -> u32 {
    return id.x + id.y * groups.x * group_size;
}
