// Exclusive prefix sums over the set bits of `masks`: where each word's items stand in a list without gaps. Always the same
// order, so that what is drawn and summed never changes. One workgroup.
// `arguments`: of an indirect draw of 3 vertices an item (4 words), of an indirect dispatch of 64 items a workgroup (3), count.
@group(0) @binding(0) var<storage, read> masks: array<u32>;
@group(0) @binding(1) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> arguments: array<u32>;

var<workgroup> sums: array<u32, 256>;

@compute @workgroup_size(256)
fn scan_masks(@builtin(local_invocation_index) local: u32) {
    let words = arrayLength(&masks);
    let share = (words + 255u) / 256u;
    let begin = min(local * share, words);
    let to = min(begin + share, words);
    var own = 0u;
    for (var i = begin; i < to; i++) {
        own += countOneBits(masks[i]);
    }
    sums[local] = own;
    workgroupBarrier();
    if local == 0u {
        var total = 0u;
        for (var i = 0u; i < 256u; i++) {
            let next = total + sums[i];
            sums[i] = total;
            total = next;
        }
        let groups = (total + 63u) / 64u;
        let wide = max(min(groups, 65535u), 1u);
        arguments[0] = 3u * total;
        arguments[1] = 1u;
        arguments[2] = 0u;
        arguments[3] = 0u;
        arguments[4] = select(wide, 0u, groups == 0u);
        arguments[5] = (groups + wide - 1u) / wide;
        arguments[6] = 1u;
        arguments[7] = total;
    }
    workgroupBarrier();
    var at = sums[local];
    for (var i = begin; i < to; i++) {
        offsets[i] = at;
        at += countOneBits(masks[i]);
    }
}
