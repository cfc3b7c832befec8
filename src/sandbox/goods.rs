//! What the stand-in API sells: its own parameter rules and its own price table, written from the two public documents
//! (sats4ai's "L402 API" pages for video generation and image animation). The client's catalogue is not looked at.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde_json::{Map, Value, json};

use crate::money::{Msat, Sats};

/// A thing that is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Good {
    GenerateVideo,
    AnimateImage,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ware {
    /// A thing that is sold as its document has it.
    Good(Good),
    /// Whatever it is, for that: a test's server says so, which sells through the sandbox and answers in its own words where this one would
    /// hand over a video.
    Anything(Msat),
}

impl Ware {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good(good) => good.name(),
            Self::Anything(_) => "anything",
        }
    }
}

/// Why a request is refused, in words for its sender.
pub(super) type Complaint = String;

/// Sats a second of a generated video, by mode and sound.
const VIDEO_RATES: [(&str, bool, u64); 4] =
    [("standard", false, 300), ("standard", true, 400), ("pro", false, 450), ("pro", true, 550)];
/// Sats a second of an animated image.
const ANIMATION_RATE: u64 = 100;

impl Good {
    /// Everything that is sold.
    pub(super) const ALL: [Self; 2] = [Self::GenerateVideo, Self::AnimateImage];

    /// Its entry in the free listing, with its prices as `price` has them. What the documents say of a listing is that it
    /// names models and prices; its shape is ours.
    pub(super) fn listed(self, price: impl Fn(Sats) -> u64) -> Value {
        let rates: Vec<Value> = match self {
            Self::GenerateVideo => VIDEO_RATES
                .iter()
                .map(|(mode, audio, rate)| {
                    json!({ "mode": mode, "generate_audio": audio, "sats_per_second": price(Sats::new(*rate)) })
                })
                .collect(),
            Self::AnimateImage => vec![json!({ "sats_per_second": price(Sats::new(ANIMATION_RATE)) })],
        };
        json!({
            "service": self.name(),
            "endpoint": format!("/api/l402/{}", self.name()),
            "method": "POST",
            "parameters": self.parameters(),
            "min_duration": 3,
            "max_duration": 15,
            "prices": rates,
        })
    }

    /// By the last segment of its path.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    pub(super) fn name(self) -> &'static str {
        self.into()
    }

    const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::GenerateVideo => &["prompt", "modelId", "duration", "mode", "generate_audio"],
            Self::AnimateImage => &["prompt", "modelId", "image", "duration"],
        }
    }

    /// The price of a request.
    ///
    /// # Errors
    /// What is wrong with the body; then nothing is charged.
    pub(super) fn price(self, body: &[u8]) -> Result<Sats, Complaint> {
        let object: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| "the body is not a JSON object".to_owned())?;
        if let Some(name) = object.keys().find(|name| !self.parameters().contains(&name.as_str())) {
            return Err(format!("unknown parameter `{name}`"));
        }
        required_text(&object, "prompt")?;
        model(&object)?;
        let seconds = duration(&object)?;
        let rate = match self {
            Self::GenerateVideo => video_rate(&object)?,
            Self::AnimateImage => {
                image(required_text(&object, "image")?)?;
                ANIMATION_RATE
            }
        };
        Ok(Sats::new(rate * seconds))
    }
}

fn video_rate(object: &Map<String, Value>) -> Result<u64, Complaint> {
    let audio = match object.get("generate_audio") {
        None => false,
        Some(Value::Bool(audio)) => *audio,
        Some(_) => return Err("generate_audio must be true or false".to_owned()),
    };
    let mode = match object.get("mode").map(Value::as_str) {
        None => "pro",
        Some(Some(mode)) => mode,
        Some(None) => return Err("mode must be a string".to_owned()),
    };
    let rate = VIDEO_RATES.iter().find(|(known, sound, _)| *known == mode && *sound == audio);
    rate.map(|(.., rate)| *rate).ok_or_else(|| "mode must be \"standard\" or \"pro\"".to_owned())
}

fn duration(object: &Map<String, Value>) -> Result<u64, Complaint> {
    match object.get("duration") {
        None => Ok(5),
        Some(value) => value
            .as_u64()
            .filter(|seconds| (3..=15).contains(seconds))
            .ok_or_else(|| "duration must be an integer from 3 to 15".to_owned()),
    }
}

fn model(object: &Map<String, Value>) -> Result<(), Complaint> {
    match object.get("modelId") {
        None | Some(Value::Number(_) | Value::String(_)) => Ok(()),
        Some(_) => Err("modelId must be a number or a string".to_owned()),
    }
}

fn required_text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Complaint> {
    match object.get(name).and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(format!("{name} is required and must be a string that is not empty")),
    }
}

fn image(text: &str) -> Result<(), Complaint> {
    let encoded = match text.strip_prefix("data:") {
        Some(uri) => uri.split_once(";base64,").map_or("", |(_, data)| data),
        None => text,
    };
    let bytes = BASE64
        .decode(encoded.as_bytes())
        .or_else(|_| BASE64_NOPAD.decode(encoded.as_bytes()))
        .map_err(|_| "image must be base64, with or without a data URI prefix".to_owned())?;
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP".as_slice());
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"\xff\xd8\xff") || webp {
        Ok(())
    } else {
        Err("image must be a PNG, JPEG or WebP".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(body: &str) -> Result<u64, Complaint> {
        Good::GenerateVideo.price(body.as_bytes()).map(Sats::get)
    }

    fn animation(body: &str) -> Result<u64, Complaint> {
        Good::AnimateImage.price(body.as_bytes()).map(Sats::get)
    }

    #[test]
    fn the_documents_examples_cost_what_they_say() {
        assert_eq!(video(r#"{"prompt":"a","duration":5,"mode":"pro","generate_audio":true}"#), Ok(2_750));
        let image = "data:image/png;base64,iVBORw0KGgo=";
        assert_eq!(animation(&format!(r#"{{"prompt":"a","image":"{image}"}}"#)), Ok(500));
        assert_eq!(animation(&format!(r#"{{"prompt":"a","image":"{image}","duration":10}}"#)), Ok(1_000));
    }

    #[test]
    fn every_rate_of_the_table() {
        for (mode, audio, price) in
            [("standard", false, 900), ("standard", true, 1_200), ("pro", false, 1_350), ("pro", true, 1_650)]
        {
            let body = format!(r#"{{"prompt":"a","duration":3,"mode":"{mode}","generate_audio":{audio}}}"#);
            assert_eq!(video(&body), Ok(price));
        }
        assert_eq!(video(r#"{"prompt":"a"}"#), Ok(2_250));
    }

    #[test]
    fn what_is_not_documented_is_refused() {
        for body in [
            "",
            "[]",
            r#"{"duration":5}"#,
            r#"{"prompt":" "}"#,
            r#"{"prompt":"a","duration":2}"#,
            r#"{"prompt":"a","duration":16}"#,
            r#"{"prompt":"a","duration":5.0}"#,
            r#"{"prompt":"a","duration":"5"}"#,
            r#"{"prompt":"a","mode":"Pro"}"#,
            r#"{"prompt":"a","generate_audio":"yes"}"#,
            r#"{"prompt":"a","modelId":[]}"#,
            r#"{"prompt":"a","image":"iVBORw0KGgo="}"#,
        ] {
            assert!(video(body).is_err(), "{body}");
        }
        for body in [r#"{"prompt":"a"}"#, r#"{"prompt":"a","image":"%%%"}"#, r#"{"prompt":"a","image":"aGVsbG8="}"#] {
            assert!(animation(body).is_err(), "{body}");
        }
    }
}
