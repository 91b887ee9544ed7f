//! A request on its way into a batch: what is packed of it, what room it needs, where it comes to lie.

use std::sync::Arc;

use async_channel::Sender;

use crate::store::{
    Broken, Refusal, Reply, Request,
    change::{Change, PieceAt},
    content::{Body, Held, PIECE_MAX, Stream},
    log::batch::{Batch, Piece},
    pack::Packer,
};

/// A request with what is packed of it already.
#[derive(Debug)]
pub(in crate::store) struct Wish {
    pub(super) request: Request,
    pub(super) packed: Vec<Packed>,
    pub(super) answer: Option<Sender<Result<Reply, Refusal>>>,
}

/// The content of one message of a request.
#[derive(Debug)]
pub(super) enum Packed {
    Memory(Vec<Piece>),
    /// What is in the log already, and what comes after it.
    Stream(Arc<Stream>, Vec<Piece>),
}

/// The writer's state.
impl Wish {
    pub(super) fn new(request: Request, answer: Option<Sender<Result<Reply, Refusal>>>) -> Self {
        Self {
            request,
            packed: Vec::new(),
            answer,
        }
    }

    /// Deflates what is in memory, once.
    pub(super) fn pack(&mut self, packer: &mut Packer) {
        if !self.packed.is_empty() {
            return;
        }
        let mut contents = Vec::new();
        let mut one = |body: &mut Body| {
            let mut pieces = |text: &mut Vec<u8>| -> Vec<Piece> {
                let text = std::mem::take(text);
                let parts = text.chunks(PIECE_MAX);
                parts.map(|part| packer.pack(part.to_vec())).collect()
            };
            contents.push(match &mut body.held {
                Held::Memory(text) => Packed::Memory(pieces(text)),
                Held::Stream(stream, rest) => Packed::Stream(Arc::clone(stream), pieces(rest)),
            });
        };
        match &mut self.request {
            Request::Append(append) => append.messages.iter_mut().for_each(|m| one(&mut m.body)),
            Request::Deliver(deliver) => one(&mut deliver.body),
            _ => {}
        }
        self.packed = contents;
    }

    /// A write or sync failed while its content came.
    pub(super) fn torn(&self) -> Option<Refusal> {
        let torn = self.packed.iter().any(|packed| match packed {
            Packed::Memory(_) => false,
            Packed::Stream(stream, _) => stream.lock().failed,
        });
        torn.then_some(Refusal::Broken(Broken::Stopped))
    }

    /// Octets that a batch has to have room for, at most.
    pub(super) fn need(&self, change: usize) -> u32 {
        // A place grows by at most so much when it is known.
        const PLACE: u32 = 40;
        let pieces = self.packed.iter().flat_map(Packed::pieces);
        let pieces = pieces.map(|piece| piece.octets().saturating_add(PLACE));
        let change = u32::try_from(change).unwrap_or(u32::MAX);
        pieces
            .sum::<u32>()
            .saturating_add(change)
            .saturating_add(128)
    }

    /// Names the places of content that is in the log already.
    pub(super) fn place_streams(&self, change: &mut Change) {
        if let Change::Accept(accepted) = change {
            for (accepted, packed) in accepted.iter_mut().zip(&self.packed) {
                if let Packed::Stream(stream, _) = packed {
                    accepted.pieces.clone_from(&stream.lock().pieces);
                }
            }
        }
    }

    /// Puts content that is in memory into the batch and names its places.
    pub(super) fn place(&self, batch: &mut Batch, last: u64, change: &mut Change) {
        if let Change::Accept(accepted) = change {
            for (accepted, packed) in accepted.iter_mut().zip(&self.packed) {
                for piece in packed.pieces() {
                    let number = u32::try_from(accepted.pieces.len()).unwrap_or(u32::MAX);
                    accepted.pieces.push(PieceAt {
                        place: batch.piece(last, accepted.content.0, number, piece),
                        deflated: piece.deflated,
                    });
                }
            }
        }
    }
}

impl Packed {
    /// What is not in the log yet.
    pub(super) fn pieces(&self) -> &[Piece] {
        match self {
            Self::Memory(pieces) | Self::Stream(_, pieces) => pieces,
        }
    }
}
