// From the network's three outputs to a colour, before the view's gain.
const DIRECT: u32 = 0u;      // sigmoid of the outputs
const RESIDUAL: u32 = 1u;    // shaded colour plus outputs
const RATIO: u32 = 2u;       // shaded colour times their exponential

struct Painted {
    colour: vec3<f32>,
    slope: vec3<f32>,        // of the colour with the output
}

fn painted(kind: u32, o: vec3<f32>, shaded: vec3<f32>) -> Painted {
    if kind == DIRECT {
        let c = vec3<f32>(1.0) / (vec3<f32>(1.0) + exp(-clamp(o, vec3<f32>(-30.0), vec3<f32>(30.0))));
        return Painted(c, c * (vec3<f32>(1.0) - c));
    }
    if kind == RATIO {
        // Beyond three the colour is black or white whatever was shaded.
        let inside = select(vec3<f32>(0.0), vec3<f32>(1.0), abs(o) < vec3<f32>(3.0));
        let c = shaded * exp(clamp(o, vec3<f32>(-3.0), vec3<f32>(3.0)));
        return Painted(c, c * inside);
    }
    return Painted(shaded + o, vec3<f32>(1.0));
}
