//! An export as DynamoDB writes it to an object store.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};

/// The bucket that the manifests name.
const BUCKET: &str = "clinic-exports";
const TABLE: &str = "arn:aws:dynamodb:eu-north-1:123456789012:table/treatments";

/// One data file in writing.
pub(super) struct DataFile {
    lines: GzEncoder<Vec<u8>>,
    items: u64,
}

impl DataFile {
    pub(super) fn new() -> Self {
        Self {
            lines: GzEncoder::new(Vec::new(), Compression::fast()),
            items: 0,
        }
    }

    /// Adds a line: an item, or what is no item.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        self.items += 1;
        self.lines.write_all(line.as_bytes())?;
        self.lines.write_all(b"\n")
    }
}

/// Writes the files of an export and its manifests below `dir/AWSDynamoDB/<id>`.
pub(super) fn write(dir: &Path, id: &str, date: &str, files: Vec<DataFile>) -> io::Result<()> {
    let prefix = format!("AWSDynamoDB/{id}");
    let folder = dir.join(&prefix);
    // A file of an export that was here before would be one of this export.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder.join("data"))?;
    fs::write(folder.join("_started"), b"")?;
    let (mut manifest, mut items, mut bytes) = (String::new(), 0, 0);
    for (number, file) in files.into_iter().enumerate() {
        let content = file.lines.finish()?;
        let key = format!("{prefix}/data/{number:04}{}.json.gz", hex(&content, 11));
        fs::write(dir.join(&key), &content)?;
        manifest.push_str(&format!(
            "{{\"itemCount\":{},\"md5Checksum\":\"{}\",\"etag\":\"{}-1\",\"dataFileS3Key\":\"{key}\"}}\n",
            file.items,
            STANDARD.encode(Md5::digest(&content)),
            hex(&content, 16),
        ));
        items += file.items;
        bytes += content.len();
    }
    let summary = format!(
        "{{\"version\":\"2020-06-30\",\"exportArn\":\"{TABLE}/export/{id}\",\"startTime\":\"{date}T01:00:00.000Z\",\
         \"endTime\":\"{date}T01:05:00.000Z\",\"tableArn\":\"{TABLE}\",\"tableId\":\"00000000-0000-0000-0000-000000000000\",\
         \"exportTime\":\"{date}T01:00:00.000Z\",\"s3Bucket\":\"{BUCKET}\",\"s3Prefix\":null,\"s3SseAlgorithm\":\"AES256\",\
         \"s3SseKmsKeyId\":null,\"manifestFilesS3Key\":\"{prefix}/manifest-files.json\",\"billedSizeBytes\":{bytes},\
         \"itemCount\":{items},\"outputFormat\":\"DYNAMODB_JSON\",\"exportType\":\"FULL_EXPORT\"}}"
    );
    for (name, content) in [("manifest-files", manifest), ("manifest-summary", summary)] {
        fs::write(folder.join(format!("{name}.json")), &content)?;
        let sum = STANDARD.encode(Md5::digest(content.as_bytes()));
        fs::write(folder.join(format!("{name}.md5")), sum)?;
    }
    Ok(())
}

/// The first bytes of a digest in hex.
fn hex(content: &[u8], bytes: usize) -> String {
    let digest = Md5::digest(content);
    let digits = digest.iter().take(bytes);
    digits.map(|byte| format!("{byte:02x}")).collect()
}
