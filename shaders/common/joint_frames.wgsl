// Forward kinematics of four problems by one workgroup of 64: invocation = 16 * (problem of the quad) + joint.
// The kernel declares `layer`, `parameters` and `joint_model`.
//#use common/hand_layer, common/hand_tree, common/rotation

// Floats of `joint_model`.
const JOINT_REST: u32 = 0u;    // 16 x 3
const JOINT_SHAPE: u32 = 48u;  // 16 x 3 x 10
const POSE_BASE: u32 = 528u;   // 45
const POSE_BASIS: u32 = 573u;  // components x 45

var<workgroup> rest_joint: array<vec3<f32>, 64>;
var<workgroup> local_rotation: array<mat3x3<f32>, 64>;
var<workgroup> rotation: array<mat3x3<f32>, 64>;
var<workgroup> position: array<vec3<f32>, 64>;

// Joints between the wrist and this one, itself included.
fn depth_of(joint: u32) -> u32 {
    return select((joint - 1u) % 3u + 1u, 0u, joint == 0u);
}

fn joint_vector(problem: u32, joint: u32) -> vec3<f32> {
    let at = problem * STRIDE;
    if joint == 0u {
        return vec3<f32>(parameters[at], parameters[at + 1u], parameters[at + 2u]);
    }
    let first = 3u * (joint - 1u);
    let base = POSE_BASE + first;
    var v = vec3<f32>(joint_model[base], joint_model[base + 1u], joint_model[base + 2u]);
    if layer.components == 0u {
        let own = at + POSE + first;
        return v + vec3<f32>(parameters[own], parameters[own + 1u], parameters[own + 2u]);
    }
    for (var k = 0u; k < layer.components; k++) {
        let row = POSE_BASIS + 45u * k + first;
        v += parameters[at + POSE + k] * vec3<f32>(joint_model[row], joint_model[row + 1u], joint_model[row + 2u]);
    }
    return v;
}

fn joint_shape(joint: u32, c: u32) -> vec3<f32> {
    let at = JOINT_SHAPE + 30u * joint + c;
    return vec3<f32>(joint_model[at], joint_model[at + 10u], joint_model[at + 20u]);
}

// Fills the workgroup's arrays; every invocation calls it.
fn joint_frames(lane: u32, problem: u32, joint: u32) {
    let at = JOINT_REST + 3u * joint;
    var rest = vec3<f32>(joint_model[at], joint_model[at + 1u], joint_model[at + 2u]);
    for (var c = 0u; c < 10u; c++) {
        rest += parameters[problem * STRIDE + SHAPE + c] * joint_shape(joint, c);
    }
    let own = rotation_from_axis_angle(joint_vector(problem, joint));
    rest_joint[lane] = rest;
    local_rotation[lane] = own;
    rotation[lane] = own;
    position[lane] = rest;
    for (var depth = 1u; depth <= 3u; depth++) {
        workgroupBarrier();
        if depth_of(joint) == depth {
            let parent = lane - joint + PARENTS[joint];
            rotation[lane] = rotation[parent] * own;
            position[lane] = position[parent] + rotation[parent] * (rest - rest_joint[parent]);
        }
    }
    workgroupBarrier();
}
