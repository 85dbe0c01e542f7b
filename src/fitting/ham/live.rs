//! Settings that may change while the stage runs: weights of the loss's terms and learning rates. Nothing on the device was
//! made from them, so a step with new ones is a step of a stage that was begun with them, from where the surface is by then.

use super::{Ham, HamSettings, Phase};

/// The list of names and what takes them over, from one list of fields.
macro_rules! live {
    ($($name:ident),* $(,)?) => {
        impl HamSettings {
            /// Names of those that may change while the stage runs.
            pub const LIVE: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Takes over those of `other`.
            fn take_live(&mut self, other: &Self) {
                $(self.$name = other.$name;)*
            }
        }
    };
}

live! {
    albedo_rate, albedo_rate_shape, light_rate, light_rate_shape, shape_rate, final_rate, light_prior, light_prior_shape,
    photometric, laplacian, albedo_laplacian, albedo_laplacian_late, albedo_laplacian_colour, silhouette, edge, displacement,
}

/// A place among the steps of the stage: phase, epochs finished in it, steps begun in the epoch under way. Later ones are
/// greater.
pub type Moment = (Phase, u32, u32);

impl Ham {
    /// Where the next step that begins stands.
    #[must_use]
    pub fn moment(&self) -> Moment {
        if self.coarse && self.phase == Phase::Done {
            return (Phase::Shape, 0, 0);
        }
        let begun = self.batch + usize::from(self.at_view > 0);
        (self.phase, self.epoch, u32::try_from(begun).unwrap_or(u32::MAX))
    }

    /// True between steps.
    #[must_use]
    pub const fn between_steps(&self) -> bool {
        self.at_view == 0 && self.ending.is_none()
    }

    /// Takes over the weights and rates of other settings ([`HamSettings::LIVE`]), from the next step on. Between steps only.
    pub fn change(&mut self, settings: &HamSettings) {
        self.settings.take_live(settings);
        if self.phase != Phase::Done {
            self.write_phase();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::Preset;

    #[test]
    fn what_is_listed_is_taken_over_and_nothing_else() {
        let begun = Preset::default();
        let names: Vec<String> = begun.settings().into_iter().map(|(key, _)| key).collect();
        let mut taken = 0;
        for key in names.iter().filter(|key| key.starts_with("ham.")) {
            let mut changed = begun.clone();
            let Some((_, value)) = begun.settings().into_iter().find(|(k, _)| k == key) else { panic!("{key} is set") };
            let other = match (value.as_u64(), value.as_f64()) {
                (Some(count), _) => (count + 1).min(4).to_string(),
                (None, Some(number)) => (number * 0.5 + 0.125).to_string(),
                (None, None) => (!value.as_bool().unwrap_or(false)).to_string(),
            };
            changed.set(key, &other).unwrap_or_else(|e| panic!("{key} = {other}: {e}"));
            let mut live = begun.ham.clone();
            live.take_live(&changed.ham);
            let listed = HamSettings::LIVE.contains(&key.trim_start_matches("ham."));
            assert_eq!(live == changed.ham, listed || changed.ham == begun.ham, "{key}");
            taken += usize::from(listed);
        }
        assert_eq!(taken, HamSettings::LIVE.len(), "all of the list are settings");
        assert!(taken > 10 && taken < names.len(), "some are and some are not");
    }
}
