// The published encoding of a vector. Names the kernel's `params` and `inputs`.

// Writes the 87 numbers of a vector from `begin`.
fn encode_vector(begin: u32, v: vec3<f32>) {
    let x = 0.1 * v;
    inputs[begin] = x.x;
    inputs[begin + 1u] = x.y;
    inputs[begin + 2u] = x.z;
    var at = begin + 3u;
    var scale = 1.0;
    for (var octave = 0u; octave < params.octaves; octave++) {
        for (var k = 0u; k < 21u; k++) {
            let along = scale * dot(params.basis[k].xyz, x);
            inputs[at] = sin(along);
            inputs[at + 21u] = cos(along);
            at += 1u;
        }
        at += 21u;
        scale *= 2.0;
    }
}
