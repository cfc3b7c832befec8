//! What becomes of the rows of a plan that is loaded, and of the jobs of its batch that are no rows any more. Loading a plan and
//! foreseeing what that would come to ask the same.

mod accept;
mod action;
mod changed;
mod chosen;
mod discard_takes;
mod given;
mod left_out;
mod reading;
mod recognise;
mod row;
mod stored;
mod unproven;
mod write;

pub use accept::accepted;
pub use action::LoadAction;
pub use changed::OtherRow;
pub use chosen::{Choosing, StoredRow};
pub use discard_takes::{Discarding, discard_takes};
pub use given::{given, given_of};
pub use left_out::{Candidate, SettingAside, Stand, limited, mean, takes_edition};
pub use reading::Reading;
pub use recognise::{Gone, NewRow, Recognised, Recognising};
pub use row::{RowRuling, leaves, row};
pub use stored::{StoredTake, asks_history, before, is_set_aside, is_untouched_word};
pub use unproven::{KnownByReceipt, Unproven};
pub use write::LoadWrite;
