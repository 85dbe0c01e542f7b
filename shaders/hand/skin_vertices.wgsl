// Rest vertices from template, shape and pose directions, then linear blend skinning. One workgroup per (quad, tile of 64
// vertices), one invocation per vertex, which carries the four problems of the quad in the components of its vec4s.
// Twin: hand/layer.
//#use common/hand_layer
@group(0) @binding(0) var<uniform> layer: LayerParams;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> directions: array<f32>;          // column, coordinate, vertex
@group(0) @binding(3) var<storage, read> weights: array<f32>;             // joint, vertex
@group(0) @binding(4) var<storage, read> tile_masks: array<u32>;          // bit g: group g, bit 16 + j: joint j
@group(0) @binding(5) var<storage, read> coefficients: array<vec4<f32>>;  // per quad 160
@group(0) @binding(6) var<storage, read> transforms: array<vec4<f32>>;    // per quad 16 x 12
@group(0) @binding(7) var<storage, read_write> rest: array<vec4<f32>>;    // quad, coordinate, vertex
@group(0) @binding(8) var<storage, read_write> vertices: array<vec4<f32>>; // problem, vertex

@compute @workgroup_size(64)
fn skin_vertices(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let plane = layer.plane;
    let tiles = plane / 64u;
    let index = group.x + group.y * groups.x;
    let quad = index / tiles;
    let tile = index % tiles;
    if quad >= layer.quads {
        return;
    }
    let v = tile * 64u + lane;
    let mask = tile_masks[tile];

    let base = 3u * COLUMNS * plane + v;
    var x = vec4<f32>(directions[base]);
    var y = vec4<f32>(directions[base + plane]);
    var z = vec4<f32>(directions[base + 2u * plane]);
    for (var g = 0u; g < 16u; g++) {
        if ((mask >> g) & 1u) == 0u {
            continue;
        }
        for (var i = 0u; i < GROUP; i++) {
            let column = GROUP * g + i;
            let c = coefficients[quad * COLUMNS + column];
            let at = 3u * column * plane + v;
            x += directions[at] * c;
            y += directions[at + plane] * c;
            z += directions[at + 2u * plane] * c;
        }
    }
    let out = 3u * quad * plane + v;
    rest[out] = x;
    rest[out + plane] = y;
    rest[out + 2u * plane] = z;

    var sx = vec4<f32>(0.0);
    var sy = vec4<f32>(0.0);
    var sz = vec4<f32>(0.0);
    for (var j = 0u; j < 16u; j++) {
        if ((mask >> (16u + j)) & 1u) == 0u {
            continue;
        }
        let w = weights[j * plane + v];
        let t = (quad * 16u + j) * TRANSFORM;
        sx += w * (transforms[t] * x + transforms[t + 1u] * y + transforms[t + 2u] * z + transforms[t + 3u]);
        sy += w * (transforms[t + 4u] * x + transforms[t + 5u] * y + transforms[t + 6u] * z + transforms[t + 7u]);
        sz += w * (transforms[t + 8u] * x + transforms[t + 9u] * y + transforms[t + 10u] * z + transforms[t + 11u]);
    }
    if v >= layer.vertices {
        return;
    }
    for (var p = 0u; p < 4u; p++) {
        let problem = 4u * quad + p;
        let at = problem * STRIDE;
        let transl = vec3<f32>(parameters[at + TRANSL], parameters[at + TRANSL + 1u], parameters[at + TRANSL + 2u]);
        let posed = parameters[at + SCALE] * vec3<f32>(sx[p], sy[p], sz[p]) + transl;
        vertices[problem * layer.vertices + v] = vec4<f32>(posed, 0.0);
    }
}
