//! What the program does not keep yet. Each line goes with the change that keeps it.

/// A word is carried out once, however often its command is repeated.
pub const WORDS: bool = false;
/// Who delivers nothing gets no more in the next run either; doubt bounds what is bought.
pub const BOUNDS: bool = true;
/// Who does not take the credential of what was paid for gets no more payments.
pub const ORIGINS: bool = true;
/// After a 2xx nothing is posted again, and no status alone ends a paid job.
pub const ANSWERS: bool = true;
