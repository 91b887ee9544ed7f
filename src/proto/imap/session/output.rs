//! What is to be sent: replies of small commands leave together, content is never held.

use std::collections::VecDeque;

use super::question::{Completion, Piece, Question, StateChange, Status};
use crate::base::id::ContentRange;
use crate::base::machine::Step;

/// Octets that are held back for company.
const HELD_MAX: usize = 16 << 10;

#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    /// What is here leaves before anything else happens.
    due: bool,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.pieces.capacity()
    }

    /// Says that everything must leave now.
    pub fn flush(&mut self) {
        self.due = !self.pieces.is_empty();
    }

    pub fn line(&mut self, text: &str) {
        self.octets([text.as_bytes(), b"\r\n"].concat());
    }

    pub fn pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Octets(octets) => self.octets(octets),
                range @ Piece::Range(_) => {
                    self.pieces.push_back(range);
                    self.due = true;
                }
            }
        }
    }

    /// `tag status [code] text`, or `* BYE [code] text`.
    pub fn completion(&mut self, tag: &str, completion: &Completion) {
        let (tag, status) = match (completion.state, completion.status) {
            (Some(StateChange::Bye), _) => ("*", "BYE"),
            (_, Status::Ok) => (tag, "OK"),
            (_, Status::No) => (tag, "NO"),
            (_, Status::Bad) => (tag, "BAD"),
        };
        let mut line = [tag, " ", status, " "].concat();
        if let Some(code) = &completion.code {
            line.push('[');
            line.push_str(code);
            line.push_str("] ");
        }
        line.push_str(&completion.text);
        // A reply is one line, whatever is quoted in it.
        self.line(&line.replace(|c: char| c.is_ascii_control(), "?"));
    }

    /// What to send next, if anything is due.
    pub fn next(&mut self) -> Option<Step<Question, ContentRange>> {
        if !self.due {
            return None;
        }
        let piece = self.pieces.pop_front();
        if self.pieces.is_empty() {
            *self = Self::default();
        }
        piece.map(|piece| match piece {
            Piece::Octets(octets) => Step::Write(octets),
            Piece::Range(range) => Step::Send(range),
        })
    }

    pub fn octets(&mut self, octets: Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        match self.pieces.back_mut() {
            Some(Piece::Octets(last)) if last.len() + octets.len() <= HELD_MAX => {
                last.extend_from_slice(&octets);
            }
            Some(_) => {
                self.due = true;
                self.pieces.push_back(Piece::Octets(octets));
            }
            None => {
                self.due |= octets.len() > HELD_MAX;
                self.pieces.push_back(Piece::Octets(octets));
            }
        }
    }
}
