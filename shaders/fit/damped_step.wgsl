// Levenberg-Marquardt step: one workgroup per problem. Judges the trial by its loss, keeps or drops it, then solves the
// damped system (D^-1 H D^-1 + lambda) y = -D^-1 g with D = sqrt(diag H) by Cholesky and writes the next trial.
// Twin: fitting/hand_fit/reference.rs.

struct StepSettings {
    problems: u32,
    lambda_down: f32,
    lambda_up: f32,
    max_turn: f32, // radians
}

struct Control {
    lambda: f32,
    loss: f32,
    accepted: u32,
    refused: u32,
}

const P: u32 = 62u;
const GRADIENT: u32 = 3844u;
const LOSSES: u32 = 3906u;
const SYSTEM: u32 = 4096u;

@group(0) @binding(0) var<uniform> settings: StepSettings;
@group(0) @binding(1) var<storage, read_write> control: array<Control>;
@group(0) @binding(2) var<storage, read> systems: array<f32>;          // of the trial
@group(0) @binding(3) var<storage, read_write> kept: array<f32>;       // of the current parameters
@group(0) @binding(4) var<storage, read_write> current: array<f32>;
@group(0) @binding(5) var<storage, read_write> trial: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;     // terms of the current parameters, 8 per problem

var<workgroup> lower: array<f32, 1953>; // packed rows
var<workgroup> right: array<f32, 64>;
var<workgroup> size: array<f32, 64>;
var<workgroup> pivot: f32;
var<workgroup> accept: u32;
var<workgroup> damping: f32;

fn packed(row: u32, column: u32) -> u32 {
    return row * (row + 1u) / 2u + column;
}

@compute @workgroup_size(64)
fn damped_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) local: vec3<u32>) {
    // Uniform: every dispatch has exactly as many workgroups as problems.
    let index = group.x + group.y * groups.x;
    let base = index * SYSTEM;
    let p = local.x;
    if (p == 0u) {
        var loss = 0.0;
        for (var i = 0u; i < 6u; i++) { loss += systems[base + LOSSES + i]; }
        let old = control[index];
        accept = select(0u, 1u, loss < old.loss);
        if (accept == 1u) {
            damping = max(old.lambda * settings.lambda_down, 1e-7);
            control[index] = Control(damping, loss, old.accepted + 1u, 0u);
        } else {
            damping = min(old.lambda * settings.lambda_up, 1e6);
            control[index] = Control(damping, old.loss, old.accepted, old.refused + 1u);
        }
    }
    workgroupBarrier();
    if (accept == 1u) {
        for (var i = p; i < LOSSES + 6u; i += 64u) { kept[base + i] = systems[base + i]; }
        current[index * 64u + p] = trial[index * 64u + p];
        if (p < 6u) { losses[index * 8u + p] = systems[base + LOSSES + p]; }
    }
    storageBarrier();
    workgroupBarrier();

    if (p < P) { size[p] = sqrt(max(kept[base + p * P + p], 1e-12)); }
    workgroupBarrier();
    if (p < P) {
        for (var q = 0u; q <= p; q++) { lower[packed(p, q)] = kept[base + p * P + q] / (size[p] * size[q]); }
        lower[packed(p, p)] += damping;
        right[p] = -kept[base + GRADIENT + p] / size[p];
    }
    workgroupBarrier();
    for (var j = 0u; j < P; j++) {
        if (p >= j && p < P) {
            var s = lower[packed(p, j)];
            for (var k = 0u; k < j; k++) { s -= lower[packed(p, k)] * lower[packed(j, k)]; }
            if (p == j) { pivot = sqrt(max(s, 1e-7)); }
            // Row j itself is read by the others until the barrier: only rows below it may be written now.
            if (p > j) { lower[packed(p, j)] = s; }
        }
        workgroupBarrier();
        if (p > j && p < P) { lower[packed(p, j)] /= pivot; }
        if (p == j) { lower[packed(p, p)] = pivot; }
        workgroupBarrier();
    }
    if (p == 0u) {
        for (var i = 0u; i < P; i++) {
            var s = right[i];
            for (var k = 0u; k < i; k++) { s -= lower[packed(i, k)] * right[k]; }
            right[i] = s / lower[packed(i, i)];
        }
        for (var n = 0u; n < P; n++) {
            let i = P - 1u - n;
            var s = right[i];
            for (var k = i + 1u; k < P; k++) { s -= lower[packed(k, i)] * right[k]; }
            right[i] = s / lower[packed(i, i)];
        }
        var turn = 0.0;
        for (var i = 0u; i < 51u; i++) {
            if (i < 3u || i >= 6u) { turn = max(turn, abs(right[i] / size[i])); }
        }
        pivot = min(1.0, settings.max_turn / max(turn, 1e-12));
    }
    workgroupBarrier();
    if (p < P) { trial[index * 64u + p] = current[index * 64u + p] + pivot * right[p] / size[p]; }
}
