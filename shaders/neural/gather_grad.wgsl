// Gradient of `gather`: from what samples say to albedo, vertex normals and positions, summed over samples in fixed point
// (`grads`: 9 words a vertex: albedo, normal, position per millimetre). The ray to a pixel's centre does not move with the
// surface, so that positions are felt through normals and barycentrics alone. One invocation a sample.
//#use common/index, common/gathering, common/surface_grad, common/sh, common/neural_sample
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> params: GatherParams;
@group(0) @binding(2) var<storage, read> pixels: PixelList;
@group(0) @binding(3) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read> rest_positions: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> samples_grad: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> grads: array<atomic<i32>>;

@compute @workgroup_size(64)
fn gather_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.samples {
        return;
    }
    let entry_index = chosen(i);
    if pixels.count == 0u || entry_index >= pixels.count {
        return;
    }
    let at = (params.first + i) * SAMPLE_STRIDE;
    let d_seen = params.weight * samples_grad[at].xyz;
    let d_albedo = params.weight * samples_grad[at + 1u].xyz;
    let d_rest = params.weight * params.rest.w * samples_grad[at + 2u].xyz;
    let d_shaded = params.weight * samples_grad[at + 4u].xyz;
    let d_weights = params.weight * samples_grad[at + 5u].xyz;
    let d_mirrored = params.weight * samples_grad[at + 6u].xyz;
    let d_cosine = params.weight * samples_grad[at + 6u].w;

    let s = surface_at(pixels.entries[entry_index]);
    let f = s.corners;
    let b = s.bary;
    let n = s.normal;
    let light = rig_light();
    let d_rho = d_albedo + sh_dot(light, n) * d_shaded;
    add_shares(s, 0u, d_rho);
    if view.geometry == 0u {
        return;
    }

    let x = mix3(b.lambda, positions[f.x].xyz, positions[f.y].xyz, positions[f.z].xyz);
    let ray = normalize(x - vec3<f32>(params.rotation_0.w, params.rotation_1.w, params.rotation_2.w));
    let d_n = d_seen.x * params.rotation_0.xyz + d_seen.y * params.rotation_1.xyz + d_seen.z * params.rotation_2.xyz
        - 2.0 * (dot(ray, n) * d_mirrored + dot(n, d_mirrored) * ray) - d_cosine * ray
        + dot(d_shaded, albedo_at(s)) * sh_dot_grad(light, n);
    let d_m = (d_n - n * dot(n, d_n)) / s.m_length;
    add_shares(s, 3u, d_m);
    let d_lambda = d_weights + vec3<f32>(
        dot(d_rho, albedo[f.x].xyz) + dot(d_m, s.n0) + dot(d_rest, rest_positions[f.x].xyz),
        dot(d_rho, albedo[f.y].xyz) + dot(d_m, s.n1) + dot(d_rest, rest_positions[f.y].xyz),
        dot(d_rho, albedo[f.z].xyz) + dot(d_m, s.n2) + dot(d_rest, rest_positions[f.z].xyz),
    );
    add_positions(s, d_lambda);
}
