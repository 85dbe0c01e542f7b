// Normal equations of the hand fit: one workgroup per problem (hand x start).
// Forward kinematics of the 21 keypoints, analytic Jacobian (62 parameters: orientation 3, translation 3, pose 45,
// shape 10, scale 1), robust 3D and 2D terms, priors: H = J'AJ + priors, g = gradient, losses.
// Twin: fitting/hand_fit/reference.rs.
//#use common/hand_tree, common/rotation

struct FitSettings {
    problems: u32,
    scale_free: u32,
    joints_weight: f32,
    joints_robust: f32,       // squared Mahalanobis distance at which the weight is one half
    reprojection_weight: f32, // over squared noise: 1 / px^2
    reprojection_robust: f32, // squared residual in px^2 at which the weight is one half
    limit_weight: f32,
    shape_weight: f32,
}

const P: u32 = 62u;
const K: u32 = 21u;
// One model, in floats.
const REST: u32 = 0u;        // 21 x 3
const SHAPE: u32 = 63u;      // 21 x 3 x 10
const TIPS: u32 = 693u;      // 5 x 16
const PRIOR_MEAN: u32 = 773u; // 45
const PRIOR: u32 = 818u;     // 45 x 3: rows of 3x3 blocks
const LIMITS: u32 = 953u;    // 45 x 2
const SHAPE_MEAN: u32 = 1043u; // 10
const MODEL: u32 = 1053u;
// One target: position 3, information xx yy zz xy xz yz, information of the offset; MediaPipe order.
const TARGET: u32 = 10u;
const OFFSET_STEPS: u32 = 6u;
// One system: H 62 x 62, g 62, losses 6 (joints, reprojection, pose, limits, shape, offsets).
const GRADIENT: u32 = 3844u;
const LOSSES: u32 = 3906u;
const SYSTEM: u32 = 4096u;

@group(0) @binding(0) var<uniform> settings: FitSettings;
@group(0) @binding(1) var<storage, read> models: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read> cameras: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> observations: array<vec4<f32>>; // u, v, weight, view; 21 per observation
@group(0) @binding(5) var<storage, read> problems: array<vec4<u32>>;     // hand, first observation, count, 0
@group(0) @binding(6) var<storage, read> trial: array<f32>;              // 64 per problem
@group(0) @binding(7) var<storage, read_write> systems: array<f32>;
@group(0) @binding(8) var<storage, read_write> jacobian: array<f32>;     // 21 x 3 x 62 per problem

// Bit j of entry b: joint j is b or above it.
const ANCESTORS = array<u32, 16>(0x1u, 0x3u, 0x7u, 0xfu, 0x11u, 0x31u, 0x71u, 0x81u, 0x181u, 0x381u, 0x401u, 0xc01u,
    0x1c01u, 0x2001u, 0x6001u, 0xe001u);
const SOURCES = array<u32, 21>(0u, 13u, 14u, 15u, 16u, 1u, 2u, 3u, 17u, 4u, 5u, 6u, 18u, 10u, 11u, 12u, 19u, 7u, 8u, 9u, 20u);

var<workgroup> x: array<f32, 64>;
var<workgroup> rest: array<vec3<f32>, 21>;
var<workgroup> rotation: array<mat3x3<f32>, 16>;
var<workgroup> axes: array<mat3x3<f32>, 16>;
var<workgroup> position: array<vec3<f32>, 16>;
var<workgroup> keypoints: array<vec3<f32>, 21>; // before scale and translation
var<workgroup> info_diagonal: array<vec3<f32>, 21>;
var<workgroup> info_rest: array<vec3<f32>, 21>;
var<workgroup> slope: array<vec3<f32>, 21>;
var<workgroup> joint_loss: array<vec3<f32>, 21>;
var<workgroup> prior_loss: array<vec3<f32>, 64>;

fn symmetric_times(diagonal: vec3<f32>, off: vec3<f32>, v: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        diagonal.x * v.x + off.x * v.y + off.y * v.z,
        off.x * v.x + diagonal.y * v.y + off.z * v.z,
        off.y * v.x + off.z * v.y + diagonal.z * v.z);
}

fn outer_rest(v: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(v.x * v.y, v.x * v.z, v.y * v.z);
}

fn rest_shape(model: u32, point: u32, c: u32) -> vec3<f32> {
    let at = model + SHAPE + point * 30u + c;
    return vec3<f32>(models[at], models[at + 10u], models[at + 20u]);
}

fn bone_weight(model: u32, point: u32, bone: u32) -> f32 {
    if (point < 16u) { return select(0.0, 1.0, point == bone); }
    return models[model + TIPS + (point - 16u) * 16u + bone];
}

fn carried(point: u32, bone: u32) -> vec3<f32> {
    return rotation[bone] * (rest[point] - rest[bone]) + position[bone];
}

// Derivative of keypoint `point` by parameter `p`, before scale.
fn column(model: u32, point: u32, p: u32) -> vec3<f32> {
    var sum = vec3<f32>(0.0);
    if (p < 3u || (p >= 6u && p < 51u)) {
        let joint = select((p - 6u) / 3u + 1u, 0u, p < 3u);
        let axis = axes[joint][p % 3u];
        for (var bone = 0u; bone < 16u; bone++) {
            let w = bone_weight(model, point, bone);
            if (w != 0.0 && ((ANCESTORS[bone] >> joint) & 1u) == 1u) {
                sum += w * cross(axis, carried(point, bone) - position[joint]);
            }
        }
    } else if (p >= 51u && p < 61u) {
        let c = p - 51u;
        let own = rest_shape(model, point, c);
        for (var bone = 0u; bone < 16u; bone++) {
            let w = bone_weight(model, point, bone);
            if (w != 0.0) {
                // dx = R_b (dt - dJ_b) + dp_b; dp_b runs up the chain: R_parent (dJ_j - dJ_parent) + ... + dJ_0
                var moved = rotation[bone] * (own - rest_shape(model, bone, c));
                var joint = bone;
                for (var up = 0u; up < 3u; up++) {
                    if (joint > 0u) {
                        let parent = PARENTS[joint];
                        moved += rotation[parent] * (rest_shape(model, joint, c) - rest_shape(model, parent, c));
                        joint = parent;
                    }
                }
                sum += w * (moved + rest_shape(model, 0u, c));
            }
        }
    }
    return sum;
}

// Cauchy: value and weight of squared residual `s` at scale `c`.
fn robust(s: f32, c: f32) -> vec2<f32> {
    let q = s / c;
    // log(1 + q) loses its small values in single stiffness.
    let value = select(log(1.0 + q), q - 0.5 * q * q + q * q * q / 3.0, q < 0.02);
    return vec2<f32>(0.5 * c * value, 1.0 / (1.0 + q));
}

// What the data say about one landmark: information (diagonal, rest), slope, losses.
struct Pull {
    a: vec3<f32>,
    b: vec3<f32>,
    g: vec3<f32>,
    loss: vec2<f32>,
}

fn pull_at(problem: vec4<u32>, k: u32, world: vec3<f32>) -> Pull {
    let t = (problem.x * K + k) * TARGET;
    let d = world - vec3<f32>(targets[t], targets[t + 1u], targets[t + 2u]);
    let diagonal = vec3<f32>(targets[t + 3u], targets[t + 4u], targets[t + 5u]);
    let off = vec3<f32>(targets[t + 6u], targets[t + 7u], targets[t + 8u]);
    let pull = symmetric_times(diagonal, off, d);
    let near = robust(dot(d, pull), settings.joints_robust);
    let wj = settings.joints_weight * near.y;
    var loss = vec2<f32>(settings.joints_weight * near.x, 0.0);
    var a = wj * diagonal;
    var b = wj * off;
    var g = wj * pull;

    for (var i = 0u; i < problem.z; i++) {
        let seen = observations[(problem.y + i) * K + k];
        let view = 3u * u32(seen.w);
        let p0 = cameras[view];
        let p1 = cameras[view + 1u];
        let p2 = cameras[view + 2u];
        let h = vec4<f32>(world, 1.0);
        let depth = dot(p2, h);
        if (depth < 1e-3 || seen.z <= 0.0) { continue; }
        let u = dot(p0, h) / depth;
        let v = dot(p1, h) / depth;
        let r = vec2<f32>(u - seen.x, v - seen.y);
        let rho = robust(dot(r, r), settings.reprojection_robust);
        let w = settings.reprojection_weight * seen.z;
        loss.y += w * rho.x;
        let ju = (p0.xyz - u * p2.xyz) / depth;
        let jv = (p1.xyz - v * p2.xyz) / depth;
        let wr = w * rho.y;
        a += wr * (ju * ju + jv * jv);
        b += wr * (outer_rest(ju) + outer_rest(jv));
        g += wr * (r.x * ju + r.y * jv);
    }
    return Pull(a, b, g, loss);
}

// (A + stiffness I)^-1 v by Cramer's rule.
fn solve_symmetric(diagonal: vec3<f32>, off: vec3<f32>, stiffness: f32, v: vec3<f32>) -> vec3<f32> {
    // Scaled so that the determinant stays in single range.
    let size = 1.0 / (stiffness + max(diagonal.x, max(diagonal.y, diagonal.z)));
    let a = (diagonal + vec3<f32>(stiffness)) * size;
    let b = off * size;
    let x = vec3<f32>(a.x, b.x, b.y);
    let y = vec3<f32>(b.x, a.y, b.z);
    let z = vec3<f32>(b.y, b.z, a.z);
    let yz = cross(y, z);
    return vec3<f32>(dot(yz, v), dot(cross(z, x), v), dot(cross(x, y), v)) * (size / max(dot(x, yz), 1e-20));
}

fn data_terms(problem: vec4<u32>, k: u32) {
    let point = SOURCES[k];
    var base = vec3<f32>(0.0);
    let model = problem.x * MODEL;
    for (var bone = 0u; bone < 16u; bone++) {
        let w = bone_weight(model, point, bone);
        if (w != 0.0) { base += w * carried(point, bone); }
    }
    keypoints[k] = base;
    let world = base * x[61] + vec3<f32>(x[3], x[4], x[5]);

    // The landmark's offset takes its best value and is eliminated: P (A + P)^-1 A is left of the information A.
    let stiffness = targets[(problem.x * K + k) * TARGET + 9u];
    var offset = vec3<f32>(0.0);
    for (var i = 0u; i < OFFSET_STEPS; i++) {
        let pull = pull_at(problem, k, world + offset);
        offset -= solve_symmetric(pull.a, pull.b, stiffness, pull.g + stiffness * offset);
    }
    let pull = pull_at(problem, k, world + offset);
    let left_x = stiffness * solve_symmetric(pull.a, pull.b, stiffness, vec3<f32>(pull.a.x, pull.b.x, pull.b.y));
    let left_y = stiffness * solve_symmetric(pull.a, pull.b, stiffness, vec3<f32>(pull.b.x, pull.a.y, pull.b.z));
    let left_z = stiffness * solve_symmetric(pull.a, pull.b, stiffness, vec3<f32>(pull.b.y, pull.b.z, pull.a.z));
    info_diagonal[k] = vec3<f32>(left_x.x, left_y.y, left_z.z);
    info_rest[k] = vec3<f32>(left_x.y, left_x.z, left_y.z);
    slope[k] = pull.g;
    joint_loss[k] = vec3<f32>(pull.loss, 0.5 * stiffness * dot(offset, offset));
}

@compute @workgroup_size(64)
fn hand_normal(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) local: vec3<u32>) {
    // Uniform: every dispatch has exactly as many workgroups as problems.
    let index = group.x + group.y * groups.x;
    let problem = problems[index];
    let model = problem.x * MODEL;
    let p = local.x;
    x[p] = trial[index * 64u + p];
    workgroupBarrier();

    if (p < K) {
        var r = vec3<f32>(models[model + REST + 3u * p], models[model + REST + 3u * p + 1u], models[model + REST + 3u * p + 2u]);
        for (var c = 0u; c < 10u; c++) { r += x[51u + c] * rest_shape(model, p, c); }
        rest[p] = r;
    }
    if (p < 16u) {
        let first = select(3u + 3u * p, 0u, p == 0u);
        let v = vec3<f32>(x[first], x[first + 1u], x[first + 2u]);
        rotation[p] = rotation_from_axis_angle(v);
        axes[p] = left_jacobian(v);
    }
    workgroupBarrier();
    if (p == 0u) {
        position[0] = rest[0];
        for (var joint = 1u; joint < 16u; joint++) {
            let parent = PARENTS[joint];
            axes[joint] = rotation[parent] * axes[joint];
            rotation[joint] = rotation[parent] * rotation[joint];
            position[joint] = position[parent] + rotation[parent] * (rest[joint] - rest[parent]);
        }
    }
    workgroupBarrier();
    if (p < K) { data_terms(problem, p); }
    workgroupBarrier();

    let base = index * SYSTEM;
    let scratch = index * 3906u;
    prior_loss[p] = vec3<f32>(0.0);
    if (p < P) {
        for (var k = 0u; k < K; k++) {
            var c = column(model, SOURCES[k], p) * x[61];
            if (p >= 3u && p < 6u) { c[p - 3u] = 1.0; }
            if (p == 61u) { c = keypoints[k]; }
            if (p == 61u && settings.scale_free == 0u) { c = vec3<f32>(0.0); }
            let at = scratch + k * 186u + p;
            jacobian[at] = c.x;
            jacobian[at + 62u] = c.y;
            jacobian[at + 124u] = c.z;
        }
        for (var q = 0u; q < P; q++) { systems[base + p * P + q] = 0.0; }
    }
    storageBarrier();
    workgroupBarrier();
    if (p < P) {
        var g = 0.0;
        for (var k = 0u; k < K; k++) {
            let at = scratch + k * 186u;
            let c = vec3<f32>(jacobian[at + p], jacobian[at + 62u + p], jacobian[at + 124u + p]);
            let w = symmetric_times(info_diagonal[k], info_rest[k], c);
            g += dot(c, slope[k]);
            for (var q = 0u; q < P; q++) {
                let other = vec3<f32>(jacobian[at + q], jacobian[at + 62u + q], jacobian[at + 124u + q]);
                systems[base + p * P + q] += dot(w, other);
            }
        }
        if (p >= 6u && p < 51u) {
            let i = p - 6u;
            let block = i / 3u * 3u;
            var pull = 0.0;
            for (var j = 0u; j < 3u; j++) {
                let stiffness = models[model + PRIOR + i * 3u + j];
                pull += stiffness * (x[6u + block + j] - models[model + PRIOR_MEAN + block + j]);
                systems[base + p * P + 6u + block + j] += stiffness;
            }
            prior_loss[p].x = 0.5 * pull * (x[p] - models[model + PRIOR_MEAN + i]);
            g += pull;
            let below = min(x[p] - models[model + LIMITS + 2u * i], 0.0);
            let above = max(x[p] - models[model + LIMITS + 2u * i + 1u], 0.0);
            let outside = below + above;
            if (outside != 0.0) {
                g += settings.limit_weight * outside;
                systems[base + p * P + p] += settings.limit_weight;
                prior_loss[p].y = 0.5 * settings.limit_weight * outside * outside;
            }
        }
        if (p >= 51u && p < 61u) {
            let off = x[p] - models[model + SHAPE_MEAN + p - 51u];
            g += settings.shape_weight * off;
            systems[base + p * P + p] += settings.shape_weight;
            prior_loss[p].z = 0.5 * settings.shape_weight * off * off;
        }
        if (p == 61u && settings.scale_free == 0u) {
            g = 0.0;
            systems[base + p * P + p] = 1.0;
        }
        systems[base + GRADIENT + p] = g;
    }
    workgroupBarrier();
    if (p == 0u) {
        var data = vec3<f32>(0.0);
        var priors = vec3<f32>(0.0);
        for (var k = 0u; k < K; k++) { data += joint_loss[k]; }
        for (var q = 0u; q < P; q++) { priors += prior_loss[q]; }
        systems[base + LOSSES] = data.x;
        systems[base + LOSSES + 1u] = data.y;
        systems[base + LOSSES + 2u] = priors.x;
        systems[base + LOSSES + 3u] = priors.y;
        systems[base + LOSSES + 4u] = priors.z;
        systems[base + LOSSES + 5u] = data.z;
    }
}
