// Gradient by the rest vertices from that by the posed ones: s B' g, B the blended rotation of the vertex. Mapping as in
// skin_vertices. Twin: hand/layer/backward.
//#use common/hand_layer
@group(0) @binding(0) var<uniform> layer: LayerParams;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> tile_masks: array<u32>;
@group(0) @binding(4) var<storage, read> transforms: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> vertex_grads: array<vec4<f32>>;      // problem, vertex
@group(0) @binding(6) var<storage, read_write> rest_grads: array<vec4<f32>>;  // quad, coordinate, vertex

@compute @workgroup_size(64)
fn skin_vertices_grad(
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
    var gx = vec4<f32>(0.0);
    var gy = vec4<f32>(0.0);
    var gz = vec4<f32>(0.0);
    if v < layer.vertices {
        for (var p = 0u; p < 4u; p++) {
            let problem = 4u * quad + p;
            let g = parameters[problem * STRIDE + SCALE] * vertex_grads[problem * layer.vertices + v].xyz;
            gx[p] = g.x;
            gy[p] = g.y;
            gz[p] = g.z;
        }
    }
    var x = vec4<f32>(0.0);
    var y = vec4<f32>(0.0);
    var z = vec4<f32>(0.0);
    for (var j = 0u; j < 16u; j++) {
        if ((mask >> (16u + j)) & 1u) == 0u {
            continue;
        }
        let w = weights[j * plane + v];
        let t = (quad * 16u + j) * TRANSFORM;
        x += w * (transforms[t] * gx + transforms[t + 4u] * gy + transforms[t + 8u] * gz);
        y += w * (transforms[t + 1u] * gx + transforms[t + 5u] * gy + transforms[t + 9u] * gz);
        z += w * (transforms[t + 2u] * gx + transforms[t + 6u] * gy + transforms[t + 10u] * gz);
    }
    let out = 3u * quad * plane + v;
    rest_grads[out] = x;
    rest_grads[out + plane] = y;
    rest_grads[out + 2u * plane] = z;
}
