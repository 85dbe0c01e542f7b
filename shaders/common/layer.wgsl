// One layer of a network: y = W x + b, rows of samples, everything in fours. W is stored input by input (inputs × outputs),
// the bias behind it. Counts are multiples of eight.
struct LayerParams {
    rows: u32,
    inputs: u32,
    outputs: u32,
    weights: u32,            // where the layer begins, in vec4
    cut: u32,                // 1: negative results become zero; backward: nothing goes through inputs that are not positive
    first: u32,              // backward: first input that a gradient is wanted for
    chunk: u32,              // rows summed by one invocation into a partial sum of a weight's gradient
    pad0: u32,
}
