//! ZIP archives without compression, as NPZ and USDZ are: fixed dates, so that equal contents are equal bytes.

use super::ExportError;

/// An archive of (name, contents). Each file's contents begin at a multiple of `alignment` bytes (USDZ wants 64), which an
/// extra field of zeros sees to; 1 adds none.
///
/// # Errors
/// [`ExportError::Encode`] beyond the format's 4 GiB.
pub(super) fn stored(entries: &[(String, Vec<u8>)], alignment: usize) -> Result<Vec<u8>, ExportError> {
    let small = |n: usize| {
        u32::try_from(n).map_err(|_| ExportError::Encode { what: "an archive", reason: "more than 4 GiB".to_owned() })
    };
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in entries {
        let offset = small(out.len())?;
        // Version 2.0, no flags, stored, 1980-01-01 00:00.
        let mut fields: Vec<u8> = [20_u16, 0, 0, 0, 0x21].iter().flat_map(|v| v.to_le_bytes()).collect();
        fields.extend(crc32(data).to_le_bytes());
        fields.extend(small(data.len())?.to_le_bytes());
        fields.extend(small(data.len())?.to_le_bytes());
        fields.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        let begins = out.len() + 2 + name.len();
        let padding = extra_field(begins, alignment);
        out.extend(u16::try_from(padding.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(padding);
        out.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        // No extra field, no comment, disk 0, no attributes.
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = small(out.len())?;
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(small(directory.len())?.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend(0_u16.to_le_bytes());
    Ok(out)
}

/// An extra field (number 0x1986, as other writers of USDZ have it) that moves what follows `begins` to the alignment.
fn extra_field(begins: usize, alignment: usize) -> Vec<u8> {
    let mut missing = begins.next_multiple_of(alignment) - begins;
    if missing == 0 {
        return Vec::new();
    }
    // A field has a head of four bytes at least.
    if missing < 4 {
        missing += alignment.max(4);
    }
    let mut field = vec![0x86, 0x19];
    field.extend(u16::try_from(missing - 4).unwrap_or(0).to_le_bytes());
    field.resize(missing, 0);
    field
}

/// CRC-32 (ISO-HDLC), as ZIP wants it.
fn crc32(data: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|i| {
        (0..8).fold(u32::try_from(i).unwrap_or(0), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
    !data.iter().fold(u32::MAX, |c, &b| table[((c ^ u32::from(b)) & 0xff) as usize] ^ (c >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_aligned_and_the_sum_is_known() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of the standard");
        let entries: Vec<(String, Vec<u8>)> =
            (0..70).map(|n| (format!("{}.bin", "n".repeat(n)), vec![u8::try_from(n).expect("small"); n])).collect();
        let bytes = stored(&entries, 64).expect("an archive");
        let mut at = 0;
        for (name, data) in &entries {
            let word = |i: usize| usize::from(u16::from_le_bytes([bytes[at + i], bytes[at + i + 1]]));
            assert_eq!(&bytes[at..at + 4], b"PK\x03\x04", "{name}: a local header");
            let begins = at + 30 + word(26) + word(28);
            assert_eq!(begins % 64, 0, "{name} begins at {begins}");
            assert_eq!(&bytes[begins..begins + data.len()], data, "{name}");
            at = begins + data.len();
        }
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02", "then the directory");
    }
}
