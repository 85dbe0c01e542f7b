// What the network is told about pixels of a region: sampled ones (one of each of `samples` equal parts of the list, chosen
// by the seed), or `samples` of them in order from `start`, with their photograph or without. One invocation a sample; those
// beyond the list become zeros, those whose word is 0 (pixels of a crop that see nothing), and sampled ones that the mask does
// not surely hold. In order with the photograph, the latter stay, but have no gain, so that no loss counts them.
//#use common/index, common/gathering, common/surface, common/sh, common/neural_sample
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> params: GatherParams;
@group(0) @binding(2) var<storage, read> pixels: PixelList;
@group(0) @binding(3) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read> rest_positions: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> targets: array<u32>;
@group(0) @binding(9) var<storage, read_write> samples: array<vec4<u32>>;

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.samples {
        return;
    }
    let at = (params.first + i) * SAMPLE_STRIDE;
    let entry_index = chosen(i);
    var there = pixels.count > 0u && entry_index < pixels.count;
    if there {
        there = pixels.entries[entry_index].y != 0u;
    }
    var held = true;
    if there && params.sampled != 0u {
        let coverage = targets[pixels.entries[entry_index].x] >> 24u;
        held = coverage >= params.least && coverage < 255u;
        there = held || params.sampled == 2u;
    }
    if !there {
        for (var k = 0u; k < SAMPLE_STRIDE; k++) {
            samples[at + k] = vec4<u32>(0u);
        }
        return;
    }
    let entry = pixels.entries[entry_index];
    let s = surface_at(entry);
    let lambda = s.bary.lambda;
    let corners = s.corners;
    let x = mix3(lambda, positions[corners.x].xyz, positions[corners.y].xyz, positions[corners.z].xyz);
    let rest = mix3(lambda, rest_positions[corners.x].xyz, rest_positions[corners.y].xyz, rest_positions[corners.z].xyz);
    let n = s.normal;
    let ray = normalize(x - vec3<f32>(params.rotation_0.w, params.rotation_1.w, params.rotation_2.w));
    let seen = vec3<f32>(dot(params.rotation_0.xyz, n), dot(params.rotation_1.xyz, n), dot(params.rotation_2.xyz, n));
    let rho = albedo_at(s);
    let light = rig_light();
    let mirrored = ray - 2.0 * dot(ray, n) * n;
    samples[at] = bits(seen, select(0u, targets[entry.x], params.sampled != 0u));
    samples[at + 1u] = bits(rho, corners.x);
    samples[at + 2u] = bits((rest - params.rest.xyz) * params.rest.w, corners.y);
    samples[at + 3u] = bits(ray, corners.z);
    samples[at + 4u] = bits4(sh_dot(light, n) * rho, lambda.x);
    samples[at + 5u] = bits4(select(vec3<f32>(0.0), params.light_2.yzw, held), lambda.y);
    samples[at + 6u] = bits4(mirrored, -dot(ray, n));
}
