//! Connects, and describes a table.

use std::fmt;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    AppName, BehaviorVersion, ProvideCredentials, Region, SharedCredentialsProvider,
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    BillingMode, KeySchemaElement, ScalarAttributeType, TableDescription, TableStatus as SdkStatus,
};
use tokio::time::Instant;

use crate::attempts::{Asked, Attempts, Failure};
use crate::error::{Error, Result};
use crate::reply::Bounded;
use crate::settings::{Credentials, Retry, Settings};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Asks DynamoDB in one region as one user. Clones share connections and credentials.
///
/// It lives in the tokio runtime in which it was connected.
#[derive(Clone)]
pub struct Client {
    pub(crate) sdk: aws_sdk_dynamodb::Client,
    pub(crate) retry: Retry,
    /// The endpoint or the region, for errors to name.
    pub(crate) place: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("place", &self.place)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client with its credentials found. DynamoDB itself is not asked yet.
    ///
    /// # Errors
    /// A setting that cannot be used, or no credentials.
    pub async fn connect(settings: Settings) -> Result<Client> {
        settings.check()?;
        let Settings {
            region,
            endpoint,
            credentials,
            retry,
            timeout,
        } = settings;
        let place = match &endpoint {
            Some(endpoint) => endpoint.as_str().trim_end_matches('/').to_owned(),
            None => region.clone(),
        };
        let region = Region::new(region);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT.min(timeout))
            .operation_attempt_timeout(timeout)
            .build();
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(region.clone())
            .credentials_provider(provider(credentials, region).await?)
            // The attempts are counted here, in `Attempts`.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .interceptor(Bounded);
        config.set_app_name(AppName::new("weir").ok());
        config.set_endpoint_url(endpoint.map(String::from));
        Ok(Client {
            sdk: aws_sdk_dynamodb::Client::from_conf(config.build()),
            retry,
            place,
        })
    }

    /// What DynamoDB says of a table.
    ///
    /// # Errors
    /// There is no such table, it may not be described, or it could not be asked for.
    pub async fn describe(&self, table: &str) -> Result<Table> {
        let asked = Asked {
            action: "dynamodb:DescribeTable",
            table,
            place: &self.place,
        };
        let request = self.sdk.describe_table().table_name(table);
        let reply = self.ask(asked, || request.clone().send()).await?;
        reply
            .table
            .and_then(Table::of)
            .ok_or_else(|| asked.reply("it does not describe a table"))
    }

    /// Sends a request until there is a reply that is not to be asked for again.
    async fn ask<T, E, Sent>(&self, asked: Asked<'_>, mut send: impl FnMut() -> Sent) -> Result<T>
    where
        Sent: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut attempts = Attempts::new(self.retry);
        loop {
            let begun = Instant::now();
            match send().await {
                Ok(reply) => return Ok(reply),
                Err(error) => {
                    let failure = Failure::of(error, asked);
                    attempts.failed(begun, failure, asked).await?;
                }
            }
        }
    }
}

async fn provider(credentials: Credentials, region: Region) -> Result<SharedCredentialsProvider> {
    match credentials {
        Credentials::Chain => {
            let chain = DefaultCredentialsChain::builder().region(region);
            let chain = chain.build().await;
            // Where there are none it is said now, and not after the first request.
            match chain.provide_credentials().await {
                Ok(_) => Ok(SharedCredentialsProvider::new(chain)),
                Err(error) => Err(Error::NoCredentials {
                    source: Box::new(error),
                }),
            }
        }
        Credentials::Key {
            id,
            secret,
            session_token,
        } => Ok(SharedCredentialsProvider::new(
            aws_sdk_dynamodb::config::Credentials::new(id, secret, session_token, None, "weir"),
        )),
    }
}

/// What DynamoDB says of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Whether it can be read.
    pub status: TableStatus,
    /// The attributes of its primary key: the partition key, and the sort key where there is one.
    pub key: Vec<KeyAttribute>,
    /// How many items it has. DynamoDB counts every six hours or so.
    pub items: u64,
    /// How many bytes it has; counted with the items.
    pub bytes: u64,
    /// What pays for reading.
    pub billing: Billing,
}

/// An attribute of a table's primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: KeyRole,
    /// The type of its values.
    pub key_type: KeyType,
}

/// What an attribute does in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// It says in which partition an item lies.
    Partition,
    /// It orders the items of a partition.
    Sort,
}

/// The type of a key attribute's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Strings.
    String,
    /// Numbers.
    Number,
    /// Bytes.
    Binary,
}

/// What a table is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableStatus {
    /// It can be used.
    Active,
    /// It is being made, and cannot be read yet.
    Creating,
    /// Its settings are being changed; it can be read.
    Updating,
    /// It is being removed.
    Deleting,
    /// The key it is encrypted with cannot be used, and it is about to be archived.
    KeyLost,
    /// It is being archived.
    Archiving,
    /// It is archived, and cannot be read.
    Archived,
    /// A status that this version does not know, in DynamoDB's word.
    Other(String),
}

impl TableStatus {
    /// Whether a table of this status can be scanned, as far as is known.
    pub fn can_be_read(&self) -> bool {
        match self {
            TableStatus::Active | TableStatus::Updating | TableStatus::Other(_) => true,
            TableStatus::Creating
            | TableStatus::Deleting
            | TableStatus::KeyLost
            | TableStatus::Archiving
            | TableStatus::Archived => false,
        }
    }

    fn of(status: &SdkStatus) -> TableStatus {
        match status {
            SdkStatus::Active => TableStatus::Active,
            SdkStatus::Creating => TableStatus::Creating,
            SdkStatus::Updating => TableStatus::Updating,
            SdkStatus::Deleting => TableStatus::Deleting,
            SdkStatus::InaccessibleEncryptionCredentials => TableStatus::KeyLost,
            SdkStatus::Archiving => TableStatus::Archiving,
            SdkStatus::Archived => TableStatus::Archived,
            other => TableStatus::Other(other.as_str().to_owned()),
        }
    }
}

/// What pays for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// Each request is paid.
    OnDemand,
    /// So many units may be read per second; more is throttled.
    Provisioned {
        /// Read capacity units per second.
        read_units: u64,
    },
}

impl Table {
    /// None where something is missing that every table has.
    fn of(table: TableDescription) -> Option<Table> {
        let key = table.key_schema().iter();
        let key = key.map(|element| KeyAttribute::of(element, &table));
        let on_demand = table
            .billing_mode_summary()
            .is_some_and(|summary| summary.billing_mode() == Some(&BillingMode::PayPerRequest));
        let read_units = || {
            let throughput = table.provisioned_throughput()?;
            u64::try_from(throughput.read_capacity_units()?).ok()
        };
        let billing = match on_demand {
            true => Billing::OnDemand,
            false => Billing::Provisioned {
                read_units: read_units()?,
            },
        };
        let key: Vec<_> = key.collect::<Option<_>>()?;
        Some(Table {
            status: TableStatus::of(table.table_status()?),
            key: (!key.is_empty()).then_some(key)?,
            items: u64::try_from(table.item_count()?).ok()?,
            bytes: u64::try_from(table.table_size_bytes()?).ok()?,
            billing,
            name: table.table_name?,
            arn: table.table_arn?,
        })
    }
}

impl KeyAttribute {
    fn of(element: &KeySchemaElement, table: &TableDescription) -> Option<KeyAttribute> {
        use aws_sdk_dynamodb::types::KeyType as SdkRole;

        let name = element.attribute_name();
        let mut defined = table.attribute_definitions().iter();
        let defined = defined.find(|attribute| attribute.attribute_name() == name)?;
        Some(KeyAttribute {
            name: name.to_owned(),
            role: match element.key_type() {
                SdkRole::Hash => KeyRole::Partition,
                SdkRole::Range => KeyRole::Sort,
                _ => return None,
            },
            key_type: match defined.attribute_type() {
                ScalarAttributeType::S => KeyType::String,
                ScalarAttributeType::N => KeyType::Number,
                ScalarAttributeType::B => KeyType::Binary,
                _ => return None,
            },
        })
    }
}
