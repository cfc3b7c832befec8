//! The end of a run: what became of the jobs, and what to do next.

pub(in crate::cli) mod advice;
pub(in crate::cli) mod conclusion;
pub(in crate::cli) mod limits;
