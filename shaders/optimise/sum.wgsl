// Adds `count` records of `stride` interleaved partial sums to out[slot .. slot + stride], always in the same order.
// One workgroup.
struct SumParams {
    count: u32,
    stride: u32,
    offset: u32,
    slot: u32,
}
@group(0) @binding(0) var<uniform> params: SumParams;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> totals: array<f32>;

var<workgroup> shared_sums: array<f32, 256>;

@compute @workgroup_size(256)
fn sum(@builtin(local_invocation_index) local: u32) {
    for (var k = 0u; k < params.stride; k++) {
        var own = 0.0;
        for (var i = local; i < params.count; i += 256u) {
            own += partials[params.offset + i * params.stride + k];
        }
        shared_sums[local] = own;
        workgroupBarrier();
        if local == 0u {
            var total = 0.0;
            for (var i = 0u; i < 256u; i++) {
                total += shared_sums[i];
            }
            totals[params.slot + k] += total;
        }
        workgroupBarrier();
    }
}
