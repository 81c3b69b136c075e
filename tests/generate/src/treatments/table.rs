//! Fills a table of a server that speaks DynamoDB's protocol by HTTP and takes any credentials: moto, DynamoDB Local.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Where requests go.
pub(super) struct Server<'a> {
    /// `host:port`.
    address: &'a str,
}

/// How many items one request may write.
pub(super) const MOST_ITEMS: usize = 25;

impl<'a> Server<'a> {
    /// The server at `http://host:port`.
    pub(super) fn at(endpoint: &'a str) -> io::Result<Self> {
        let address = endpoint
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|address| address.contains(':') && !address.contains('/'));
        let address = address.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "'{endpoint}' is not http://host:port: only a server of your own is filled"
                ),
            )
        })?;
        Ok(Self { address })
    }

    /// Makes the table, unless it is there.
    pub(super) fn create(&self, table: &str, key: &str) -> io::Result<()> {
        let body = format!(
            "{{\"TableName\":\"{table}\",\"KeySchema\":[{{\"AttributeName\":\"{key}\",\"KeyType\":\"HASH\"}}],\
             \"AttributeDefinitions\":[{{\"AttributeName\":\"{key}\",\"AttributeType\":\"S\"}}],\
             \"BillingMode\":\"PAY_PER_REQUEST\"}}"
        );
        match self.ask("CreateTable", &body)? {
            (200, _) => Ok(()),
            (_, answer) if answer.contains("ResourceInUseException") => Ok(()),
            (status, answer) => Err(refused("CreateTable", status, &answer)),
        }
    }

    /// Sends `PutRequest`s and `DeleteRequest`s, at most [`MOST_ITEMS`].
    pub(super) fn write(&self, table: &str, requests: &[String]) -> io::Result<()> {
        let body = format!(
            "{{\"RequestItems\":{{\"{table}\":[{}]}}}}",
            requests.join(",")
        );
        match self.ask("BatchWriteItem", &body)? {
            (200, answer)
                if answer.contains("\"UnprocessedItems\": {}")
                    || answer.contains("\"UnprocessedItems\":{}") =>
            {
                Ok(())
            }
            (status, answer) => Err(refused("BatchWriteItem", status, &answer)),
        }
    }

    fn ask(&self, operation: &str, body: &str) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address)?;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.{operation}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=weir/20260101/eu-north-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.get(9..12).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| refused(operation, 0, &answer))?;
        Ok((status, answer))
    }
}

fn refused(operation: &str, status: u16, answer: &str) -> io::Error {
    io::Error::other(format!("{operation} was answered with {status}: {answer}"))
}
