// Sets the top bit of a pixel's triangle id where a silhouette may be within a pixel of it: its triangle has a silhouette edge
// in this view (a boundary, or an edge whose other triangle folds back to this side), or is seen at a grazing angle.
// Between two pixels that see the mesh, antialiasing looks at marked ones only.
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
    let x0 = positions[f.x].xyz;
    let x1 = positions[f.y].xyz;
    let x2 = positions[f.z].xyz;
    let h0 = to_pixel(view, x0);
    let h1 = to_pixel(view, x1);
    let h2 = to_pixel(view, x2);
    // barycentric(..).sum is the triangle's area times this determinant times the cosine (over that of the pixel's ray).
    let lens = dot(view.pixel_row_0.xyz, cross(view.pixel_row_1.xyz, view.pixel_row_2.xyz));
    if abs(barycentric(p, h0, h1, h2).sum) < GRAZING * lens * length(cross(x1 - x0, x2 - x0)) {
        ids[pixel] = triangle | SILHOUETTE;
        return;
    }
    var s: array<vec2<f32>, 3>;
    s[0] = h0.xy / h0.z - p;
    s[1] = h1.xy / h1.z - p;
    s[2] = h2.xy / h2.z - p;
    for (var k = 0u; k < 3u; k++) {
        let next = (k + 1u) % 3u;
        if is_silhouette(view, across[k], p, s[k], s[next], s[(k + 2u) % 3u]) {
            ids[pixel] = triangle | SILHOUETTE;
            return;
        }
    }
}
