// Sets the top bit of a pixel's triangle id when that triangle has a silhouette edge in this view: a boundary edge, or
// one whose other triangle folds back to this side. Antialiasing looks at marked pixels only.
//#use common/index, common/ids, common/pixel_list, common/crossing
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> wings: array<Wing>;
@group(0) @binding(3) var<storage, read> covered: PixelList;
@group(0) @binding(4) var<storage, read_write> ids: array<u32>;

@compute @workgroup_size(64)
fn mark_silhouettes(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= covered.count {
        return;
    }
    let pixel = covered.entries[i].x;
    let triangle = covered.entries[i].y;
    let f = wings[triangle - 1u].corners;
    let across = wings[triangle - 1u].across;
    let p = pixel_centre(view, pixel);
    var s: array<vec2<f32>, 3>;
    s[0] = screen(view, positions[f.x].xyz) - p;
    s[1] = screen(view, positions[f.y].xyz) - p;
    s[2] = screen(view, positions[f.z].xyz) - p;
    for (var k = 0u; k < 3u; k++) {
        let next = (k + 1u) % 3u;
        if is_silhouette(view, across[k], p, s[k], s[next], s[(k + 2u) % 3u]) {
            ids[pixel] = triangle | SILHOUETTE;
            return;
        }
    }
}
