// Antialiased colours: each pixel blends with the neighbours across a silhouette by the covered fraction.
// A pair with crossing t (from the front centre): t > 1/2 lets the front colour into the other pixel by t - 1/2,
// t < 1/2 lets the other colour into the front pixel by 1/2 - t. Gather form: each pixel at an edge looks at its four
// pairs; the others keep the colour that was copied.
//#use common/index, common/pixel_list, common/neighbours
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> wings: array<Wing>;
@group(0) @binding(4) var<storage, read> colours: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> edges: PixelList;
@group(0) @binding(6) var<storage, read_write> smooth_colours: array<vec4<f32>>;

@compute @workgroup_size(64)
fn antialias(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= edges.count {
        return;
    }
    let pixel = edges.entries[i].x;
    let own = edges.entries[i].y;
    let p = pixel_centre(view, pixel);
    let own_colour = colours[pixel];
    var sum = own_colour;
    for (var k = 0u; k < 4u; k++) {
        let n = neighbour(pixel, p, own, k);
        if n.pair.found && is_blended(n.pair) {
            sum += abs(n.pair.cross.t - 0.5) * (colours[n.pixel] - own_colour);
        }
    }
    smooth_colours[pixel] = sum;
}
