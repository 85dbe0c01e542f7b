// Adds a flat list of numbers to another.
//#use common/index
@group(0) @binding(0) var<storage, read> step: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= arrayLength(&values) {
        return;
    }
    values[i] += step[i];
}
