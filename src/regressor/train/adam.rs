//! Adam (Kingma and Ba 2015) over named variables, in one order: the same steps every time.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use std::collections::BTreeMap;

const BETA: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

#[derive(Default)]
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

#[derive(Default)]
pub(super) struct Adam {
    moments: BTreeMap<String, Moments>,
    steps: i32,
}

impl Adam {
    /// One step of all variables that have a gradient.
    pub(super) fn step(&mut self, variables: &BTreeMap<String, Var>, gradients: &GradStore, rate: f32) -> Result<()> {
        self.steps += 1;
        let bias = BETA.map(|b| 1.0 - b.powi(self.steps));
        for (name, variable) in variables {
            let Some(gradient) = gradients.get(variable.as_tensor()) else { continue };
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            let mut values = variable.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            let moments = self.moments.entry(name.clone()).or_default();
            moments.first.resize(values.len(), 0.0);
            moments.second.resize(values.len(), 0.0);
            let both = moments.first.iter_mut().zip(&mut moments.second);
            for ((value, g), (first, second)) in values.iter_mut().zip(gradient).zip(both) {
                *first += (1.0 - BETA[0]) * (g - *first);
                *second += (1.0 - BETA[1]) * (g * g - *second);
                *value -= rate * (*first / bias[0]) / ((*second / bias[1]).sqrt() + EPSILON);
            }
            variable.set(&Tensor::from_vec(values, variable.shape(), variable.device())?)?;
        }
        Ok(())
    }
}
