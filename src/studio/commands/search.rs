//! The search of the palette: letters in order, the better the closer they stand together and to the beginnings of words.

use super::{Entry, TABLE};

/// Commands that match what was typed, the best first; all of them in the order of the table when nothing was typed.
#[must_use]
pub(crate) fn search(typed: &str) -> Vec<&'static Entry> {
    let mut found: Vec<(i32, &Entry)> = TABLE.iter().filter_map(|e| Some((entry_score(e, typed)?, e))).collect();
    // Stable: equals stay in the order of the table.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// A name counts most, then what stands in its menu and its sentence.
fn entry_score(entry: &Entry, typed: &str) -> Option<i32> {
    let name = score(entry.name, typed).map(|s| s + 40);
    let placed = score(&format!("{} {}", entry.menu.name(), entry.name), typed).map(|s| s + 20);
    // Of a sentence only whole words, or everything would match.
    let help = entry.help.to_lowercase().contains(&typed.trim().to_lowercase()).then_some(0);
    name.max(placed).max(help)
}

/// How well `typed` fits `text`; `None` when its letters do not stand in it in this order. Case and spaces do not matter.
#[must_use]
pub(crate) fn score(text: &str, typed: &str) -> Option<i32> {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut sum = 0;
    let mut last: Option<usize> = None;
    for wanted in typed.chars().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()) {
        let from = last.map_or(0, |l| l + 1);
        let starts = |i: usize| i == 0 || !text[i - 1].is_alphanumeric();
        let next = (from..text.len()).find(|&i| text[i] == wanted)?;
        // The beginning of a later word is a better place than the middle of this one.
        let at = if last.is_some_and(|l| next == l + 1) || starts(next) {
            next
        } else {
            (next..text.len()).find(|&i| text[i] == wanted && starts(i)).unwrap_or(next)
        };
        sum += if last.is_some_and(|l| at == l + 1) { 8 } else { 0 } + if starts(at) { 10 } else { 0 };
        sum -= i32::try_from(at - from).unwrap_or(100).min(10);
        last = Some(at);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::super::Id;
    use super::*;

    #[test]
    fn letters_in_order_match_and_beginnings_of_words_win() {
        assert!(score("Reconstruct", "rct").is_some(), "letters in order");
        assert_eq!(score("Reconstruct", "tcr"), None, "in no other");
        assert!(score("Frame everything", "fe") > score("Frame the hands", "fe"), "beginnings of words");
        let first = |typed: &str| search(typed).first().map(|e| e.id);
        for (typed, id) in [
            ("recon", Id::Reconstruct),
            ("export", Id::Export),
            ("undo", Id::Undo),
            ("wipe", Id::Wipe),
            ("normals", Id::Normals),
            ("pause", Id::Pause),
            ("keys", Id::Keys),
        ] {
            assert_eq!(first(typed), Some(id), "{typed}");
        }
        assert_eq!(search("").len(), TABLE.len(), "nothing typed, everything found");
        assert!(search("qqqq").is_empty(), "nothing fits");
    }
}
