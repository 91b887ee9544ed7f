//! The one compressor: text in, pieces as they will lie in the log out.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

use crate::store::log::batch::Piece;

/// Deflates pieces. Has 319 KB of tables: the store has one.
pub struct Packer(Box<CompressorOxide>);

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Default for Packer {
    fn default() -> Self {
        // Fast level, no zlib header.
        let flags = create_comp_flags_from_zip_params(1, -15, 0);
        Self(Box::new(CompressorOxide::new(flags)))
    }
}

impl Packer {
    /// Packs a text of at most 64 KiB; what does not shrink by a tenth stays as it is.
    pub fn pack(&mut self, text: Vec<u8>) -> Piece {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let worth = text.len().saturating_sub(text.len() / 10);
        let mut out = vec![0; worth];
        self.0.reset();
        let (status, _, written) = compress(&mut self.0, &text, &mut out, TDEFLFlush::Finish);
        if status == TDEFLStatus::Done && written < worth {
            out.truncate(written);
            out.shrink_to_fit();
            return Piece {
                packed: out,
                text: length,
                deflated: true,
            };
        }
        Piece {
            packed: text,
            text: length,
            deflated: false,
        }
    }
}
