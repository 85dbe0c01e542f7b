// Robust triangulation: one workgroup per problem (a set of detections), one invocation per joint.
// Start: least distance to the back-projected planes (linear). Then Gauss-Newton on pixel residuals with
// Geman-McClure weights whose scale falls from scale_start_px to scale_px. Twin: fitting/pose/triangulate.rs.

struct TriangulateSettings {
    iterations: u32,
    scale_start_px: f32,
    scale_px: f32,
    noise_px: f32,
    gate_px: f32,
    problems: u32,
    pad0: u32,
    pad1: u32,
}

struct Solution {
    position: vec3<f32>,
    support: f32,
    // xx, yy, zz, xy, xz, yz of the covariance, square metres
    covariance_diagonal: vec3<f32>,
    weight: f32,
    covariance_rest: vec3<f32>,
    mean_px: f32,
}

const JOINTS: u32 = 21u;

@group(0) @binding(0) var<uniform> settings: TriangulateSettings;
@group(0) @binding(1) var<storage, read> cameras: array<vec4<f32>>;        // 3 rows of P per view
@group(0) @binding(2) var<storage, read> keypoints: array<vec4<f32>>;      // u, v, weight, 1 where placed by a user: 21 per detection
@group(0) @binding(3) var<storage, read> detection_views: array<u32>;
@group(0) @binding(4) var<storage, read> problem_ranges: array<vec2<u32>>; // offset and count in entries
@group(0) @binding(5) var<storage, read> entries: array<u32>;              // detections
@group(0) @binding(6) var<storage, read_write> solutions: array<Solution>; // 21 per problem

struct Symmetric {
    diagonal: vec3<f32>, // xx yy zz
    rest: vec3<f32>,     // xy xz yz
}

fn inverse(m: Symmetric) -> Symmetric {
    let a = m.diagonal.x; let b = m.diagonal.y; let c = m.diagonal.z;
    let d = m.rest.x; let e = m.rest.y; let f = m.rest.z;
    let cofactors = vec3<f32>(b * c - f * f, a * c - e * e, a * b - d * d);
    let cross_cofactors = vec3<f32>(e * f - d * c, d * f - b * e, d * e - a * f);
    let determinant = a * cofactors.x + d * cross_cofactors.x + e * cross_cofactors.y;
    let scale = 1.0 / max(determinant, 1e-30);
    return Symmetric(cofactors * scale, cross_cofactors * scale);
}

fn times(m: Symmetric, v: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        m.diagonal.x * v.x + m.rest.x * v.y + m.rest.y * v.z,
        m.rest.x * v.x + m.diagonal.y * v.y + m.rest.z * v.z,
        m.rest.y * v.x + m.rest.z * v.y + m.diagonal.z * v.z);
}

fn add_outer(m: Symmetric, v: vec3<f32>, w: f32) -> Symmetric {
    return Symmetric(m.diagonal + w * v * v, m.rest + w * vec3<f32>(v.x * v.y, v.x * v.z, v.y * v.z));
}

@compute @workgroup_size(32)
fn triangulate(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) local: vec3<u32>) {
    let problem = group.x + group.y * groups.x;
    let joint = local.x;
    if (problem >= settings.problems || joint >= JOINTS) { return; }
    let range = problem_ranges[problem];

    var normal = Symmetric(vec3<f32>(1e-9), vec3<f32>(0.0));
    var right = vec3<f32>(0.0);
    for (var i = 0u; i < range.y; i++) {
        let detection = entries[range.x + i];
        let view = 3u * detection_views[detection];
        let seen = keypoints[detection * JOINTS + joint];
        for (var axis = 0u; axis < 2u; axis++) {
            let plane = cameras[view + 2u] * seen[axis] - cameras[view + axis];
            let size = max(length(plane.xyz), 1e-20);
            let n = plane.xyz / size;
            normal = add_outer(normal, n, seen.z);
            right -= seen.z * (plane.w / size) * n;
        }
    }
    var x = times(inverse(normal), right);

    var information = Symmetric(vec3<f32>(1e-3), vec3<f32>(0.0));
    var support = 0.0;
    var weight_sum = 0.0;
    var square_sum = 0.0;
    var distance_sum = 0.0;
    for (var iteration = 0u; iteration <= settings.iterations; iteration++) {
        let t = f32(iteration) / f32(max(settings.iterations, 1u));
        let scale = settings.scale_start_px * pow(settings.scale_px / settings.scale_start_px, t);
        information = Symmetric(vec3<f32>(1e-3), vec3<f32>(0.0));
        var gradient = vec3<f32>(0.0);
        support = 0.0;
        weight_sum = 0.0;
        square_sum = 0.0;
        distance_sum = 0.0;
        for (var i = 0u; i < range.y; i++) {
            let detection = entries[range.x + i];
            let view = 3u * detection_views[detection];
            let seen = keypoints[detection * JOINTS + joint];
            let p0 = cameras[view];
            let p1 = cameras[view + 1u];
            let p2 = cameras[view + 2u];
            let point = vec4<f32>(x, 1.0);
            let depth = dot(p2, point);
            if (depth < 1e-6) { continue; }
            let u = dot(p0, point) / depth;
            let v = dot(p1, point) / depth;
            let residual = vec2<f32>(u - seen.x, v - seen.y);
            let square = dot(residual, residual);
            let ratio = scale * scale / (scale * scale + square);
            let weight = select(seen.z * ratio * ratio, seen.z, seen.w > 0.5);
            let ju = (p0.xyz - u * p2.xyz) / depth;
            let jv = (p1.xyz - v * p2.xyz) / depth;
            information = add_outer(add_outer(information, ju, weight), jv, weight);
            gradient += weight * (residual.x * ju + residual.y * jv);
            if (square < settings.gate_px * settings.gate_px && seen.z > 0.0) { support += 1.0; }
            weight_sum += weight;
            square_sum += weight * square;
            distance_sum += weight * sqrt(square);
        }
        if (iteration < settings.iterations) {
            x -= times(inverse(information), gradient);
        }
    }
    // Variance of a pixel coordinate: the prior counts as four observations.
    let prior = 4.0 * settings.noise_px * settings.noise_px;
    let variance = (prior + 0.5 * square_sum) / (4.0 + max(weight_sum - 1.5, 0.0));
    let covariance = inverse(information);
    solutions[problem * JOINTS + joint] = Solution(x, support, covariance.diagonal * variance, weight_sum,
        covariance.rest * variance, distance_sum / max(weight_sum, 1e-9));
}
