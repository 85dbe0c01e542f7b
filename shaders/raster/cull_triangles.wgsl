// One bit a triangle: set when it may cover a pixel centre of the region. Back faces, triangles outside the region and
// those that slip between pixel centres are left out, with a margin for the rasteriser's own rounding: it decides.
// One invocation a word of 32 triangles.
//#use common/index, common/camera
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> masks: array<u32>;

// Rasterisers snap to 1/256 of a pixel or finer.
const MARGIN_PX: f32 = 0.015625;
// Nearer corners, and those behind the camera, are the rasteriser's to clip.
const NEAR: f32 = 0.01;

fn may_cover(h0: vec3<f32>, h1: vec3<f32>, h2: vec3<f32>) -> bool {
    if min(h0.z, min(h1.z, h2.z)) < NEAR {
        return true;
    }
    let a = h0.xy / h0.z;
    let b = h1.xy / h1.z;
    let c = h2.xy / h2.z;
    let low = min(a, min(b, c)) - MARGIN_PX;
    let high = max(a, max(b, c)) + MARGIN_PX;
    let extent = high - low;
    // y points down: front faces have a negative area.
    let back = cross2(b - a, c - a) > MARGIN_PX * (extent.x + extent.y);
    let first = max(ceil(low - 0.5), vec2<f32>(0.0));
    let last = min(floor(high - 0.5), vec2<f32>(f32(view.width) - 1.0, f32(view.height) - 1.0));
    return !back && first.x <= last.x && first.y <= last.y;
}

@compute @workgroup_size(64)
fn cull_triangles(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = flat_index(id, groups, 64u);
    if word >= arrayLength(&masks) {
        return;
    }
    let begin = word * 32u;
    let to = min(begin + 32u, arrayLength(&faces));
    var mask = 0u;
    for (var triangle = begin; triangle < to; triangle++) {
        let f = faces[triangle].xyz;
        let h0 = to_pixel(view, positions[f.x].xyz);
        let h1 = to_pixel(view, positions[f.y].xyz);
        let h2 = to_pixel(view, positions[f.z].xyz);
        mask |= select(0u, 1u << (triangle - begin), may_cover(h0, h1, h2));
    }
    masks[word] = mask;
}
