//! Object stores by URL: the local disk, S3 and what speaks its protocol, Google, Azure.

mod durable;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::{Position, Url};
use weir_pipeline::{Pipeline, StoreSetting};

pub use durable::DurableLocal;

use crate::error::{Error, Result};
use crate::secret;

/// Opens stores, and keeps them open. Clones share what is open.
///
/// Settings and credentials of a remote store are those of its vendor's environment variables
/// (`AWS_…`, `GOOGLE_…`, `AZURE_…`), of the identity that the machine has at its vendor, and what the
/// pipeline file says for the store, which goes first. Requests that fail are tried again, up to ten
/// times in three minutes, with pauses that grow and vary; a conditional write that was answered with
/// an error is never taken for done or not done, but looked at.
#[derive(Clone, Default)]
pub struct Stores(Arc<Inner>);

/// Puts something around a store as it is opened.
type Around = Box<dyn Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync>;

#[derive(Default)]
struct Inner {
    /// By the beginning of the URLs that they are for.
    settings: BTreeMap<String, BTreeMap<String, String>>,
    around: Option<Around>,
    open: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

/// Settings hold secrets.
impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stores")
    }
}

impl Stores {
    /// With settings by the beginning of URLs (`s3://bucket`, `s3://bucket/folder`); names are those of
    /// object_store, such as `aws_region` or `region`.
    pub fn new(settings: BTreeMap<String, BTreeMap<String, String>>) -> Stores {
        Stores(Arc::new(Inner {
            settings,
            ..Inner::default()
        }))
    }

    /// With the settings that a pipeline file has.
    ///
    /// # Errors
    /// Usage, if a secret cannot be read.
    pub fn of(pipeline: &Pipeline) -> Result<Stores> {
        let mut settings = BTreeMap::new();
        for (url, store) in &pipeline.stores {
            let mut values = BTreeMap::new();
            for (name, setting) in &store.settings {
                let value = match setting {
                    StoreSetting::Plain(text) => text.clone(),
                    StoreSetting::Secret(source) => {
                        secret::read(name, source, &pipeline.dir, &store.place)?
                    }
                };
                values.insert(name.clone(), value);
            }
            settings.insert(url.clone(), values);
        }
        Ok(Stores::new(settings))
    }

    /// With something around each store.
    #[cfg(test)]
    pub(crate) fn around(
        around: impl Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync + 'static,
    ) -> Stores {
        Stores(Arc::new(Inner {
            around: Some(Box::new(around)),
            ..Inner::default()
        }))
    }

    /// The store of `url`, and the path of `url` in it.
    pub(crate) fn open(&self, url: &Url) -> Result<(Arc<dyn ObjectStore>, StorePath)> {
        let unusable = |why: String| {
            Error::usage(format!("'{url}' cannot be used: {why}"))
                .with_hint("give a local path, or s3://bucket/…, gs://bucket/…, az://container/… or abfss://container@account.dfs.core.windows.net/…")
        };
        let (scheme, path) =
            ObjectStoreScheme::parse(url).map_err(|error| unusable(error.to_string()))?;
        if url.scheme().starts_with("http") {
            return Err(unusable("it names no store".to_owned()));
        }
        let settings = self.settings(url);
        let mut key = url[..Position::BeforePath].to_owned();
        if let Some((prefix, _)) = settings {
            // Two folders of one bucket may have settings of their own.
            key.push('\n');
            key.push_str(prefix);
        }
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&key) {
            return Ok((Arc::clone(store), path));
        }
        let settings = settings.map(|(_, settings)| settings);
        let store: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::Local => Arc::new(DurableLocal::new()),
            ObjectStoreScheme::AmazonS3 => {
                let mut builder = AmazonS3Builder::from_env().with_url(url.as_str());
                for (key, value) in parsed::<AmazonS3ConfigKey>(url, settings)? {
                    builder = builder.with_config(key, value);
                }
                Arc::new(builder.build().map_err(|error| cannot_open(url, error))?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let mut builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
                for (key, value) in parsed::<GoogleConfigKey>(url, settings)? {
                    builder = builder.with_config(key, value);
                }
                Arc::new(builder.build().map_err(|error| cannot_open(url, error))?)
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let mut builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
                for (key, value) in parsed::<AzureConfigKey>(url, settings)? {
                    builder = builder.with_config(key, value);
                }
                Arc::new(builder.build().map_err(|error| cannot_open(url, error))?)
            }
            _ => return Err(unusable("Weir has no store of this kind".to_owned())),
        };
        let store = match &self.0.around {
            Some(around) => around(store),
            None => store,
        };
        open.insert(key, Arc::clone(&store));
        Ok((store, path))
    }

    /// The settings with the longest beginning of `url`, and that beginning.
    fn settings(&self, url: &Url) -> Option<(&String, &BTreeMap<String, String>)> {
        let text = url.as_str();
        let applies = |prefix: &str| {
            text.strip_prefix(prefix.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0
            .settings
            .iter()
            .filter(|(prefix, _)| applies(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
    }
}

/// The settings with their names understood. No value is in an error: it may be a secret.
fn parsed<K: FromStr>(
    url: &Url,
    settings: Option<&BTreeMap<String, String>>,
) -> Result<Vec<(K, String)>> {
    settings
        .into_iter()
        .flatten()
        .map(|(name, value)| match name.parse() {
            Ok(key) => Ok((key, value.clone())),
            Err(_) => Err(
                Error::usage(format!("the store of '{url}' has no setting '{name}'"))
                    .with_hint("docs/pipelines.md lists the settings of each kind of store"),
            ),
        })
        .collect()
}

fn cannot_open(url: &Url, error: object_store::Error) -> Error {
    Error::usage(format!("the store of '{url}' cannot be opened"))
        .with_source(error)
        .with_hint("set the vendor's environment variables (such as AWS_REGION and AWS_ENDPOINT_URL), or the settings in a [store.\"URL\"] of the pipeline file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores(settings: &[(&str, &str, &str)]) -> Stores {
        let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (prefix, name, value) in settings {
            let of = all.entry((*prefix).to_owned()).or_default();
            of.insert((*name).to_owned(), (*value).to_owned());
        }
        Stores::new(all)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_longest_beginning_has_its_settings_applied() {
        let stores = stores(&[
            ("s3://lake", "region", "eu-central-1"),
            ("s3://lake/raw/", "region", "eu-west-1"),
        ]);
        let region = |text: &str| {
            let found = stores.settings(&url(text));
            found.map(|(_, settings)| settings.get("region").unwrap().as_str())
        };
        assert_eq!(region("s3://lake"), Some("eu-central-1"));
        assert_eq!(region("s3://lake/rawer"), Some("eu-central-1"));
        assert_eq!(region("s3://lake/raw"), Some("eu-west-1"));
        assert_eq!(region("s3://lake/raw/visits"), Some("eu-west-1"));
        assert_eq!(region("s3://lakes"), None);
    }

    #[test]
    fn what_cannot_be_a_store_says_what_can() {
        let stores = stores(&[("s3://lake", "regoin", "secret-value")]);
        for (text, says) in [
            ("ftp://host/x", "cannot be used"),
            ("https://host/x", "it names no store"),
            ("https://bucket.s3.amazonaws.com/x", "it names no store"),
            ("memory:///x", "no store of this kind"),
            ("s3://lake/x", "no setting 'regoin'"),
        ] {
            let error = stores.open(&url(text)).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.hint().is_some());
            assert!(!format!("{error:?}").contains("secret-value"));
        }
    }

    #[test]
    fn a_store_is_opened_once() {
        let stores = stores(&[("s3://lake", "region", "eu-central-1")]);
        let (one, path) = stores.open(&url("s3://lake/a/b")).unwrap();
        let (other, _) = stores.clone().open(&url("s3://lake/c")).unwrap();
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(path.as_ref(), "a/b");
    }
}
