//! Errors as lnd's REST gateway forms them.

use std::{fmt, io};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// The type of every answer.
pub(super) const JSON: &str = "application/json";

/// The gRPC codes that this node answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Unknown = 2,
    InvalidArgument = 3,
    NotFound = 5,
    AlreadyExists = 6,
}

/// An error as lnd forms it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LndError {
    pub code: Code,
    pub message: String,
}

impl LndError {
    pub(super) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }

    const fn status(&self) -> StatusCode {
        match self.code {
            Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
            Code::InvalidArgument => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::AlreadyExists => StatusCode::CONFLICT,
        }
    }

    fn body(&self) -> Value {
        json!({ "code": self.code as u8, "message": self.message, "details": [] })
    }

    /// How calls without a stream, routing and the decoding of bodies say it.
    pub(super) fn unwrapped(&self) -> Response {
        answer(self.status(), &self.body())
    }

    /// How a stream says it before its first message.
    pub(super) fn wrapped(&self) -> Response {
        answer(self.status(), &json!({ "error": self.body() }))
    }
}

impl From<io::Error> for LndError {
    fn from(error: io::Error) -> Self {
        Self::new(Code::Unknown, format_args!("the sandbox's books: {error}"))
    }
}

pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}
