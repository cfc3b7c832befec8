//! Builds the exact request of a job. The same job gives the same bytes, always: they are sent twice, and the origin
//! compares them.

use data_encoding::BASE64;
use serde_json::{Map, Value as Json};

use crate::catalog::{Endpoint, ImageRef, Method, Value};
use crate::purchase::Request;

impl Request {
    /// The request of a job with these parameters, which are sent in the order given (a job's are in its endpoint's):
    /// as one compact JSON object, or as the URL's query. An image travels as a data URI.
    ///
    /// # Errors
    /// What `load_image` says where an image's bytes are not to be had.
    pub fn build<E>(
        endpoint: &Endpoint,
        params: &[(String, Value)],
        load_image: impl Fn(&ImageRef) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let mut url = endpoint.url.clone();
        // A fragment is never sent; without it, equal requests have equal digests.
        url.set_fragment(None);
        let (method, bypass) = (endpoint.method, endpoint.bypass_header.clone());
        match method {
            Method::Post => {
                let mut object = Map::new();
                for (name, value) in params {
                    object.insert(name.clone(), json(value, &load_image)?);
                }
                Ok(Self { method, url, body: Json::Object(object).to_string().into_bytes(), bypass })
            }
            Method::Get => {
                for (name, value) in params {
                    url.query_pairs_mut().append_pair(name, &text(value, &load_image)?);
                }
                Ok(Self { method, url, body: Vec::new(), bypass })
            }
        }
    }
}

fn json<E>(value: &Value, load_image: &impl Fn(&ImageRef) -> Result<Vec<u8>, E>) -> Result<Json, E> {
    Ok(match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Boolean(truth) => Json::from(*truth),
        Value::Image(image) => Json::from(data_uri(image, load_image)?),
    })
}

fn text<E>(value: &Value, load_image: &impl Fn(&ImageRef) -> Result<Vec<u8>, E>) -> Result<String, E> {
    match value {
        Value::Text(_) | Value::Integer(_) | Value::Boolean(_) => Ok(value.to_string()),
        Value::Image(image) => data_uri(image, load_image),
    }
}

fn data_uri<E>(image: &ImageRef, load_image: &impl Fn(&ImageRef) -> Result<Vec<u8>, E>) -> Result<String, E> {
    let mut uri = format!("data:{};base64,", image.kind.media_type());
    BASE64.encode_append(&load_image(image)?, &mut uri);
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ImageKind, ImageSource};
    use crate::origin::samples::endpoint;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn params() -> Vec<(String, Value)> {
        let image =
            ImageRef { source: ImageSource::Inline(String::new()), sha256: String::new(), kind: ImageKind::Png };
        vec![
            ("prompt".to_owned(), Value::Text("Zoé says \"hi\"\n& waves".to_owned())),
            ("image".to_owned(), Value::Image(image)),
            ("duration".to_owned(), Value::Integer(5)),
            ("audio".to_owned(), Value::Boolean(false)),
        ]
    }

    fn load(_: &ImageRef) -> Result<Vec<u8>, Infallible> {
        Ok(vec![0xfb, 0xff, 1, 2])
    }

    #[test]
    fn a_post_carries_compact_json_in_the_given_order() {
        let endpoint = endpoint("https://api.example/x?key=1#top");
        let request = Request::build(&endpoint, &params(), load).unwrap();
        assert_eq!(request.url.as_str(), "https://api.example/x?key=1");
        assert_eq!(
            String::from_utf8(request.body.clone()).unwrap(),
            r#"{"prompt":"Zoé says \"hi\"\n& waves","image":"data:image/png;base64,+/8BAg==","duration":5,"audio":false}"#
        );
        assert_eq!(Request::build(&endpoint, &params(), load).unwrap().digest(), request.digest());
    }

    #[test]
    fn a_get_carries_a_query_and_no_body() {
        let endpoint = Endpoint { method: Method::Get, ..endpoint("https://api.example/x?key=1") };
        let request = Request::build(&endpoint, &params(), load).unwrap();
        assert_eq!(
            request.url.as_str(),
            "https://api.example/x?key=1&prompt=Zo%C3%A9+says+%22hi%22%0A%26+waves&image=data%3Aimage%2Fpng%3Bbase64%2C%2B%2F8BAg%3D%3D&duration=5&audio=false"
        );
        assert!(request.body.is_empty());
        let bare = Request::build(&endpoint, &[], load).unwrap();
        assert_eq!(bare.url.as_str(), "https://api.example/x?key=1");
    }

    #[test]
    fn an_image_that_cannot_be_had_stops_it() {
        let endpoint = endpoint("https://api.example/x");
        assert_eq!(Request::build(&endpoint, &params(), |_| Err("changed")), Err("changed"));
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_is(text in any::<String>()) {
            let params = [("prompt".to_owned(), Value::Text(text.clone()))];
            let post = Request::build(&endpoint("http://127.0.0.1/"), &params, load).unwrap();
            let body: Json = serde_json::from_slice(&post.body).unwrap();
            prop_assert_eq!(body["prompt"].as_str(), Some(text.as_str()));
            let get = Endpoint { method: Method::Get, ..endpoint("http://127.0.0.1/") };
            let get = Request::build(&get, &params, load).unwrap();
            prop_assert_eq!(get.url.query_pairs().next().map(|(_, value)| value.into_owned()), Some(text));
        }
    }
}
